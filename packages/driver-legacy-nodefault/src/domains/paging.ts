// Paging domains: small page tables, and an id of the hardware while some device is on them.
import type { PagingDomain } from '@iommu/core'
import { createShares, settable, settle } from '@iommu/core/driver'
import { createDomainTables } from '@iommu/page-table'
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
    pasidCapable: false,
    // Whether write-only can be said is each table's to refuse.
    ...createDomainTables(table, {
      range: ({ start, end, leavesOnly }) => flush({ range: { start, end }, tables: !leavesOnly }),
      everything: () => flush({ tables: true }),
    }, { readable: false }),
    ...settable(driver, false, (state) => settle<Unit, DeviceState, Aim>(shares, state, 0, ({ id }) => ({ at: 'tables', id, root }))),
    iotlbSyncMap(iova, size) {
      if (size > 0n && unit.planner.keepsAbsent) flush({ range: { start: iova, end: iova + size - 1n }, tables: false })
    },
  }
}
