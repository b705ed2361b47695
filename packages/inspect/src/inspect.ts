// Inspect: what becomes of the DMA of every device of a capture, computed from its registers and tables alone.
import type { Capture, CapturedDevice } from './capture.js'
import { pendingFaults } from './fault-records.js'
import type { PendingFault } from './fault-records.js'
import { judgePasid, judgeRequester } from './judge.js'
import type { Verdict } from './judge.js'
import { presentPasids } from './pasids.js'
import { unitOf } from './unit.js'
import type { Mode, Unit } from './unit.js'

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
  readonly mode: Mode
  readonly rootTable: string
  readonly devices: readonly InspectedDevice[]
  /** Faults that software had not read yet. */
  readonly faults: readonly PendingFault[]
}

/** Far more than any device uses; a directory that points to itself claims a million. */
const MOST_PASIDS = 4096

/** What is said wherever a context entry does not let requests with PASID through. */
export const PASIDS_OFF =
  'the context entry has PASIDE=0: by the architecture requests with PASID are refused (reason 0x45)'

const inspectDevice = (capture: Capture, unit: Unit, { bdf, requesterId }: CapturedDevice): InspectedDevice => {
  const { verdict, context } = judgeRequester(unit, requesterId)
  const present =
    context === undefined ? [] : presentPasids(capture.view, context).filter((pasid) => pasid !== context.ridPasid)
  const listed = present.slice(0, MOST_PASIDS)
  return {
    bdf,
    requesterId: `0x${requesterId.toString(16)}`,
    ...verdict,
    pasids: context === undefined ? [] : listed.map((pasid) => ({ pasid, ...judgePasid(unit, context, pasid) })),
    ...(present.length > listed.length ? { pasidsLeftOut: present.length - listed.length } : {}),
    ...(present.length > 0 && context?.pasids === false ? { caution: PASIDS_OFF } : {}),
  }
}

/**
 * Every device in the order of the capture. Throws InputError where a page is needed that was not recorded, where a
 * register is missing, and for a platform that this version does not read.
 */
export const inspect = (capture: Capture): Inspection => {
  const unit = unitOf(capture)
  return {
    schema: 'iommu.inspect/1',
    platform: capture.platform,
    mode: unit.mode,
    rootTable: `0x${unit.rootTable.toString(16)}`,
    devices: capture.devices.map((device) => inspectDevice(capture, unit, device)),
    faults: pendingFaults(capture),
  }
}
