// Flushes a paging domain's pages everywhere it is: each unit's IOTLB under each tag, then the device TLBs.
import { IommuError } from '@iommu/core'
import type { Pasid } from '@iommu/core'
import type { Share, Warn } from '@iommu/core/driver'
import type { DeviceState } from '../devices/state.js'
import { deviceTlb, flushTag } from '../programming/invalidate.js'
import type { PageTag } from '../programming/invalidate.js'
import type { Descriptor } from '../programming/plan.js'
import type { Unit } from '../unit.js'

/** Where a domain is on one unit, and under which domain id. */
export type VtdShare = Share<Unit, DeviceState>

/** Flushes answer whether they completed. A unit that does not answer is warned about. */
export interface Invalidator {
  /** `leavesOnly`: no table page was put out of use. Both ends inclusive. */
  range(start: bigint, end: bigint, leavesOnly: boolean): boolean
  everything(): boolean
}

/** Descriptors per submission (Linux batches as many). */
const BATCH = 16

const tags = ({ id: domainId, points }: VtdShare, secondStage: boolean): PageTag[] => {
  if (secondStage) return [{ domainId }]
  const pasids = new Set([...points.values()].flatMap((each) => [...each]))
  return [...pasids].map((pasid) => ({ domainId, pasid }))
}

export const createInvalidator = (shares: ReadonlyMap<Unit, VtdShare>, secondStage: boolean, warn: Warn): Invalidator => {
  const submit = (unit: Unit, descriptors: readonly Descriptor[]): void => {
    for (let at = 0; at < descriptors.length; at += BATCH) unit.queue.submit(descriptors.slice(at, at + BATCH))
  }
  /** IOTLBs first and completed, then device TLBs: an ATS request in between would bring the old page back. */
  const flush = (
    pages: (share: VtdShare, tag: PageTag) => readonly Descriptor[], device: (share: VtdShare, state: DeviceState, pasid: Pasid) => Descriptor[],
  ): boolean => {
    let completed = true
    for (const share of shares.values()) {
      try {
        submit(share.unit, tags(share, secondStage).flatMap((tag) => pages(share, tag)))
        submit(share.unit, [...share.points].flatMap(([state, pasids]) => [...pasids].flatMap((pasid) => device(share, state, pasid))))
      } catch (error) {
        if (!(error instanceof IommuError)) throw error
        completed = false
        warn(`domain ${share.id}: an unmap may not have reached the hardware: ${error.message}`)
      }
    }
    return completed
  }
  return {
    range: (start, end, leavesOnly) => flush(
      ({ unit }, tag) => unit.programming.flushPages(tag, start, end, leavesOnly, unit.capabilities),
      ({ unit }, state, pasid) => state.deviceTlbs().map((tlb) => unit.programming.flushDevicePages(tlb, pasid, start, end)),
    ),
    everything: () => flush(
      (_share, tag) => [flushTag(tag)],
      (_share, state, pasid) => state.deviceTlbs().map((tlb) => deviceTlb(tlb, pasid)),
    ),
  }
}
