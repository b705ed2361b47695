// Recorded page tables beside the driver's own for the same pages.
//
//   recorded tables ─▶ pages, empty tables ─▶ the driver maps them anew ─▶ its tables ─▶ both side by side
//
// Where the tables lie is the allocator's choice: in entries that lead to a table our word has the recorded address.
import { pagesSnooped, tablesFormat, writeTables } from '@iommu/driver-intel-vtd/reproduce'
import type { EmptyTable, MappedPage, TablesFacts } from '@iommu/driver-intel-vtd/reproduce'
import { addresses, frameAddress, PhysicalMemory } from '@iommu/hardware'
import type { HardwareView } from '@iommu/hardware'
import type { Format } from '@iommu/page-table'
import { InputError } from './input-error.js'

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
  readonly is: 'nothing' | 'leaf' | 'table'
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

const present = ({ presentLow, presentHigh }: Format, low: number, high: number): boolean =>
  ((low & presentLow) | (high & presentHigh)) !== 0
const has = (low: number, high: number, maskLow: number, maskHigh: number): boolean =>
  (low & maskLow) === maskLow && (high & maskHigh) === maskHigh

/** Reads a table and all below it. `seen`: no table is reached twice, so that corrupt ones come to an end. */
const readTable = (
  format: Format, view: HardwareView, frame: number, level: number, start: bigint, seen: Set<number>,
): RecordedTable | string => {
  if (seen.has(frame)) return `leads to 0x${frameAddress(frame).toString(16)}, a table that something else leads to`
  seen.add(frame)
  const slots = new Map<number, Slot>()
  try {
    view.loadPair(frame, 0)
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    return `leads to 0x${frameAddress(frame).toString(16)}, which was not recorded`
  }
  for (let index = 0; index < 1 << format.bitsPerLevel; index++) {
    view.loadPair(frame, index)
    const { low, high } = view
    if ((low | high) === 0) continue
    const word = addresses.join(low, high)
    const isLeaf = level === 1 || (low & (format.leafBits[level] as number)) !== 0
    if (!present(format, low, high) || isLeaf) {
      slots.set(index, { word, low, high, is: present(format, low, high) ? 'leaf' : 'nothing' })
      continue
    }
    const next = addresses.frameOf(addresses.join(low & format.addressLow, high & format.addressHigh))
    const iova = start + (BigInt(index) << BigInt(format.shift[level] as number))
    const below = readTable(format, view, next, level - 1, iova, seen)
    slots.set(index, { word, low, high, is: 'table', ...(typeof below === 'string' ? { trouble: below } : { below }) })
  }
  return { frame, level, start, slots }
}

interface Contents {
  readonly pages: MappedPage[]
  readonly empty: EmptyTable[]
  noted: boolean
  /** Whether the first leaf has the snoop bit; a domain has it in all or none. */
  snoop: boolean | undefined
}

const collect = (format: Format, { level, start, slots }: RecordedTable, into: Contents): void => {
  const used = [...slots].filter(([, { is }]) => is !== 'nothing')
  if (used.length === 0 && level < format.levels) into.empty.push({ iova: start, level })
  for (const [index, { low, high, is, below }] of used) {
    if (is === 'table') {
      if (has(low, high, format.writtenBackLow, format.writtenBackHigh)) into.noted = true
      if (below !== undefined) collect(format, below, into)
      continue
    }
    const shift = BigInt(format.shift[level] as number)
    into.snoop ??= ((low & format.snoopLow) | (high & format.snoopHigh)) !== 0
    into.pages.push({
      iova: start + (BigInt(index) << shift),
      physical: addresses.join(low & format.addressLow, high & format.addressHigh),
      pageSize: 1n << shift,
      read: has(low, high, format.readLow, format.readHigh),
      write: has(low, high, format.writeLow, format.writeHigh),
    })
  }
}

/** Every entry that is not zero on one side at least. `frame`: our table in the same place; undefined: there is none. */
const compare = (
  format: Format, { frame: at, level, start, slots }: RecordedTable, ours: HardwareView, frame: number | undefined,
  into: TableEntry[],
): void => {
  const pointer = addresses.join(format.addressLow, format.addressHigh)
  for (let index = 0; index < 1 << format.bitsPerLevel; index++) {
    let low = 0
    let high = 0
    if (frame !== undefined) {
      ours.loadPair(frame, index)
      low = ours.low
      high = ours.high
    }
    const slot = slots.get(index)
    if (slot === undefined && (low | high) === 0) continue
    const isTable = level > 1 && present(format, low, high) && (low & (format.leafBits[level] as number)) === 0
    const word = addresses.join(low, high)
    const recorded = slot?.word ?? 0n
    const both = isTable && slot?.is === 'table'
    const about = {
      address: frameAddress(at) + BigInt(index * 8), iova: start + (BigInt(index) << BigInt(format.shift[level] as number)),
      level, recorded,
    }
    if (slot?.trouble !== undefined) into.push({ ...about, ours: undefined, note: slot.trouble })
    else into.push({ ...about, ours: both ? (word & ~pointer) | (recorded & pointer) : word })
    if (slot?.below !== undefined) {
      const below = both ? addresses.frameOf(word & pointer) : undefined
      compare(format, slot.below, ours, below, into)
    }
  }
}

/** The tables at a root; a text says why they cannot be read at all. */
export const compareTables = (
  view: HardwareView, root: bigint, about: Omit<TablesFacts, 'snoop'>,
): ComparedTables | string => {
  const read = tablesFormat({ ...about, snoop: false })
  const recorded = readTable(read, view, addresses.frameOf(root), read.levels, 0n, new Set())
  if (typeof recorded === 'string') return recorded
  const contents: Contents = { pages: [], empty: [], noted: false, snoop: undefined }
  collect(read, recorded, contents)
  const coherent = pagesSnooped(about.capabilities, about.scalable)
  // Seen as a walker sees it: what the driver would not write back is not there.
  const memory = new PhysicalMemory({ bytes: ROOM, tables: { start: 0x1000n, end: ROOM }, coherent })
  const facts = { ...about, snoop: contents.snoop === true }
  const { format, rootFrame } = writeTables(memory, facts, contents.pages, contents.empty)
  const entries: TableEntry[] = []
  compare(format, recorded, memory.walker, rootFrame, entries)
  return { entries, noted: contents.noted }
}
