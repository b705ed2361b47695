// Walks with caches around them, as every vendor's hardware makes them: a kept leaf, a kept pointer, or the whole walk.
import { addresses, createTranslationCache, frameAddress, takes } from '@iommu/hardware'
import type { DmaSight, HardwareView, Names, Step, TranslationCache } from '@iommu/hardware'
import type { Format } from './format.js'
import { frameHigh, frameLow } from './pairs.js'
import { UNREADABLE } from './status.js'
import type { WalkStatus } from './status.js'
import { createWalkResult, walk } from './walk.js'
import type { WalkResult } from './walk.js'
import { walkingOf } from './walking.js'

/** A pointer to a table as the paging-structure caches keep it, with what the entries above it granted. */
export interface TablePointer {
  readonly frame: number
  readonly level: number
  readonly grantedLow: number
  readonly grantedHigh: number
}

/** What is kept of one kind of translation. `tables` are the paging-structure caches: index 0 holds pointers to level-1 tables. */
export interface Translations<Leaf> {
  /** Whether anything is: hardware without an IOTLB walks tables for every DMA. */
  readonly keeps: boolean
  readonly leaves: TranslationCache<Leaf>
  readonly tables: readonly TranslationCache<TablePointer>[]
}

/** `levels`: most levels of a walk; a pointer to the root is never kept. */
export const createTranslations = <Leaf>(levels: number, keeps = true): Translations<Leaf> => ({
  keeps,
  leaves: createTranslationCache(),
  tables: Array.from({ length: levels - 1 }, () => createTranslationCache()),
})

/** Drops leaves and paging structures under the tags that match. */
export const dropTranslations = ({ leaves, tables }: Translations<unknown>, matches: (tag: number) => boolean): void => {
  leaves.dropTags(matches)
  for (const level of tables) level.dropTags(matches)
}

/** Drops a range of frames, both inclusive, under the tags that match; where only leaves changed the paging structures stay. */
export const dropPages = (
  { leaves, tables }: Translations<unknown>, matches: (tag: number) => boolean, first: number, last: number, leavesOnly: boolean,
): void => {
  leaves.dropRange(matches, first, last)
  if (leavesOnly) return
  for (const level of tables) level.dropRange(matches, first, last)
}

/** Drops what an invalidation names under the tags that match: a range, or everything. */
export const forgetPages = (
  held: Translations<unknown>, matches: (tag: number) => boolean, { range, leavesOnly = false }: Pick<NonNullable<Names['pages']>, 'range' | 'leavesOnly'>,
): void => (range === undefined ? dropTranslations(held, matches) : dropPages(held, matches, ...range, leavesOnly))

/** What one vendor's hardware makes of a walk. */
export interface WalkKind<Leaf> {
  /** What the cache keeps of where a walk ended. */
  leafOf(end: WalkResult): Leaf
  /** log2 of the page that a leaf is kept for; undefined where it is not kept. */
  keptShift(leaf: Leaf): number | undefined
  /** How an entry on the way is told to people; `status` is undefined for one that points to a table. */
  say(level: number, status: WalkStatus | undefined): string
}

/** A walk that is to be made, and where it is kept: under which tag, from which table. */
export interface Lookup<Leaf> {
  readonly translations: Translations<Leaf>
  readonly tag: number
  readonly format: Format
  /** Frame of the root table. */
  readonly root: number
  readonly view: HardwareView
  /** The device's frame. */
  readonly frame: number
}

/** Tells of a pointer that a walk came by, and of the shift of what it covers. */
export type Reach = (pointer: TablePointer, covers: number) => void

const result: WalkResult = createWalkResult()

/** The root of a walk. */
export const rootPointer = (format: Format, root: number): TablePointer =>
  ({ frame: root, level: format.levels, grantedLow: -1, grantedHigh: -1 })

/** A walk for a device's frame from the root, of which nobody wants to know more than where it ends. */
const walkWhole = <Leaf>(kind: WalkKind<Leaf>, format: Format, view: HardwareView, frame: number, root: number): Leaf => {
  walk(format, view, root, frameLow(frame), frameHigh(frame), result)
  return kind.leafOf(result)
}

/** A walk for a device's frame from a start on. */
export const walkFrom = <Leaf>(
  kind: WalkKind<Leaf>, format: Format, view: HardwareView, frame: number, start: TablePointer, reach?: Reach, steps?: Step[],
): Leaf => {
  let { grantedLow, grantedHigh } = start
  const { invertLow, invertHigh } = walkingOf(format)
  const first = steps?.length ?? 0
  walk(format, view, start.frame, frameLow(frame), frameHigh(frame), result, (level, table, index, entryLow, entryHigh) => {
    steps?.push({
      entry: format.name, address: frameAddress(table) + BigInt(index * 8),
      words: [addresses.join(entryLow, entryHigh)], note: kind.say(level, undefined),
    })
    if (reach !== undefined && level < start.level) {
      // The upper levels of six cover more than 64 bits.
      reach({ frame: table, level, grantedLow, grantedHigh }, Math.min(format.shift[level + 1] as number, 63))
    }
    grantedLow &= entryLow ^ invertLow
    grantedHigh &= entryHigh ^ invertHigh
  }, start)
  const last = steps?.[steps.length - 1]
  if (steps !== undefined && last !== undefined && steps.length > first && result.status !== UNREADABLE) {
    steps[steps.length - 1] = { ...last, note: kind.say(result.level, result.status) }
  }
  return kind.leafOf(result)
}

/** The leaf that hardware has kept and takes; undefined: it walks. `serves`: whether a kept leaf will do; always where absent. */
export const recallLeaf = <Leaf>(
  { keeps, leaves }: Translations<Leaf>, tag: number, frame: number, sight: DmaSight, serves?: (kept: Leaf) => boolean,
): Leaf | undefined => {
  const kept = keeps === true && sight.cached === true ? leaves.lookup(tag, frame) : undefined
  return kept !== undefined && serves?.(kept) !== false && takes(sight) ? kept : undefined
}

/** The leaf as tables say it now, read from the root or from a pointer that was kept; what is read is kept. */
export const readLeaf = <Leaf>(kind: WalkKind<Leaf>, lookup: Lookup<Leaf>, sight: DmaSight): Leaf => {
  const { translations: { keeps, leaves, tables }, tag, format, root, view, frame } = lookup
  const { choose, steps } = sight
  if (!keeps && steps === undefined) return walkWhole(kind, format, view, frame, root)
  const cached = keeps && sight.cached
  const fills = keeps && sight.fills
  const starts = [...(cached ? tables.flatMap((level) => level.lookup(tag, frame) ?? []) : []), rootPointer(format, root)]
  const start = starts[choose(starts.length)] as TablePointer
  const reach: Reach | undefined = fills
    ? (pointer, covers) => void tables[pointer.level - 1]?.keep(tag, frame, covers, pointer)
    : undefined
  const leaf = walkFrom(kind, format, view, frame, start, reach, steps)
  const shift = fills ? kind.keptShift(leaf) : undefined
  if (shift !== undefined) leaves.keep(tag, frame, shift, leaf)
  return leaf
}
