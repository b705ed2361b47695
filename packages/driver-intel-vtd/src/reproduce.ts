// What the driver writes, without hardware: entries from plain facts, and tables that hold given pages. For whoever
// wants to lay its words beside somebody else's.
import { createGather } from '@iommu/core'
import type { Memory } from '@iommu/hardware'
import { createPageTable } from '@iommu/page-table'
import type { Format, PageTable } from '@iommu/page-table'
import { formatOf } from './domains/formats.js'
import type { Capabilities, Levels } from './tables/index.js'
import { pagesSnooped } from './unit.js'

export { absent } from './devices/state.js'
export type { PointState } from './devices/state.js'
export { contextState, directoryWords, identityState, pagingState } from './domains/words.js'
export type { DirectoryFacts, TableFacts, WordFacts } from './domains/words.js'
export { pagesSnooped } from './unit.js'

/** How a change of an entry is planned, and what has to be flushed around it. Pure. */
export { programming } from './programming/index.js'

/** What decides the tables of a paging domain, besides its pages. */
export interface TablesFacts {
  readonly stage: 'first' | 'second'
  readonly levels: Levels
  readonly scalable: boolean
  readonly capabilities: Capabilities
  /** Width of physical addresses in bits. */
  readonly hostAddressBits: number
  /** Whether the domain enforces cache coherency: its leaves have the snoop bit. */
  readonly snoop: boolean
}

/** One page of a domain. Addresses and sizes in bytes. */
export interface MappedPage {
  readonly iova: bigint
  readonly physical: bigint
  readonly pageSize: bigint
  readonly read: boolean
  readonly write: boolean
}

/** A table in which nothing is mapped any more: the driver keeps it until a whole range around it is unmapped. */
export interface EmptyTable {
  /** First address that it translates. */
  readonly iova: bigint
  readonly level: number
}

/** Tables in memory. */
export interface WrittenTables {
  readonly format: Format
  readonly rootFrame: number
}

/** The format of a domain's tables, as the driver chooses it. Throws RangeError for levels that it has not. */
export const tablesFormat = ({ stage, levels, capabilities, hostAddressBits }: TablesFacts): Format =>
  formatOf(stage, levels, { capabilities, hostAddressBits }).format

/** Maps pages over one entry of the table, and takes them away again: the table stays, and nothing below it. */
const leaveEmpty = (table: PageTable, { iova, level }: EmptyTable): void => {
  const { shift, leafLevel } = table.format
  let page = level
  while (page > 1 && leafLevel[shift[page] as number] === 0) page--
  const pageSize = 1n << BigInt(shift[page] as number)
  const count = 2 ** ((shift[level] as number) - (shift[page] as number))
  table.mapPages(iova, 0n, pageSize, count, { read: true, write: true })
  table.unmapPages(iova, pageSize, count, createGather())
}

/**
 * Maps the pages into new tables, with a history that leaves the empty tables behind. A page that the driver would
 * refuse is not there then. Throws IommuError ENOMEM where there is no memory for the root.
 */
export const writeTables = (
  memory: Memory, facts: TablesFacts, pages: readonly MappedPage[], empty: readonly EmptyTable[],
): WrittenTables => {
  const { capabilities, scalable, snoop } = facts
  const format = tablesFormat(facts)
  const table = createPageTable({ format, memory, coherent: pagesSnooped(capabilities, scalable), snoop })
  for (const each of empty) leaveEmpty(table, each)
  for (const { iova, physical, pageSize, read, write } of pages) {
    table.mapPages(iova, physical, pageSize, 1, { read, write })
  }
  return { format, rootFrame: table.rootFrame }
}
