// What the driver writes, without hardware: entries from plain facts, and tables that hold given pages. For whoever
// wants to lay its words beside somebody else's.
import type { Memory } from '@iommu/hardware'
import { writeTables as write } from '@iommu/page-table'
import type { EmptyTable, Format, MappedPage, WrittenTables } from '@iommu/page-table'
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

/** The format of a domain's tables, as the driver chooses it. Throws RangeError for levels that it has not. */
export const tablesFormat = ({ stage, levels, capabilities, hostAddressBits }: TablesFacts): Format =>
  tablesOf(stage, levels, { capabilities, hostAddressBits, pasidLevels: 4, hostLeaves: undefined })

/** Tables that hold the pages, and the empty tables that a history has left. Throws IommuError ENOMEM where there is no memory for the root. */
export const writeTables = (
  memory: Memory, facts: TablesFacts, pages: readonly MappedPage[], empty: readonly EmptyTable[],
): WrittenTables => write({ format: tablesFormat(facts), memory, snoop: facts.stage === 'host' }, pages, empty)
