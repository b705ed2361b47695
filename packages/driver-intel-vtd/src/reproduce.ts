// What the driver writes, without hardware: entries from plain facts, and tables that hold given pages. For whoever
// wants to lay its words beside somebody else's.
import type { Memory } from '@iommu/hardware'
import { writeTables as write } from '@iommu/page-table'
import type { EmptyTable, Format, MappedPage, WrittenTables } from '@iommu/page-table'
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

/** The format of a domain's tables, as the driver chooses it. Throws RangeError for levels that it has not. */
export const tablesFormat = ({ stage, levels, capabilities, hostAddressBits }: TablesFacts): Format =>
  formatOf(stage, levels, { capabilities, hostAddressBits }).format

/** Tables that hold the pages, and the empty tables that a history has left. Throws IommuError ENOMEM where there is no memory for the root. */
export const writeTables = (
  memory: Memory, facts: TablesFacts, pages: readonly MappedPage[], empty: readonly EmptyTable[],
): WrittenTables => {
  const { capabilities, scalable, snoop } = facts
  return write({ format: tablesFormat(facts), memory, coherent: pagesSnooped(capabilities, scalable), snoop }, pages, empty)
}
