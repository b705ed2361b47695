// The scene of adversarial mode: a device with one PASID that is live and one that is dead, and the probes of each.
import { errorCode } from '@iommu/core'
import type { Device, Domain } from '@iommu/core'
import type { Adversary, DmaRequest } from '@iommu/hardware'
import type { Bench } from '../bench.js'
import { formatsFor, pagingState } from '../states.js'
import type { State } from '../states.js'
import type { Case } from '../statement.js'

export const OWN_PASID = 7
const LIVE_PASID = 5
const DEAD_PASID = 6
const SOURCE = 0x20
const QUEUE_DEPTH = 31

export interface Scene {
  readonly bench: Bench
  readonly adversary: Adversary
  readonly device: Device
  /** Whether the device's own TLB is on. */
  readonly ats: boolean
  /** Sets the live PASID where the driver lets it be; false where it does not. */
  revive(): boolean
  /** Takes it away, for a switch that the driver refuses while it is there. */
  bury(): void
}

/** A scene before any probe is tracked; undefined where the backend has no adversarial mode, or ATS is asked for and not there. */
export const createScene = (t: Case, ats: boolean): Scene | undefined => {
  const bench = t.bench({
    devices: [{ requesterId: SOURCE, ats, endpoint: { pasidWidth: 20, ...(ats ? { atsQueueDepth: QUEUE_DEPTH } : {}) } }],
    adversary: {},
  })
  const { adversary, device, machine, ops } = bench
  if (adversary === undefined) return undefined
  bench.probe(device)
  // Some drivers enable ATS with the first domain that allows it.
  const enabled = (): boolean => machine.endpoint(SOURCE).config.enabled.ats
  if (ats && !enabled()) {
    const [first] = formatsFor(ops.manifest, 'rid')
    if (first === undefined) return undefined
    const domain = bench.paging(device, first)
    domain.attachDev(device, undefined)
    const on = enabled()
    bench.blocked.attachDev?.(device, domain)
    domain.free()
    if (!on) return undefined
  }
  const [format] = ops.manifest.maxPasids > 0 ? formatsFor(ops.manifest, 'pasid') : []
  const alive: State | undefined = format === undefined ? undefined : pagingState(bench, device, 0, format, true)
  let lives = false
  return {
    bench,
    adversary,
    device,
    ats,
    revive() {
      if (lives || alive === undefined) return lives
      try {
        alive.domain.setDevPasid?.(device, LIVE_PASID, undefined)
        lives = true
      } catch (error) {
        if (errorCode(error) === undefined) throw error
      }
      return lives
    },
    bury() {
      if (lives) bench.blocked.setDevPasid?.(device, LIVE_PASID, alive?.domain)
      lives = false
    },
  }
}

const request = (pasid: number | undefined, address: bigint, more: Partial<DmaRequest>): DmaRequest =>
  ({ source: SOURCE, kind: 'untranslated', address, access: 'read', ...(pasid === undefined ? {} : { pasid }), ...more })

/** What a device asks at an address of a point: a read, and with ATS a translation, and an access by one. */
export const probesAt = ({ ats }: Scene, pasid: number | undefined, address: bigint): DmaRequest[] => [
  request(pasid, address, {}),
  ...(ats ? [request(pasid, address, { kind: 'translate' }), request(pasid, address, { kind: 'translated' })] : []),
]

/** What a device writes at an address of a point. */
export const writeAt = (pasid: number | undefined, address: bigint): DmaRequest => request(pasid, address, { access: 'write' })

/** The other points of the device: they must not notice. */
export const bystanders = (scene: Scene, address: bigint): DmaRequest[] =>
  (scene.bench.ops.manifest.maxPasids > 0 ? [...probesAt(scene, LIVE_PASID, address), request(DEAD_PASID, address, {})] : [])

/** Sets a domain on the requester id, or on a PASID. */
export const setOn = (device: Device, pasid: number | undefined, domain: Domain, old: Domain | undefined): void => {
  if (pasid === undefined) domain.attachDev?.(device, old)
  else domain.setDevPasid?.(device, pasid, old)
}
