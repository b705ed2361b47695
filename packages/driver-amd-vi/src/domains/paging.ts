// Paging domains: page tables of their own, on any number of translation points.
import { gatherIsEmpty, gatherReset, IommuError } from '@iommu/core'
import type { Gather, PagingDomain, Pasid } from '@iommu/core'
import { createShares, occupy } from '@iommu/core/driver'
import type { Occupant } from '@iommu/core/driver'
import { createPageTable } from '@iommu/page-table'
import type { PageTable } from '@iommu/page-table'
import type { DeviceState } from '../devices/state.js'
import type { Driver } from '../driver.js'
import type { GuestLevels, HostLevels } from '../tables/index.js'
import type { Unit } from '../unit.js'
import { incompatibility, pasidFormatNames } from './formats.js'
import type { ChosenFormat } from './formats.js'
import { createInvalidator } from './invalidator.js'
import type { AmdShare } from './invalidator.js'
import type { PointState } from './words.js'

/** Host tables begin with so many levels, and gain more as they need them (Linux, `amd_iommu_domain_alloc_paging_v1`). */
const FIRST_LEVELS = 3

/** Throws ENOMEM where there is no memory for the root table. */
export const createPagingDomain = (driver: Driver, chosen: ChosenFormat): PagingDomain => {
  const { format, kind, levels, unit: first } = chosen
  const host = kind === 'host'
  // A unit's id tags host tables; guest tables are tagged by each device's own id.
  const shares = createShares<Unit, DeviceState>(host
    ? { take: ({ domainIds }) => domainIds.take(), give: ({ domainIds }, id) => domainIds.give(id) }
    : { take: () => 0, give: () => undefined })
  const invalidator = createInvalidator(shares.all, kind, driver.warn)
  const occupant: Occupant<DeviceState> = { left: shares.leave }
  const stateFor = (table: PageTable, { id: domainId }: AmdShare): PointState => (host
    ? { kind: 'host', levels: table.levels as HostLevels, root: table.root, domainId }
    : { kind: 'guest', levels: levels as GuestLevels, root: table.root })
  /** The tables have another root: every device is told. Both roots translate alike, so no translation is flushed. */
  const retarget = (table: PageTable): void => {
    for (const share of shares.all.values()) {
      for (const state of share.points.keys()) state.set(0, stateFor(table, share))
    }
  }
  const table = createPageTable({
    format, memory: first.machine.memory,
    // Force coherence in every leaf, as Linux does.
    snoop: host,
    ...(host ? { growth: { levels: Math.min(FIRST_LEVELS, levels), changed: retarget } } : {}),
  })
  /** Table pages of queued unmaps: freed after the flush of everything. */
  const pending: bigint[] = []
  const pasids = driver.pasids && pasidFormatNames(first).includes(chosen.name)

  const set = (state: DeviceState, pasid: Pasid): void => {
    const why = incompatibility(chosen, state.unit, pasid)
    if (why !== undefined) throw new IommuError('EINVAL', why, { device: state.device.name })
    shares.join(state, pasid, (share) => occupy(state, pasid, occupant, stateFor(table, share)))
  }
  /** A larger leaf took the place of empty tables: they go once no walker can be inside. */
  const flushReplaced = (): void => {
    const { replaced } = table
    if (gatherIsEmpty(replaced) && replaced.freed.length === 0) return
    if (invalidator.range(replaced.start, replaced.end, false)) table.release(replaced.freed)
    else pending.push(...replaced.freed)
    gatherReset(replaced)
  }

  return {
    kind: 'paging',
    owner: driver.owner,
    pageSizes: table.pageSizes,
    aperture: table.aperture,
    pasidCapable: pasids,
    attachDev(device) {
      set(driver.stateOf(device), 0)
    },
    ...(pasids ? {
      setDevPasid(device, pasid) {
        set(driver.stateOf(device), pasid)
      },
    } satisfies Partial<PagingDomain> : {}),
    mapPages(iova, physical, pageSize, count, access) {
      if (!host && access.write && !access.read) {
        // Guest entries cannot say it: a writable page is readable too, more than was asked for.
        return { mapped: 0n, error: new IommuError('EINVAL', 'guest pages cannot be write-only', { iova }) }
      }
      const result = table.mapPages(iova, physical, pageSize, count, access)
      flushReplaced()
      return result
    },
    unmapPages(iova, pageSize, count, gather) {
      const removed = table.unmapPages(iova, pageSize, count, gather)
      if (gather.queued) pending.push(...gather.freed.splice(0))
      return removed
    },
    iotlbSyncMap(iova, size) {
      if ([...shares.all.keys()].some(({ capabilities }) => capabilities.notPresentCache)) {
        invalidator.range(iova, iova + size - 1n, false)
      }
    },
    iotlbSync(gather: Gather) {
      if (gatherIsEmpty(gather)) return
      // Without a completed flush the tables stay out of use for good: rather lost than used twice.
      if (invalidator.range(gather.start, gather.end, gather.freed.length === 0)) table.release(gather.freed)
      gatherReset(gather)
    },
    flushIotlbAll() {
      if (invalidator.everything()) table.release(pending)
    },
    iovaToPhys: (iova) => table.iovaToPhys(iova),
    // Every host leaf has FC from the beginning; guest leaves have no such bit.
    ...(host ? { enforceCacheCoherency: () => true } : {}),
    free() {
      table.release(pending)
      table.free()
    },
  }
}
