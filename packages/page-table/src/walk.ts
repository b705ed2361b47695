// The walk that hardware makes: from a root table and an address to a leaf, or to why there is none.
//
//    address   | index of level n | ... | index of level 2 | index of level 1 | offset |
//                      |                        |                  |              |
//   root ─▶ ┌─────┐    |            ┌─────┐     |      ┌─────┐     |              |
//           │     │    |            │     │     |      │     │     |              |
//           │entry│◀───┘  ... ─────▶│entry│◀────┘ ────▶│entry│◀────┘              |
//           └─────┘ table           └─────┘ table      └─────┘ leaf ─▶ page ──────┴─▶ physical address
//                                       └──── or leaf: a large page, the lower indexes are offset
//
//   At each level: 1. is the table memory?      no: UNREADABLE
//                  2. is the entry present?     no: ABSENT
//                  3. reserved bits all zero?   no: RESERVED   (which bits: by level, and by table or leaf)
//                  4. permissions &= the entry's
//                  5. leaf: done. table: the next level
import type { HardwareView } from '@iommu/hardware'
import type { Format } from './format.js'
import { frameAt, frameHigh, frameLow, indexAt, loadAt } from './pairs.js'

/** A leaf was reached; what it allows is in `read`, `write`, `execute` and `user`. */
export const LEAF = 0
/** The entry at `tableFrame` and `index` has no present bit. */
export const ABSENT = 1
/** The entry has a bit set that hardware checks to be zero. */
export const RESERVED = 2
/** The table at `tableFrame` is not memory. At the root's level it is the root pointer that is wrong. */
export const UNREADABLE = 3

export type WalkStatus = typeof LEAF | typeof ABSENT | typeof RESERVED | typeof UNREADABLE

/** Where a walk ended. Reused from walk to walk; all members are written each time. */
export interface WalkResult {
  status: WalkStatus
  /** Level of the entry at which the walk ended, 1 for the smallest pages. */
  level: number
  /** Frame of the table in which that entry lies. */
  tableFrame: number
  /** Its index in that table. */
  index: number
  /** Its halves as read; 0 where the table was unreadable. */
  low: number
  high: number
  /** Where a leaf was reached, else 0: first frame of the page. */
  frame: number
  /** log2 of the page's size. */
  pageShift: number
  /** The translated address, offset included. */
  physicalLow: number
  physicalHigh: number
  /** Granted by all levels together; false where no leaf was reached. */
  read: boolean
  write: boolean
  /** Instruction fetch. As `read` where the format does not tell them apart. */
  execute: boolean
  /** Accesses without privilege. True where the format does not tell them apart. */
  user: boolean
  /** The leaf's snoop bit. */
  snoop: boolean
}

/** What people see of a walk: each entry as it is read, before any check. */
export type WalkVisitor = (level: number, frame: number, index: number, low: number, high: number) => void

/** An empty record for `walk` to fill. */
export const createWalkResult = (): WalkResult => ({
  status: ABSENT, level: 0, tableFrame: 0, index: 0, low: 0, high: 0,
  frame: 0, pageShift: 0, physicalLow: 0, physicalHigh: 0,
  read: false, write: false, execute: false, user: false, snoop: false,
})

const stop = (
  into: WalkResult, status: WalkStatus, level: number, tableLow: number, tableHigh: number, index: number, low: number, high: number,
): void => {
  into.status = status
  into.level = level
  into.tableFrame = frameAt(tableLow, tableHigh)
  into.index = index
  into.low = low
  into.high = high
  into.frame = 0
  into.pageShift = 0
  into.physicalLow = 0
  into.physicalHigh = 0
  into.read = false
  into.write = false
  into.execute = false
  into.user = false
  into.snoop = false
}

/** Where a walk may begin below the root: at a table that hardware has kept a pointer to. */
export interface WalkStart {
  /** Level of the table at the frame given to `walk`. */
  readonly level: number
  /** The AND of the entries above it, each XORed with the format's `invert`; -1 where there are none. */
  readonly grantedLow: number
  readonly grantedHigh: number
}

/**
 * Walks the tables at `rootFrame` for an address given as signed 32-bit halves, reading as hardware does.
 *
 * The walk does not judge the access: it reports what all levels grant, and the caller compares. Nor does it
 * judge the address: bits above the format's `inputBits` are not looked at, so a caller checks width or canonical
 * form first. With `start` the walk begins at the table at `rootFrame` of that level. Never throws, whatever the
 * tables hold.
 */
export const walk = (
  format: Format, view: HardwareView, rootFrame: number, iovaLow: number, iovaHigh: number,
  into: WalkResult, visit?: WalkVisitor, start?: WalkStart,
): void => {
  const { presentLow, presentHigh, addressLow, addressHigh, invertLow, invertHigh, shift, leafBits } = format
  const { tableReservedLow, tableReservedHigh, leafReservedLow, leafReservedHigh } = format
  const entryMask = (1 << format.bitsPerLevel) - 1
  let tableLow = frameLow(rootFrame)
  let tableHigh = frameHigh(rootFrame)
  let level = format.levels
  let grantedLow = -1
  let grantedHigh = -1
  if (start !== undefined) {
    level = start.level
    grantedLow = start.grantedLow
    grantedHigh = start.grantedHigh
  }
  let mask = level === format.levels ? (1 << format.rootBits) - 1 : entryMask
  for (;;) {
    const index = indexAt(iovaLow, iovaHigh, shift[level] as number, mask)
    if (!loadAt(view, tableLow, tableHigh, index)) return stop(into, UNREADABLE, level, tableLow, tableHigh, index, 0, 0)
    const low = view.low
    const high = view.high
    if (visit !== undefined) visit(level, frameAt(tableLow, tableHigh), index, low, high)
    if (((low & presentLow) | (high & presentHigh)) === 0) return stop(into, ABSENT, level, tableLow, tableHigh, index, low, high)
    grantedLow &= low ^ invertLow
    grantedHigh &= high ^ invertHigh
    if (level > 1 && (low & (leafBits[level] as number)) === 0) {
      const reserved = (low & (tableReservedLow[level] as number)) | (high & (tableReservedHigh[level] as number))
      if (reserved !== 0) return stop(into, RESERVED, level, tableLow, tableHigh, index, low, high)
      tableLow = low & addressLow
      tableHigh = high & addressHigh
      mask = entryMask
      level--
      continue
    }
    const reserved = (low & (leafReservedLow[level] as number)) | (high & (leafReservedHigh[level] as number))
    if (reserved !== 0) return stop(into, RESERVED, level, tableLow, tableHigh, index, low, high)
    const offsetLow = format.offsetLow[level] as number
    const offsetHigh = format.offsetHigh[level] as number
    const pageLow = low & addressLow & ~offsetLow
    const pageHigh = high & addressHigh & ~offsetHigh
    const { readLow, readHigh, writeLow, writeHigh, executeLow, executeHigh, userLow, userHigh } = format
    into.status = LEAF
    into.level = level
    into.tableFrame = frameAt(tableLow, tableHigh)
    into.index = index
    into.low = low
    into.high = high
    into.frame = frameAt(pageLow, pageHigh)
    into.pageShift = shift[level] as number
    into.physicalLow = pageLow | (iovaLow & offsetLow)
    into.physicalHigh = pageHigh | (iovaHigh & offsetHigh)
    into.read = (grantedLow & readLow) === readLow && (grantedHigh & readHigh) === readHigh
    into.write = (grantedLow & writeLow) === writeLow && (grantedHigh & writeHigh) === writeHigh
    into.execute = into.read && (grantedLow & executeLow) === executeLow && (grantedHigh & executeHigh) === executeHigh
    into.user = (grantedLow & userLow) === userLow && (grantedHigh & userHigh) === userHigh
    into.snoop = ((low & format.snoopLow) | (high & format.snoopHigh)) !== 0
    return
  }
}
