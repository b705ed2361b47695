// Inspect: what becomes of the DMA of every device of a capture, computed from its registers and tables alone.
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
  /** Faults that software had not read yet. */
  readonly faults: readonly PendingFault[]
}

/** Far more than any device uses; a directory that points to itself claims a million. */
const MOST_PASIDS = 4096

const inspectDevice = (unit: Unit, { bdf, requesterId }: CapturedDevice): InspectedDevice => {
  const { verdict, pasids, judgePasid, caution } = unit.judge(requesterId)
  const listed = pasids.slice(0, MOST_PASIDS)
  return {
    bdf,
    requesterId: hex(requesterId),
    ...verdict,
    pasids: listed.map((pasid) => ({ pasid, ...judgePasid(pasid) })),
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
    devices: capture.devices.map((device) => inspectDevice(unit, device)),
    faults: unit.pendingFaults(),
  }
}
