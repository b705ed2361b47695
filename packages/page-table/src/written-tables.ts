// Tables for given contents, as a driver would have come by them: pages that are mapped, and tables that were left empty.
import { createGather } from '@iommu/core'
import type { Format } from './format.js'
import { createPageTable } from './page-table.js'
import type { PageTable, PageTableOptions } from './page-table.js'

/** One page of a domain. Addresses and sizes in bytes. */
export interface MappedPage {
  readonly iova: bigint
  readonly physical: bigint
  readonly pageSize: bigint
  readonly read: boolean
  readonly write: boolean
  readonly noExecute?: boolean
}

/** A table in which nothing is mapped any more: it is kept until a whole range around it is unmapped. */
export interface EmptyTable {
  /** First address that it translates. */
  readonly iova: bigint
  /** Counted from 1, which holds the smallest pages. */
  readonly level: number
}

/** Tables in memory. */
export interface WrittenTables {
  readonly format: Format
  readonly rootFrame: number
}

/** Maps pages over one entry of the table, and takes them away again: the table stays, and nothing below it. */
const leaveEmpty = (table: PageTable, { iova, level }: EmptyTable): void => {
  const { shift, leafLevel } = table.format
  let page = level
  while (page > 1 && leafLevel[shift[page] as number] !== page) page--
  const pageShift = shift[page] as number
  const count = 2 ** ((shift[level] as number) - pageShift)
  const pageSize = 1n << BigInt(pageShift)
  table.mapPages(iova, 0n, pageSize, count, { read: true, write: true })
  table.unmapPages(iova, pageSize, count, createGather())
}

/**
 * Maps the pages into new tables, with a history that leaves the empty tables behind. A page that is refused is not there then.
 * Throws IommuError ENOMEM where there is no memory for the root.
 */
export const writeTables = (options: PageTableOptions, pages: readonly MappedPage[], empty: readonly EmptyTable[]): WrittenTables => {
  const table = createPageTable(options)
  for (const each of empty) leaveEmpty(table, each)
  for (const { iova, physical, pageSize, ...access } of pages) table.mapPages(iova, physical, pageSize, 1, access)
  return { format: options.format, rootFrame: table.rootFrame }
}
