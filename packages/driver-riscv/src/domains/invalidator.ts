// Flushes a domain's pages everywhere it is: each unit's translations under its identifier, then the device TLBs.
import { IommuError } from '@iommu/core'
import type { Pasid } from '@iommu/core'
import type { Warn } from '@iommu/core/driver'
import type { Command } from '../programming/plan.js'
import type { Unit } from '../unit.js'
import type { RiscvShare } from './shares.js'

/** Flushes answer whether they completed. A unit that does not answer is warned about. */
export interface Invalidator {
  /** `stride`: size of the smallest page; `leavesOnly`: no table page was put out of use. Both ends inclusive. */
  range(start: bigint, end: bigint, stride: bigint, leavesOnly: boolean): boolean
  everything(): boolean
}

/** Commands per submission: the queue holds 255 and a fence. */
const BATCH = 128

export const createInvalidator = (shares: ReadonlyMap<Unit, RiscvShare>, secondStage: boolean, warn: Warn): Invalidator => {
  const submit = (unit: Unit, commands: readonly Command[]): void => {
    for (let at = 0; at < commands.length; at += BATCH) unit.queue.submit(commands.slice(at, at + BATCH))
  }
  /** The unit's own first and complete, then device TLBs: an ATS request in between would bring the old page back. */
  const flush = (
    pages: (share: RiscvShare) => readonly Command[], device: (share: RiscvShare, source: number, pasid: Pasid) => Command,
  ): boolean => {
    let completed = true
    for (const share of shares.values()) {
      try {
        submit(share.unit, pages(share))
        submit(share.unit, [...share.points].flatMap(([state, pasids]) =>
          [...pasids].flatMap((pasid) => state.deviceTlbs().map((source) => device(share, source, pasid)))))
      } catch (error) {
        if (!(error instanceof IommuError)) throw error
        completed = false
        warn(`identifier ${share.id}: an unmap may not have reached the hardware: ${error.message}`)
      }
    }
    return completed
  }
  return {
    range: (start, end, stride, leavesOnly) => flush(
      ({ unit, id }) => unit.programming.flushPages({ id, secondStage }, start, end, stride, leavesOnly, unit.capabilities),
      ({ unit }, source, pasid) => unit.programming.flushDeviceTlb(source, pasid, { start, end }),
    ),
    everything: () => flush(
      ({ unit, id }) => [unit.programming.flushTag({ id, secondStage })],
      ({ unit }, source, pasid) => unit.programming.flushDeviceTlb(source, pasid),
    ),
  }
}
