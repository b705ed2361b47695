// Inspect: what becomes of the DMA of every device of a capture, computed from its registers and tables alone.
import { frameOf } from '@iommu/hardware'
import type { Capture, CapturedDevice } from './capture.js'
import { hex } from './spell.js'
import { unitOf } from './unit.js'
import type { PendingFault, Unit } from './vendor.js'
import type { Verdict } from './verdict.js'

export interface InspectedPasid extends Verdict {
  readonly pasid: number
}

/** One device: `effect`, `domainId` and `why` are about requests without PASID. */
export interface InspectedDevice extends Verdict {
  readonly bdf: string
  /** "0x20" */
  readonly requesterId: string
  readonly pasids: readonly InspectedPasid[]
  /** Present entries that are not listed, where there are very many. */
  readonly pasidsLeftOut?: number
  /** What keeps PASID entries from being used, where something does. */
  readonly caution?: string
}

export interface Inspection {
  readonly schema: 'iommu.inspect/1'
  readonly platform: string
  readonly mode: string
  readonly rootTable: string
  /** What the first table is called. */
  readonly rootTitle: string
  readonly devices: readonly InspectedDevice[]
  /** The source has no list of devices: these are the ones that tables lead to. */
  readonly devicesFrom?: 'tables'
  /** What every answer rests on besides registers and tables. */
  readonly cautions?: readonly string[]
  /** Faults that software had not read yet. */
  readonly faults: readonly PendingFault[]
}

/** Far more than any device uses; a directory that points to itself claims a million. */
const MOST_PASIDS = 4096

/** A sentence without the addresses that stand for places which the source does not show. */
const shown = (verdict: Verdict, places: ReadonlySet<number> | undefined): Verdict =>
  (places === undefined ? verdict : {
    ...verdict, why: verdict.why.replace(/ at (0x[0-9a-f]+)/g, (text, address: string) => (places.has(frameOf(BigInt(address))) ? '' : text)),
  })

const inspectDevice = (unit: Unit, { bdf, requesterId }: CapturedDevice, places: ReadonlySet<number> | undefined): InspectedDevice => {
  const { verdict, pasids, judgePasid, caution } = unit.judge(requesterId)
  const listed = pasids.slice(0, MOST_PASIDS)
  return {
    bdf,
    requesterId: hex(requesterId),
    ...shown(verdict, places),
    pasids: listed.map((pasid) => ({ pasid, ...shown(judgePasid(pasid), places) })),
    ...(pasids.length > listed.length ? { pasidsLeftOut: pasids.length - listed.length } : {}),
    ...(caution === undefined ? {} : { caution }),
  }
}

/** Every device in the order of the capture. Throws InputError where a page or a register is needed that was not recorded. */
export const inspect = (capture: Capture): Inspection => {
  const unit = unitOf(capture)
  return {
    schema: 'iommu.inspect/1',
    platform: capture.platform,
    mode: unit.mode,
    rootTable: hex(unit.rootTable),
    rootTitle: unit.rootTitle,
    devices: capture.devices.map((device) => inspectDevice(unit, device, capture.madeUp?.places)),
    ...(capture.devicesFrom === undefined ? {} : { devicesFrom: capture.devicesFrom }),
    ...(capture.cautions === undefined ? {} : { cautions: capture.cautions }),
    faults: unit.pendingFaults(),
  }
}
