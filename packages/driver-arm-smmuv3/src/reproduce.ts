// What the driver writes, without hardware: entries from plain facts, and tables that hold given pages. For whoever
// wants to lay its words beside somebody else's.
import { decode } from '@iommu/bits'
import { createGather } from '@iommu/core'
import type { Memory } from '@iommu/hardware'
import { armStage1Entry, armStage2Entry, createPageTable } from '@iommu/page-table'
import type { Format, PageTable } from '@iommu/page-table'
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

/** One page of a domain. Addresses and sizes in bytes. */
export interface MappedPage {
  readonly iova: bigint
  readonly physical: bigint
  readonly pageSize: bigint
  readonly read: boolean
  readonly write: boolean
  /** Somebody else's leaf for it: whether it may be executed is taken from there. Absent: it may. */
  readonly word?: bigint
}

/** A table in which nothing is mapped any more: the driver keeps it until a whole range around it is unmapped. */
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

/** The format of a domain's tables, as the driver chooses it. */
export const tablesFormat = ({ stage, granule, capabilities }: TablesFacts): Format => formatOf(stage, granule, capabilities)

const neverExecuted = ({ stage }: TablesFacts, word: bigint | undefined): boolean => {
  if (word === undefined) return false
  return stage === 1 ? decode(armStage1Entry, [word]).UXN === 1 : decode(armStage2Entry, [word]).XN !== 0
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
 * Maps the pages into new tables, with a history that leaves the empty tables behind. A page that the driver would
 * refuse is not there then. Throws IommuError ENOMEM where there is no memory for the root.
 */
export const writeTables = (
  memory: Memory, facts: TablesFacts, pages: readonly MappedPage[], empty: readonly EmptyTable[],
): WrittenTables => {
  const format = tablesFormat(facts)
  const table = createPageTable({ format, memory, coherent: facts.capabilities.coherent })
  for (const each of empty) leaveEmpty(table, each)
  for (const { iova, physical, pageSize, read, write, word } of pages) {
    table.mapPages(iova, physical, pageSize, 1, { read, write, noExecute: neverExecuted(facts, word) })
  }
  return { format, rootFrame: table.rootFrame }
}
