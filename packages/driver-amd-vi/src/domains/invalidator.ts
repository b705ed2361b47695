// Flushes a paging domain's pages everywhere it is: each unit's IOTLB under each tag, then the device TLBs.
import type { Pasid } from '@iommu/core'
import { flushShares } from '@iommu/core/driver'
import type { Share, Warn } from '@iommu/core/driver'
import type { PageFlushes } from '@iommu/page-table'
import type { DeviceState } from '../devices/state.js'
import { flushTag } from '../programming/invalidate.js'
import type { DeviceTlb, PageTag } from '../programming/invalidate.js'
import type { Command } from '../programming/plan.js'
import type { Unit } from '../unit.js'

/** Where a domain is on one unit. Host tables are cached under its id, guest tables under each device's own id. */
export type AmdShare = Share<Unit, DeviceState>

/** Commands per submission. */
const BATCH = 16

const tags = ({ id: domainId, points }: AmdShare, kind: 'host' | 'guest'): PageTag[] =>
  (kind === 'host' ? [{ domainId }] : [...points].flatMap(([{ facts: { gcr3 } }, pasids]) =>
    (gcr3 === undefined ? [] : [...pasids].map((pasid) => ({ domainId: gcr3.domainId, pasid })))))

export const createInvalidator = (shares: ReadonlyMap<Unit, AmdShare>, kind: 'host' | 'guest', warn: Warn): PageFlushes => {
  const flush = (own: (unit: Unit, tag: PageTag) => readonly Command[], device: (unit: Unit, tlb: DeviceTlb, pasid: Pasid) => Command): boolean =>
    flushShares<Unit, DeviceState, Command>(shares, {
      unit: (share) => tags(share, kind).flatMap((tag) => own(share.unit, tag)),
      device: ({ share: { unit }, state, pasid }) => state.deviceTlbs().map((tlb) => device(unit, tlb, pasid)),
    }, { batch: BATCH, told: (_share, { message }) => warn(`an unmap may not have reached the hardware: ${message}`) })
  return {
    range: ({ start, end, leavesOnly }) => flush(
      ({ programming }, tag) => programming.flushPages(tag, start, end, leavesOnly),
      ({ programming }, tlb, pasid) => programming.flushDevicePages(tlb, pasid, { start, end }),
    ),
    everything: () => flush((_unit, tag) => [flushTag(tag)], ({ programming }, tlb, pasid) => programming.flushDevicePages(tlb, pasid)),
  }
}
