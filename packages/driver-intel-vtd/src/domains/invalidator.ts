// Flushes a paging domain's pages everywhere it is: each unit's IOTLB under each tag, then the device TLBs.
import type { Pasid } from '@iommu/core'
import { flushShares } from '@iommu/core/driver'
import type { Share, Warn } from '@iommu/core/driver'
import type { PageFlushes } from '@iommu/page-table'
import type { DeviceState } from '../devices/state.js'
import { deviceTlb, flushTag } from '../programming/invalidate.js'
import type { DeviceTlb, PageTag } from '../programming/invalidate.js'
import type { Descriptor } from '../programming/plan.js'
import type { Unit } from '../unit.js'

/** Where a domain is on one unit, and under which domain id. */
export type VtdShare = Share<Unit, DeviceState>

/** Descriptors per submission (Linux batches as many). */
const BATCH = 16

const tags = ({ id: domainId, points }: VtdShare, secondStage: boolean): PageTag[] => {
  if (secondStage) return [{ domainId }]
  const pasids = new Set([...points.values()].flatMap((each) => [...each]))
  return [...pasids].map((pasid) => ({ domainId, pasid }))
}

export const createInvalidator = (shares: ReadonlyMap<Unit, VtdShare>, secondStage: boolean, warn: Warn): PageFlushes => {
  const flush = (
    own: (share: VtdShare, tag: PageTag) => readonly Descriptor[], device: (unit: Unit, tlb: DeviceTlb, pasid: Pasid) => Descriptor,
  ): boolean =>
    flushShares<Unit, DeviceState, Descriptor>(shares, {
      unit: (share) => tags(share, secondStage).flatMap((tag) => own(share, tag)),
      device: ({ share: { unit }, state, pasid }) => state.deviceTlbs().map((tlb) => device(unit, tlb, pasid)),
    }, { batch: BATCH, told: ({ id }, { message }) => warn(`domain ${id}: an unmap may not have reached the hardware: ${message}`) })
  return {
    range: ({ start, end, leavesOnly }) => flush(
      ({ unit }, tag) => unit.programming.flushPages(tag, start, end, leavesOnly, unit.capabilities),
      ({ programming }, tlb, pasid) => programming.flushDevicePages(tlb, pasid, start, end),
    ),
    everything: () => flush((_share, tag) => [flushTag(tag)], (_unit, tlb, pasid) => deviceTlb(tlb, pasid)),
  }
}
