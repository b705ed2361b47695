// Flushes a domain's pages everywhere it is: each SMMU's TLB under the domain's tag, then the devices' own TLBs.
import { IommuError } from '@iommu/core'
import type { Pasid } from '@iommu/core'
import { flushShares } from '@iommu/core/driver'
import type { Share, ShareIds, Warn } from '@iommu/core/driver'
import type { PageFlushes } from '@iommu/page-table'
import type { DeviceState } from '../devices/state.js'
import type { Tag } from '../programming/invalidate.js'
import type { Command } from '../programming/plan.js'
import type { GranuleShift } from '../tables/index.js'
import type { Unit } from '../unit.js'

/** Where a domain is on one SMMU, and under which ASID or VMID. */
export type SmmuShare = Share<Unit, DeviceState>

export const createInvalidator = (
  shares: ReadonlyMap<Unit, SmmuShare>, stage: 1 | 2, granule: GranuleShift, warn: Warn,
): PageFlushes => {
  const flush = (own: (share: SmmuShare, tag: Tag) => readonly Command[], device: (unit: Unit, source: number, pasid: Pasid) => Command): boolean =>
    flushShares<Unit, DeviceState, Command>(shares, {
      unit: (share) => own(share, { stage, id: share.id }),
      device: ({ share: { unit }, state, pasid }) => state.deviceTlbs().map((source) => device(unit, source, pasid)),
    }, {
      // The queue splits what is too much for it by itself.
      batch: Infinity,
      told: ({ id }, { message }) => warn(`${stage === 1 ? 'ASID' : 'VMID'} ${id}: an unmap may not have reached the hardware: ${message}`),
    })
  return {
    range: (pages) => flush(
      ({ unit }, tag) => unit.programming.flushPages(tag, pages, granule, unit.capabilities),
      ({ programming }, source, pasid) => programming.flushDevicePages(source, pasid, pages.start, pages.end),
    ),
    everything: () => flush(
      ({ unit }, tag) => unit.programming.flushTag(tag),
      ({ programming }, source, pasid) => programming.flushDevice(source, pasid),
    ),
  }
}

/**
 * Ids of a domain on each SMMU. An id is given back once nothing is cached under it any more; where the SMMU does not
 * say so it stays taken: rather lost than used twice.
 */
export const idsOf = (stage: 1 | 2, warn: Warn): ShareIds<Unit> => ({
  take: ({ asids, vmids }) => (stage === 1 ? asids : vmids).take(),
  give({ asids, vmids, queue, programming }, id) {
    try {
      queue.submit(programming.flushTag({ stage, id }))
    } catch (error) {
      if (!(error instanceof IommuError)) throw error
      warn(`${stage === 1 ? 'ASID' : 'VMID'} ${id} is lost: it could not be flushed: ${error.message}`)
      return
    }
    ;(stage === 1 ? asids : vmids).give(id)
  },
})
