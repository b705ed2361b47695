// Walks with caches around them: a kept leaf, a kept pointer into the tables, or the whole walk from the root.
import { addresses, frameAddress } from '@iommu/hardware'
import type { Choose, HardwareView, Step } from '@iommu/hardware'
import { ABSENT, createWalkResult, LEAF, RESERVED, UNREADABLE, walk } from '@iommu/page-table'
import type { Format, WalkResult, WalkStatus } from '@iommu/page-table'
import type { Translations } from './caches.js'
import type { Supply } from './supply.js'

/** A translation as the IOTLB keeps it. With NpCache it may also be that there was none (`status` ABSENT). */
export interface Leaf {
  readonly status: WalkStatus
  /** Level at which a walk ended that found no leaf. */
  readonly level: number
  readonly frame: number
  readonly pageShift: number
  readonly read: boolean
  readonly write: boolean
  readonly execute: boolean
  readonly user: boolean
  /** FC: accesses snoop. */
  readonly coherent: boolean
}

/** A pointer to a table as the paging-structure caches keep it, with what the entries above it granted. */
export interface TablePointer {
  readonly frame: number
  readonly level: number
  readonly grantedLow: number
  readonly grantedHigh: number
}

/** How much of the hardware takes part in one look. */
export interface Sight {
  readonly choose: Choose
  /** Whether caches are looked into at all. */
  readonly cached: boolean
  /** Whether caches learn from what is read. */
  readonly fills: boolean
  readonly steps?: Step[] | undefined
  /** Where copies and translations come from, in place of caches and memory. */
  readonly supply?: Supply
}

/** One lookup: in which caches, under which tag, in which table. */
export interface Lookup {
  readonly translations: Translations
  readonly tag: number
  readonly format: Format
  readonly root: number
  readonly view: HardwareView
  readonly address: bigint
  /** NpCache: that nothing is mapped is kept too. */
  readonly keepsAbsent: boolean
}

const result: WalkResult = createWalkResult()

const startPoints = ({ translations, tag, format, root }: Lookup, frame: number, cached: boolean): TablePointer[] => {
  const top = rootPointer(format, root)
  const kept = cached ? translations.tables.flatMap((level) => level.lookup(tag, frame) ?? []) : []
  return [...kept, top]
}

const describeEntry = (status: WalkStatus | undefined, level: number): string =>
  status === undefined ? `level ${level}: table`
    : status === ABSENT ? `level ${level}: nothing mapped`
      : status === RESERVED ? `level ${level}: a reserved bit is set, or its level or size is wrong` : `level ${level}: leaf`

/** Tells of a pointer that a walk came by, and of the shift of what it covers. */
type Reach = (pointer: TablePointer, covers: number) => void

/** A walk of an address from a start on. */
export const walkFrom = (
  format: Format, view: HardwareView, address: bigint, start: TablePointer, reach?: Reach, steps?: Step[],
): Leaf => {
  addresses.split(address)
  const { low, high } = addresses
  let { grantedLow, grantedHigh } = start
  const first = steps?.length ?? 0
  walk(format, view, start.frame, low, high, result, (level, table, index, entryLow, entryHigh) => {
    steps?.push({
      entry: format.name, address: frameAddress(table) + BigInt(index * 8),
      words: [addresses.join(entryLow, entryHigh)], note: describeEntry(undefined, level),
    })
    if (reach !== undefined && level < start.level) {
      reach({ frame: table, level, grantedLow, grantedHigh }, Math.min(format.shift[level + 1] as number, 63))
    }
    grantedLow &= entryLow ^ format.invertLow
    grantedHigh &= entryHigh ^ format.invertHigh
  }, start)
  const last = steps?.[steps.length - 1]
  if (steps !== undefined && last !== undefined && steps.length > first && result.status !== UNREADABLE) {
    steps[steps.length - 1] = { ...last, note: describeEntry(result.status, result.level) }
  }
  const { status, level, pageShift, read, write, execute, user, snoop } = result
  return { status, level, frame: result.frame, pageShift, read, write, execute, user, coherent: snoop }
}

/** The root of a walk. */
export const rootPointer = (format: Format, root: number): TablePointer =>
  ({ frame: root, level: format.levels, grantedLow: -1, grantedHigh: -1 })

/** The leaf for an address: kept, or read now. */
export const lookupLeaf = (lookup: Lookup, { choose, cached, fills, steps }: Sight): Leaf => {
  const { translations, tag, format, view, address, keepsAbsent } = lookup
  const frame = addresses.frameOf(address)
  const kept = cached ? translations.leaves.lookup(tag, frame) : undefined
  if (kept !== undefined && choose(2) === 0) return kept

  const starts = startPoints(lookup, frame, cached)
  const start = starts[choose(starts.length)] as TablePointer
  const reach: Reach | undefined = fills
    ? (pointer, covers) => void translations.tables[pointer.level - 1]?.keep(tag, frame, covers, pointer)
    : undefined
  const leaf = walkFrom(format, view, address, start, reach, steps)
  const keeps = leaf.status === LEAF || (keepsAbsent && leaf.status === ABSENT)
  if (fills && keeps) translations.leaves.keep(tag, frame, leaf.status === LEAF ? leaf.pageShift : format.granuleShift, leaf)
  return leaf
}

/** The page of an address that passes through. */
export const passingLeaf = (frame: number): Leaf => ({
  status: LEAF, level: 1, frame, pageShift: 12, read: true, write: true, execute: true, user: true, coherent: false,
})
