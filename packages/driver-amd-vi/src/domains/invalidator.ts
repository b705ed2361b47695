// Flushes a paging domain's pages everywhere it is: each unit's IOTLB under each tag, then the device TLBs.
import { IommuError } from '@iommu/core'
import type { Pasid } from '@iommu/core'
import type { Share, Warn } from '@iommu/core/driver'
import type { DeviceState } from '../devices/state.js'
import { flushTag } from '../programming/invalidate.js'
import type { PageTag } from '../programming/invalidate.js'
import type { Command } from '../programming/plan.js'
import type { Unit } from '../unit.js'

/** Where a domain is on one unit. Host tables are cached under its id, guest tables under each device's own id. */
export type AmdShare = Share<Unit, DeviceState>

/** Flushes answer whether they completed. A unit that does not answer is warned about. */
export interface Invalidator {
  /** `leavesOnly`: no table page was put out of use. Both ends inclusive. */
  range(start: bigint, end: bigint, leavesOnly: boolean): boolean
  everything(): boolean
}

/** Commands per submission. */
const BATCH = 16

const tags = ({ id: domainId, points }: AmdShare, kind: 'host' | 'guest'): PageTag[] =>
  (kind === 'host' ? [{ domainId }] : [...points].flatMap(([{ facts: { gcr3 } }, pasids]) =>
    (gcr3 === undefined ? [] : [...pasids].map((pasid) => ({ domainId: gcr3.domainId, pasid })))))

export const createInvalidator = (shares: ReadonlyMap<Unit, AmdShare>, kind: 'host' | 'guest', warn: Warn): Invalidator => {
  const submit = (unit: Unit, commands: readonly Command[]): void => {
    for (let at = 0; at < commands.length; at += BATCH) unit.queue.submit(commands.slice(at, at + BATCH))
  }
  /** IOTLBs first and completed, then device TLBs: an ATS request in between would bring the old page back. */
  const flush = (
    pages: (share: AmdShare, tag: PageTag) => readonly Command[], device: (share: AmdShare, state: DeviceState, pasid: Pasid) => Command[],
  ): boolean => {
    let completed = true
    for (const share of shares.values()) {
      try {
        submit(share.unit, tags(share, kind).flatMap((tag) => pages(share, tag)))
        submit(share.unit, [...share.points].flatMap(([state, pasids]) => [...pasids].flatMap((pasid) => device(share, state, pasid))))
      } catch (error) {
        if (!(error instanceof IommuError)) throw error
        completed = false
        warn(`an unmap may not have reached the hardware: ${error.message}`)
      }
    }
    return completed
  }
  return {
    range: (start, end, leavesOnly) => flush(
      ({ unit }, tag) => unit.programming.flushPages(tag, start, end, leavesOnly),
      ({ unit }, state, pasid) => state.deviceTlbs().map((tlb) => unit.programming.flushDevicePages(tlb, pasid, { start, end })),
    ),
    everything: () => flush(
      (_share, tag) => [flushTag(tag)],
      ({ unit }, state, pasid) => state.deviceTlbs().map((tlb) => unit.programming.flushDevicePages(tlb, pasid)),
    ),
  }
}
