// Recorded page tables beside the driver's own for the same pages.
//
//   recorded tables ─▶ pages, empty tables ─▶ the driver maps them anew ─▶ its tables ─▶ both side by side
//
// Where the tables lie is the allocator's choice: in entries that lead to a table our word has the recorded address.
import { addresses, frameAddress, PhysicalMemory } from '@iommu/hardware'
import type { HardwareView } from '@iommu/hardware'
import { isTable, pageShiftOf, walkingOf } from '@iommu/page-table'
import type { EmptyTable, Format, MappedPage } from '@iommu/page-table'
import { InputError } from './input-error.js'
import { hex } from './spell.js'
import type { Compared } from './vendor.js'

/** One page of a domain, with the leaf as recorded, for attributes that only its format knows. */
export interface RecordedPage extends MappedPage {
  readonly word: bigint
}

/** What recorded tables stand for. */
export interface TableContents {
  readonly pages: readonly RecordedPage[]
  readonly empty: readonly EmptyTable[]
  /** Whether leaves have the snoop bit; a domain has it in all or none. */
  readonly snoop: boolean
}

/** How a driver writes tables: their format, and tables for given contents in a memory of our own. */
export interface TableWriter {
  readonly format: Format
  /** Whether what the driver stores is seen by a walker without being written back. */
  readonly coherent: boolean
  /** Frame of the new root table. */
  write(memory: PhysicalMemory, contents: TableContents): number
}

/** One entry of a page table. */
export interface TableEntry {
  readonly address: bigint
  /** First address that it translates. */
  readonly iova: bigint
  readonly level: number
  readonly recorded: bigint
  /** Undefined: the driver writes no such entry, and `note` says why. */
  readonly ours: bigint | undefined
  readonly note?: string
}

export interface ComparedTables {
  readonly entries: readonly TableEntry[]
  /** Whether any entry that leads to a table has software's note that it has been written back. */
  readonly noted: boolean
}

interface Slot {
  readonly word: bigint
  readonly low: number
  readonly high: number
  /** `stray`: neither a table nor a leaf, present or not. */
  readonly is: 'stray' | 'leaf' | 'table'
  readonly below?: RecordedTable
  readonly trouble?: string
}

interface RecordedTable {
  readonly frame: number
  readonly level: number
  readonly start: bigint
  readonly slots: ReadonlyMap<number, Slot>
}

/** More than any domain needs; only pages that are written take memory. */
const ROOM = 1n << 36n

const has = (low: number, high: number, maskLow: number, maskHigh: number): boolean =>
  (low & maskLow) === maskLow && (high & maskHigh) === maskHigh

/** log2 of a leaf's size; undefined where the entry is none. */
const leafShift = (format: Format, level: number, low: number, high: number): number | undefined =>
  ((low & format.present) !== 0 ? pageShiftOf(format, level, low, high) : 0) || undefined

/** Where an entry holds an address. */
const pointerBits = ({ addressLow, addressHigh, foldLow }: Format): bigint => addresses.join(addressLow | foldLow, addressHigh)

/** The address that an entry holds, with bits 51:48 in their place where it holds them lower down. */
const addressIn = ({ addressLow, addressHigh, foldLow }: Format, low: number, high: number): bigint =>
  addresses.join(low & addressLow, (high & addressHigh) | ((low & foldLow) << 4))

const entryCount = ({ levels, rootBits, bitsPerLevel }: Format, level: number): number =>
  1 << (level === levels ? rootBits : bitsPerLevel)

/** Reads a table and all below it. `seen`: no table is reached twice, so that corrupt ones come to an end. */
const readTable = (
  format: Format, view: HardwareView, frame: number, level: number, start: bigint, seen: Set<number>,
): RecordedTable | string => {
  if (seen.has(frame)) return `leads to ${hex(frameAddress(frame))}, a table that something else leads to`
  seen.add(frame)
  const slots = new Map<number, Slot>()
  try {
    for (let index = 0; index < entryCount(format, level); index++) {
      view.loadPair(frame, index)
      const { low, high } = view
      if ((low | high) === 0) continue
      const word = addresses.join(low, high)
      if ((low & format.present) === 0 || !isTable(format, level, low)) {
        slots.set(index, { word, low, high, is: leafShift(format, level, low, high) === undefined ? 'stray' : 'leaf' })
        continue
      }
      const iova = start + (BigInt(index) << BigInt(format.shift[level] as number))
      const below = readTable(format, view, addresses.frameOf(addressIn(format, low, high)), level - 1, iova, seen)
      slots.set(index, { word, low, high, is: 'table', ...(typeof below === 'string' ? { trouble: below } : { below }) })
    }
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    return `leads to ${hex(frameAddress(frame))}, which was not recorded`
  }
  return { frame, level, start, slots }
}

interface Collected {
  readonly pages: RecordedPage[]
  readonly empty: EmptyTable[]
  noted: boolean
  /** Whether the first leaf has the snoop bit. */
  snoop: boolean | undefined
}

const collectLeaf = (format: Format, level: number, iova: bigint, { low, high }: Slot, into: Collected): void => {
  const pageSize = 1n << BigInt(leafShift(format, level, low, high) as number)
  into.snoop ??= ((low & format.snoopLow) | (high & format.snoopHigh)) !== 0
  // Of equal entries that stand for one page the first says it all.
  if (iova % pageSize !== 0n) return
  const { leafInvertLow, leafInvertHigh, read, write } = walkingOf(format)
  const [grantsLow, grantsHigh] = [low ^ leafInvertLow, high ^ leafInvertHigh]
  into.pages.push({
    iova,
    physical: addressIn(format, low, high) & ~(pageSize - 1n),
    pageSize,
    read: has(grantsLow, grantsHigh, read.leafLow, read.leafHigh),
    write: has(grantsLow, grantsHigh, write.leafLow, write.leafHigh),
    word: addresses.join(low, high),
  })
}

const collect = (format: Format, { level, start, slots }: RecordedTable, into: Collected): void => {
  const used = [...slots].filter(([, { is }]) => is !== 'stray')
  if (used.length === 0 && level < format.levels) into.empty.push({ iova: start, level })
  for (const [index, slot] of used) {
    if (slot.is === 'leaf') {
      collectLeaf(format, level, start + (BigInt(index) << BigInt(format.shift[level] as number)), slot, into)
      continue
    }
    if (has(slot.low, slot.high, format.writtenBackLow, format.writtenBackHigh)) into.noted = true
    if (slot.below !== undefined) collect(format, slot.below, into)
  }
}

/** Every entry that is not zero on one side at least. `frame`: our table in the same place; undefined: there is none. */
const compare = (
  format: Format, { frame: at, level, start, slots }: RecordedTable, ours: HardwareView, frame: number | undefined,
  into: TableEntry[],
): void => {
  const pointer = pointerBits(format)
  for (let index = 0; index < entryCount(format, level); index++) {
    let low = 0
    let high = 0
    if (frame !== undefined) {
      ours.loadPair(frame, index)
      low = ours.low
      high = ours.high
    }
    const slot = slots.get(index)
    if (slot === undefined && (low | high) === 0) continue
    const word = addresses.join(low, high)
    const recorded = slot?.word ?? 0n
    const both = (low & format.present) !== 0 && isTable(format, level, low) && slot?.is === 'table'
    const about = {
      address: frameAddress(at) + BigInt(index * 8), iova: start + (BigInt(index) << BigInt(format.shift[level] as number)),
      level, recorded,
    }
    if (slot?.trouble !== undefined) into.push({ ...about, ours: undefined, note: slot.trouble })
    else into.push({ ...about, ours: both ? (word & ~pointer) | (recorded & pointer) : word })
    if (slot?.below !== undefined) {
      const below = both ? addresses.frameOf(addressIn(format, low, high)) : undefined
      compare(format, slot.below, ours, below, into)
    }
  }
}

/** The tables at a root; a text says why they cannot be read at all. */
export const compareTables = (
  view: HardwareView, root: bigint, { format, coherent, write }: TableWriter,
): ComparedTables | string => {
  const recorded = readTable(format, view, addresses.frameOf(root), format.levels, 0n, new Set())
  if (typeof recorded === 'string') return recorded
  const contents: Collected = { pages: [], empty: [], noted: false, snoop: undefined }
  collect(format, recorded, contents)
  // Seen as a walker sees it: what the driver would not write back is not there.
  const memory = new PhysicalMemory({ bytes: ROOM, tables: { start: 0x1000n, end: ROOM }, coherent })
  const rootFrame = write(memory, { ...contents, snoop: contents.snoop === true })
  const entries: TableEntry[] = []
  compare(format, recorded, memory.walker, rootFrame, entries)
  return { entries, noted: contents.noted }
}

/** The entries of compared tables as rows of the device, or PASID, whose tables they are. */
export const tableRows = (
  { entries }: ComparedTables, entry: string, { bdf, pasid }: Pick<Compared, 'bdf' | 'pasid'>,
): Compared[] =>
  entries.map(({ ours, recorded, ...rest }) => ({
    bdf, ...(pasid === undefined ? {} : { pasid }), entry, ...rest, recorded: [recorded],
    words: ours === undefined ? undefined : [ours],
  }))
