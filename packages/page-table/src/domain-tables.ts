// What a paging domain does with its tables: which pages come and go, and when hardware has to forget them.
import { gatherIsEmpty, gatherReset, IommuError } from '@iommu/core'
import type { PagingDomain } from '@iommu/core'
import type { PageTable } from './page-table.js'

/** Pages that hardware has to forget; both ends inclusive. */
export interface PageRange {
  readonly start: bigint
  readonly end: bigint
  /** The smallest page among them, in bytes. */
  readonly pageSize: bigint
  /** No table was put out of use: pointers to tables may stay cached. */
  readonly leavesOnly: boolean
}

/** How a domain has hardware forget. False: it did not say that it has. */
export interface PageFlushes {
  range(pages: PageRange): boolean
  everything(): boolean
}

/** A tree of tables, of any format. `replaced`: tables that a larger leaf took the place of, where it does that. */
export type DomainTable = Pick<
  PageTable, 'pageSizes' | 'aperture' | 'mapPages' | 'unmapPages' | 'release' | 'iovaToPhys' | 'free'
> & Partial<Pick<PageTable, 'replaced'>>

/** The members of a paging domain that its tables answer by themselves. */
export type DomainTables = Pick<
  PagingDomain, 'pageSizes' | 'aperture' | 'mapPages' | 'unmapPages' | 'iotlbSync' | 'flushIotlbAll' | 'iovaToPhys' | 'free'
>

/**
 * Table pages are given back once a flush says that no walker can be inside; without one they stay out of use for good:
 * rather lost than used twice. `readable`: pages that can be written can be read, so that write-only ones are EINVAL.
 */
export const createDomainTables = (table: DomainTable, flushes: PageFlushes, { readable }: { readonly readable: boolean }): DomainTables => {
  /** Table pages of queued unmaps: given back after the flush of everything. */
  const pending: bigint[] = []
  const flushReplaced = (): void => {
    const { replaced } = table
    if (replaced === undefined || (gatherIsEmpty(replaced) && replaced.freed.length === 0)) return
    if (flushes.range({ ...replaced, leavesOnly: false })) table.release(replaced.freed)
    else pending.push(...replaced.freed)
    gatherReset(replaced)
  }
  return {
    pageSizes: table.pageSizes,
    aperture: table.aperture,
    mapPages(iova, physical, pageSize, count, access) {
      if (readable && access.write && !access.read) {
        // More would be granted than was asked for.
        return { mapped: 0n, error: new IommuError('EINVAL', 'pages of this format cannot be write-only', { iova }) }
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
    iotlbSync(gather) {
      if (gatherIsEmpty(gather)) return
      if (flushes.range({ ...gather, leavesOnly: gather.freed.length === 0 })) table.release(gather.freed)
      gatherReset(gather)
    },
    flushIotlbAll() {
      if (flushes.everything()) table.release(pending)
    },
    iovaToPhys: (iova) => table.iovaToPhys(iova),
    free() {
      table.release(pending)
      table.free()
    },
  }
}
