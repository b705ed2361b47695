// What the driver writes, without hardware: entries from plain facts, and tables that hold given pages. For whoever
// wants to lay its words beside somebody else's.
import { createGather } from '@iommu/core'
import type { Memory } from '@iommu/hardware'
import { createPageTable } from '@iommu/page-table'
import type { Format, PageTable } from '@iommu/page-table'
import { tablesOf } from './domains/formats.js'
import type { Capabilities, GuestLevels, HostLevels } from './tables/index.js'

/** `entryWords(state, facts, current)`: a device table entry; what is not DMA's side's stays as it is in `current`. */
export { entryWords, gcr3Words, IDENTITY_DOMAIN_ID } from './domains/words.js'
export type { Gcr3Facts, GuestState, HostState, PointState, WordFacts } from './domains/words.js'

/** How a change of an entry is planned, and what has to be flushed around it. Pure. */
export { programming } from './programming/index.js'

/** What decides the tables of a paging domain, besides its pages. */
export interface TablesFacts {
  readonly stage: 'host' | 'guest'
  /** As they are now: host tables that have grown have more than at first. */
  readonly levels: HostLevels | GuestLevels
  readonly capabilities: Capabilities
  /** Width of physical addresses in bits. */
  readonly hostAddressBits: number
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
  tablesOf(stage, levels, { capabilities, hostAddressBits, pasidLevels: 4, hostLeaves: undefined })

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
  const format = tablesFormat(facts)
  const table = createPageTable({ format, memory, snoop: facts.stage === 'host' })
  for (const each of empty) leaveEmpty(table, each)
  for (const { iova, physical, pageSize, read, write } of pages) {
    table.mapPages(iova, physical, pageSize, 1, { read, write })
  }
  return { format, rootFrame: table.rootFrame }
}
