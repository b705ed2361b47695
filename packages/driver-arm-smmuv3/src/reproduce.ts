// What the driver writes, without hardware: entries from plain facts, and tables that hold given pages. For whoever
// wants to lay its words beside somebody else's.
import { decode } from '@iommu/bits'
import type { Memory } from '@iommu/hardware'
import { armStage1Entry, armStage2Entry, writeTables as write } from '@iommu/page-table'
import type { EmptyTable, Format, MappedPage, WrittenTables } from '@iommu/page-table'
import { formatOf } from './domains/formats.js'
import type { Capabilities, GranuleShift } from './tables/index.js'

export type { PointState } from './devices/state.js'
export {
  abortWords, contextWords, endedContextWords, levelOneContextWords, levelOneStreamWords, outputBitsOf, streamWords,
} from './domains/words.js'
export type { ContextFacts, StageTwoFacts, StreamFacts } from './domains/words.js'

/** How a change of an entry is planned, and what has to be flushed around it. Pure. */
export { programming } from './programming/index.js'

/** What decides the tables of a paging domain, besides its pages. */
export interface TablesFacts {
  readonly stage: 1 | 2
  readonly granule: GranuleShift
  readonly capabilities: Pick<Capabilities, 'outputBits' | 'coherent'>
}

/** One page of a domain, perhaps as somebody else has it. */
export interface LikePage extends MappedPage {
  /** Somebody else's leaf for it: whether it may be executed is taken from there. */
  readonly word?: bigint
}

/** The format of a domain's tables, as the driver chooses it. */
export const tablesFormat = ({ stage, granule, capabilities }: TablesFacts): Format => formatOf(stage, granule, capabilities)

const neverExecuted = ({ stage }: TablesFacts, word: bigint): boolean =>
  (stage === 1 ? decode(armStage1Entry, [word]).UXN === 1 : decode(armStage2Entry, [word]).XN !== 0)

/** Tables that hold the pages, and the empty tables that a history has left. Throws IommuError ENOMEM where there is no memory for the root. */
export const writeTables = (
  memory: Memory, facts: TablesFacts, pages: readonly LikePage[], empty: readonly EmptyTable[],
): WrittenTables => write({ format: tablesFormat(facts), memory, coherent: facts.capabilities.coherent },
  pages.map(({ word, ...page }) => (word === undefined ? page : { ...page, noExecute: neverExecuted(facts, word) })), empty)
