// Paging domains: small page tables, and an id of the hardware while some device is on them.
import { gatherIsEmpty, gatherReset } from '@iommu/core'
import type { PagingDomain } from '@iommu/core'
import { createShares, occupy } from '@iommu/core/driver'
import type { Occupant } from '@iommu/core/driver'
import type { DeviceState } from '../device.js'
import type { Driver } from '../driver.js'
import type { Aim, ChangedPages } from '../programming/planner.js'
import type { Unit } from '../unit.js'

/** Beyond so many pages a range is flushed as a whole. */
const FEW = 64n

/** Throws ENOMEM where there is no memory for the root table. */
export const createPagingDomain = (driver: Driver): PagingDomain => {
  const { unit } = driver
  const table = unit.createTable()
  const { root } = table
  const shares = createShares<Unit, DeviceState>({
    take: () => unit.open(table),
    give: (_unit, id) => unit.close(id, table),
  })
  const occupant: Occupant<DeviceState> = { left: shares.leave }
  /** Tables of queued unmaps: freed after the flush of everything. */
  const pending: bigint[] = []
  const smallest = table.pageSizes & -table.pageSizes

  /** Whether hardware has forgotten the pages: true too where nobody is on the domain. */
  const flush = (what: Pick<ChangedPages, 'range' | 'tables'>): boolean => {
    const share = shares.all.get(unit)
    if (share === undefined) return true
    const { range } = what
    const few = range !== undefined && (range.end - range.start) / smallest < FEW
    return unit.flush({
      id: share.id, root, streams: [...share.points.keys()].flatMap(({ streams }) => streams),
      entries: few ? table.entries(range.start, range.end) : [],
      ...(few ? { range } : {}), tables: what.tables,
    })
  }

  return {
    kind: 'paging',
    owner: driver.owner,
    pageSizes: table.pageSizes,
    aperture: table.aperture,
    pasidCapable: false,
    attachDev(device) {
      const state = driver.stateOf(device)
      shares.join(state, 0, ({ id }) => occupy<DeviceState, Aim>(state, 0, occupant, { at: 'tables', id, root }))
    },
    mapPages: (iova, physical, pageSize, count, access) => table.mapPages(iova, physical, pageSize, count, access),
    unmapPages(iova, pageSize, count, gather) {
      const removed = table.unmapPages(iova, pageSize, count, gather)
      if (gather.queued) pending.push(...gather.freed.splice(0))
      return removed
    },
    iotlbSyncMap(iova, size) {
      if (size > 0n && unit.planner.keepsAbsent) flush({ range: { start: iova, end: iova + size - 1n }, tables: false })
    },
    iotlbSync(gather) {
      if (gatherIsEmpty(gather)) return
      // Without a completed flush the tables stay out of use for good: rather lost than used twice.
      const { start, end, freed } = gather
      if (flush({ range: { start, end }, tables: freed.length > 0 })) table.release(freed)
      gatherReset(gather)
    },
    flushIotlbAll() {
      if (flush({ tables: true })) table.release(pending)
    },
    iovaToPhys: (iova) => table.iovaToPhys(iova),
    free() {
      table.release(pending)
      table.free()
    },
  }
}
