// Walks with caches around them, as every vendor's hardware makes them: a kept leaf, a kept pointer, or the whole walk.
import { addresses, createTranslationCache, frameAddress } from '@iommu/hardware'
import type { Choose, HardwareView, Names, Step, TranslationCache } from '@iommu/hardware'
import type { Format } from './format.js'
import { UNREADABLE } from './status.js'
import type { WalkStatus } from './status.js'
import { createWalkResult, walk } from './walk.js'
import type { WalkResult } from './walk.js'

/** A pointer to a table as the paging-structure caches keep it, with what the entries above it granted. */
export interface TablePointer {
  readonly frame: number
  readonly level: number
  readonly grantedLow: number
  readonly grantedHigh: number
}

/** What is kept of one kind of translation. `tables` are the paging-structure caches: index 0 holds pointers to level-1 tables. */
export interface Translations<Leaf> {
  readonly leaves: TranslationCache<Leaf>
  readonly tables: readonly TranslationCache<TablePointer>[]
}

/** `levels`: most levels of a walk; a pointer to the root is never kept. */
export const createTranslations = <Leaf>(levels: number): Translations<Leaf> => ({
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

/** How much of the hardware takes part in one look. */
export interface Sight<Supply> {
  readonly choose: Choose
  /** Whether caches are looked into at all. */
  readonly cached: boolean
  /** Whether caches learn from what is read. */
  readonly fills: boolean
  readonly steps?: Step[] | undefined
  /** Where copies and translations come from, in place of caches and memory. */
  readonly supply?: Supply
}

/** What one vendor's hardware makes of a walk. */
export interface WalkKind<Leaf> {
  /** What the cache keeps of where a walk ended. */
  leafOf(end: WalkResult): Leaf
  /** log2 of the page that a leaf is kept for; undefined where it is not kept. */
  keptShift(leaf: Leaf): number | undefined
  /** How an entry on the way is told to people; `status` is undefined for one that points to a table. */
  say(level: number, status: WalkStatus | undefined): string
}

/** One lookup: in which caches, under which tag, in which table. */
export interface Lookup<Leaf> {
  readonly translations: Translations<Leaf>
  readonly tag: number
  readonly format: Format
  /** Frame of the root table. */
  readonly root: number
  readonly view: HardwareView
  readonly address: bigint
  /** Whether a kept leaf serves; always where absent. */
  readonly serves?: (kept: Leaf) => boolean
}

/** Tells of a pointer that a walk came by, and of the shift of what it covers. */
export type Reach = (pointer: TablePointer, covers: number) => void

const result: WalkResult = createWalkResult()

/** The root of a walk. */
export const rootPointer = (format: Format, root: number): TablePointer =>
  ({ frame: root, level: format.levels, grantedLow: -1, grantedHigh: -1 })

/** A walk of an address from a start on. */
export const walkFrom = <Leaf>(
  kind: WalkKind<Leaf>, format: Format, view: HardwareView, address: bigint, start: TablePointer, reach?: Reach, steps?: Step[],
): Leaf => {
  addresses.split(address)
  const { low, high } = addresses
  let { grantedLow, grantedHigh } = start
  const first = steps?.length ?? 0
  walk(format, view, start.frame, low, high, result, (level, table, index, entryLow, entryHigh) => {
    steps?.push({
      entry: format.name, address: frameAddress(table) + BigInt(index * 8),
      words: [addresses.join(entryLow, entryHigh)], note: kind.say(level, undefined),
    })
    if (reach !== undefined && level < start.level) {
      // The upper levels of six cover more than 64 bits.
      reach({ frame: table, level, grantedLow, grantedHigh }, Math.min(format.shift[level + 1] as number, 63))
    }
    grantedLow &= entryLow ^ format.invertLow
    grantedHigh &= entryHigh ^ format.invertHigh
  }, start)
  const last = steps?.[steps.length - 1]
  if (steps !== undefined && last !== undefined && steps.length > first && result.status !== UNREADABLE) {
    steps[steps.length - 1] = { ...last, note: kind.say(result.level, result.status) }
  }
  return kind.leafOf(result)
}

/** The leaf for an address: kept, or read now. */
export const lookupLeaf = <Leaf>(kind: WalkKind<Leaf>, lookup: Lookup<Leaf>, sight: Sight<unknown>): Leaf => {
  const { translations: { leaves, tables }, tag, format, root, view, address, serves } = lookup
  const { choose, cached, fills, steps } = sight
  const frame = addresses.frameOf(address)
  const kept = cached ? leaves.lookup(tag, frame) : undefined
  if (kept !== undefined && serves?.(kept) !== false && choose(2) === 0) return kept

  const starts = [...(cached ? tables.flatMap((level) => level.lookup(tag, frame) ?? []) : []), rootPointer(format, root)]
  const start = starts[choose(starts.length)] as TablePointer
  const reach: Reach | undefined = fills
    ? (pointer, covers) => void tables[pointer.level - 1]?.keep(tag, frame, covers, pointer)
    : undefined
  const leaf = walkFrom(kind, format, view, address, start, reach, steps)
  const shift = fills ? kind.keptShift(leaf) : undefined
  if (shift !== undefined) leaves.keep(tag, frame, shift, leaf)
  return leaf
}
