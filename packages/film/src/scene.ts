// The scene: a machine, a driver, and devices with PASIDs on which domains can be set, in any order, at any time.
import { createCore } from '@iommu/core'
import type { Device, Domain, Manifest } from '@iommu/core'
import type { Backend } from '@iommu/conformance'
import { blockedState, createBench, formatsFor, identityState, pagingState, pasidNear, svaState } from '@iommu/conformance/bench'
import type { Bench, State } from '@iommu/conformance/bench'
import type { Adversary, AdversaryOptions, DmaRequest, EndpointCapabilities, TestMachine } from '@iommu/hardware'

/** Where a domain is set: a device's requester id, or one of its PASIDs. */
export interface FilmPoint {
  readonly device: Device
  /** Absent: DMA without a PASID. */
  readonly pasid?: number
}

/** A DMA that is tried after every step. */
export interface Probe {
  readonly point: FilmPoint
  readonly request: DmaRequest
  /** Whether paging domains of the scene map the address. */
  readonly mapped: boolean
}

export interface SceneOptions {
  /** PASIDs that each device has points for; 1 and 2 where absent, none where the driver has none. */
  readonly pasids?: readonly number[]
  /** Requester ids of the devices; one at 00:04.0 where absent. */
  readonly devices?: readonly number[]
  /** ATS is on. */
  readonly ats?: boolean
  /** The driver, where it is not the backend's own: a variant's. */
  readonly createDriver?: Backend['createDriver']
  readonly adversary?: AdversaryOptions
}

/** A domain of the scene, and what undoes it. */
export interface SceneState {
  readonly name: string
  readonly domain: Domain
  end(): void
}

export interface Scene {
  readonly backend: Backend
  readonly manifest: Manifest
  readonly machine: TestMachine
  /** Absent: the backend has no adversarial mode, and the model's own caches say what a DMA may meet. */
  readonly adversary: Adversary | undefined
  readonly points: readonly FilmPoint[]
  readonly probes: readonly Probe[]
  /** Names of the states that can be made for a point: blocked, identity, each format, sva. */
  statesOf(point: FilmPoint): readonly string[]
  /** A state of that kind; paging domains and processes are new each time. Throws RangeError for a name that is none. */
  make(point: FilmPoint, name: string): SceneState
}

const DEVICE = 0x20
const ATS_DEPTH = 31

const statesOf = ({ blocked, identity, sva, ...manifest }: Manifest, where: 'rid' | 'pasid'): string[] => [
  ...(blocked[where] ? ['blocked'] : []),
  ...(identity[where] ? ['identity'] : []),
  ...formatsFor({ blocked, identity, sva, ...manifest }, where),
  ...(where === 'pasid' && sva.pasid ? ['sva'] : []),
]

const whereOf = ({ pasid }: FilmPoint): 'rid' | 'pasid' => (pasid === undefined ? 'rid' : 'pasid')

/** The DMA of a point: a read where domains map, and a write where none does. */
const probesOf = ({ addresses: { mapped: [mapped], unmapped } }: Bench, point: FilmPoint): Probe[] => {
  const { device: { requesterId: source }, pasid } = point
  const about = { source, kind: 'untranslated', ...(pasid === undefined ? {} : { pasid }) } as const
  return [
    { point, mapped: true, request: { ...about, address: mapped, access: 'read' } },
    { point, mapped: false, request: { ...about, address: unmapped, access: 'write' } },
  ]
}

/** Names as people give them: "paging" is the first format. */
const resolved = (name: string, names: readonly string[], formats: readonly string[]): string => {
  const wanted = name === 'paging' ? formats[0] ?? name : name
  if (names.includes(wanted)) return wanted
  throw new RangeError(`there is no state "${name}" here; there ${names.length === 1 ? 'is' : 'are'} ${names.join(', ')}`)
}

/** A machine with a driver and devices that it has probed; nothing is set on them yet. */
export const createScene = (backend: Backend, options: SceneOptions = {}): Scene => {
  const { ats = false, createDriver = (...args) => backend.createDriver(...args), adversary = {} } = options
  const endpoint: EndpointCapabilities = { pasidWidth: 20, ...(ats ? { atsQueueDepth: ATS_DEPTH } : {}) }
  const devices = (options.devices ?? [DEVICE]).map((requesterId) => ({ requesterId, ats, endpoint }))
  const bench = createBench({ ...backend, createDriver }, createCore, { devices, adversary })
  const { manifest } = bench.ops
  bench.probe(...bench.devices)
  const pasids = manifest.maxPasids === 0 ? [] : (options.pasids ?? [1, 2]).map((each) => pasidNear(manifest, each))
  const points = bench.devices.flatMap((device): FilmPoint[] => [{ device }, ...pasids.map((pasid) => ({ device, pasid }))])
  const probes = points.flatMap((point) => probesOf(bench, point))
  bench.adversary?.track(...probes.map(({ request }) => request))
  let number = 0
  const ended = (state: State): SceneState => ({ name: state.kind, domain: state.domain, end: () => undefined })
  return {
    backend, manifest, points, probes,
    machine: bench.machine,
    adversary: bench.adversary,
    statesOf: (point) => statesOf(manifest, whereOf(point)),
    make(point, asked) {
      const where = whereOf(point)
      const name = resolved(asked, statesOf(manifest, where), formatsFor(manifest, where))
      if (name === 'blocked') return ended(blockedState(bench))
      if (name === 'identity') return ended(identityState(bench))
      number++
      if (name !== 'sva') {
        const { domain } = pagingState(bench, point.device, number, name, where === 'pasid')
        return { name, domain, end: () => void domain.free() }
      }
      const state = svaState(bench, point.device, number)
      if (state === undefined) throw new RangeError('SVA is declared, and there is no domain of it')
      return {
        name, domain: state.domain,
        end() {
          state.domain.free?.()
          state.cpu.end()
        },
      }
    },
  }
}

/** Sets a domain on a point, in place of `old`. */
export const setOn = ({ device, pasid }: FilmPoint, domain: Domain, old: Domain | undefined): void => {
  if (pasid === undefined) domain.attachDev?.(device, old)
  else domain.setDevPasid?.(device, pasid, old)
}
