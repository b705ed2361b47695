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
//                  3. is it a table or a leaf?  neither: RESERVED or ABSENT, by the format
//                  4. reserved bits all zero?   no: RESERVED, or ADDRESS_SIZE for address bits where the format tells them apart
//                  5. table: permissions &= the entry's, and the next level. Leaf: has it been accessed?  no: ACCESS_FLAG
import type { HardwareView } from '@iommu/hardware'
import type { Format } from './format.js'
import { brokenStatus, leafStatus, pageShiftOf, skippedTo } from './entries.js'
import { frameAt, frameHigh, frameLow, heldHigh, heldLow, indexAt, loadAt, offsetHigh, offsetLow } from './pairs.js'
import { ABSENT, LEAF, UNREADABLE } from './status.js'
import { isWrittenOut, leafPlace, loadLeaf, placeAt } from './usual.js'
import type { WalkStatus } from './status.js'
import { walkingOf } from './walking.js'
import type { Grant, Walking } from './walking.js'

export * from './status.js'

/**
 * Where a walk ended. Reused from walk to walk: what it says is of the last one. What follows from the entries is worked
 * out when it is asked for, since most callers want little of it, and a walk takes less time than writing it all down.
 */
export class WalkResult {
  status: WalkStatus = ABSENT
  /** Level of the entry at which the walk ended, 1 for the smallest pages. */
  level = 0
  /** Its index in its table. */
  index = 0
  /** Its halves as read; 0 where the table was unreadable. */
  low = 0
  high = 0
  /** log2 of the page's size; 0 where no leaf was reached. */
  pageShift = 0
  private tableLow = 0
  private tableHigh = 0
  private iovaLow = 0
  private iovaHigh = 0
  /** Permission bits that all tables of the way grant. */
  private grantedLow = 0
  private grantedHigh = 0
  private format: Format | undefined = undefined
  private walking: Walking | undefined = undefined

  /** Written by `walk` alone. */
  set(
    format: Format, status: WalkStatus, level: number, tableLow: number, tableHigh: number, index: number, low: number, high: number,
    pageShift: number, iovaLow: number, iovaHigh: number, grantedLow: number, grantedHigh: number,
  ): void {
    this.format = format
    this.walking = walkingOf(format)
    this.status = status
    this.level = level
    this.tableLow = tableLow
    this.tableHigh = tableHigh
    this.index = index
    this.low = low
    this.high = high
    this.pageShift = pageShift
    this.iovaLow = iovaLow
    this.iovaHigh = iovaHigh
    this.grantedLow = grantedLow
    this.grantedHigh = grantedHigh
  }

  /** The same of a usual leaf of level 1, found at a word of memory. */
  setUsual(format: Format, walking: Walking, at: number, low: number, high: number, iovaLow: number, iovaHigh: number): void {
    const { granuleShift } = format
    this.format = format
    this.walking = walking
    this.status = LEAF
    this.level = 1
    this.low = low
    this.high = high
    this.pageShift = granuleShift
    this.tableLow = (at << 2) & (-1 << granuleShift)
    this.tableHigh = 0
    this.index = at >> 1 & ((1 << (granuleShift - 3)) - 1)
    this.iovaLow = iovaLow
    this.iovaHigh = iovaHigh
    this.grantedLow = walking.grantsLow
    this.grantedHigh = walking.grantsHigh
  }

  /** Frame of the table in which the entry lies. */
  get tableFrame(): number { return frameAt(this.tableLow, this.tableHigh) }
  /** Where a leaf was reached, else 0: first frame of the page. */
  get frame(): number { return frameAt(this.pageLow, this.pageHigh) }
  /** The translated address, offset included; 0 where no leaf was reached. */
  get physicalLow(): number { return this.pageLow | (this.iovaLow & offsetLow(this.pageShift)) }
  get physicalHigh(): number { return this.pageHigh | (this.iovaHigh & offsetHigh(this.pageShift)) }
  /** Granted by all levels together; false where no leaf was reached. */
  get read(): boolean {
    const { walking } = this
    return walking !== undefined && this.grants(walking, walking.read)
  }
  get write(): boolean {
    const { walking } = this
    return walking !== undefined && this.grants(walking, walking.write)
  }
  /** Instruction fetch without privilege. As `read` where the format does not tell them apart. */
  get execute(): boolean {
    const { walking } = this
    return walking !== undefined && this.read && this.grants(walking, walking.execute)
  }
  /** Instruction fetch with privilege. As `execute` where the format does not tell them apart. */
  get privilegedExecute(): boolean {
    const { walking } = this
    return walking !== undefined && this.read && this.grants(walking, walking.privileged)
  }
  /** Accesses without privilege. True where the format does not tell them apart. */
  get user(): boolean {
    const { walking } = this
    return walking !== undefined && this.grants(walking, walking.user)
  }
  /** The leaf's snoop bit. */
  get snoop(): boolean {
    const { format, status, low, high } = this
    return format !== undefined && status === LEAF && ((low & format.snoopLow) | (high & format.snoopHigh)) !== 0
  }

  private get pageLow(): number {
    const { format, pageShift, low } = this
    return format === undefined || pageShift === 0 ? 0 : heldLow(format, low) & ~offsetLow(pageShift)
  }
  private get pageHigh(): number {
    const { format, pageShift, low, high } = this
    return format === undefined || pageShift === 0 ? 0 : heldHigh(format, low, high) & ~offsetHigh(pageShift)
  }
  private grants({ leafInvertLow, leafInvertHigh }: Walking, { leafLow, leafHigh, tableLow, tableHigh }: Grant): boolean {
    const { status, low, high, grantedLow, grantedHigh } = this
    return status === LEAF
      && ((low ^ leafInvertLow) & leafLow) === leafLow && ((high ^ leafInvertHigh) & leafHigh) === leafHigh
      && (grantedLow & tableLow) === tableLow && (grantedHigh & tableHigh) === tableHigh
  }
}

/** What people see of a walk: each entry as it is read, before any check. */
export type WalkVisitor = (level: number, frame: number, index: number, low: number, high: number) => void

/** An empty record for `walk` to fill. */
export const createWalkResult = (): WalkResult => new WalkResult()

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
  // Literals: constants of a bundled module are variables to V8, which then loads and checks them each time.
  const { levels, rootMask } = format
  if (visit === undefined && start === undefined && rootFrame < 0x8_0000 && levels > 1) {
    const { flat } = view
    const at = flat === undefined ? loadLeaf(format, view, rootFrame, iovaLow, iovaHigh)
      : isWrittenOut(format, levels) ? leafPlace(format, flat, rootFrame << 10, rootMask, levels, iovaLow, iovaHigh)
        : placeAt(format, flat, rootFrame << 10, rootMask, levels, iovaLow, iovaHigh, 1)
    if (at >= 0) {
      const low = flat === undefined ? view.low : flat[at] as number
      const high = flat === undefined ? view.high : flat[at | 1] as number
      const walking = walkingOf(format)
      if ((low & format.present) !== 0
        && (((low ^ walking.leafUsualLow) & walking.leafCheckLow) | (high & walking.leafCheckHigh)) === 0) {
        into.setUsual(format, walking, at, low, high, iovaLow, iovaHigh)
        return
      }
    }
  }
  walkAny(format, view, frameLow(rootFrame), frameHigh(rootFrame), iovaLow, iovaHigh, into, visit, start)
}

/** The walk, whatever the tables hold and from wherever it starts. */
const walkAny = (
  format: Format, view: HardwareView, rootLow: number, rootHigh: number, iovaLow: number, iovaHigh: number,
  into: WalkResult, visit: WalkVisitor | undefined, start: WalkStart | undefined,
): void => {
  const walking = walkingOf(format)
  const { present, shift, linkMask, linkValue, nextLevelLow } = format
  const { invertLow, invertHigh, tableReservedLow, tableReservedHigh } = walking
  const entryMask = (1 << format.bitsPerLevel) - 1
  let tableLow = rootLow
  let tableHigh = rootHigh
  let level = format.levels
  let grantedLow = walking.grantsLow
  let grantedHigh = walking.grantsHigh
  if (start !== undefined) {
    level = start.level
    grantedLow &= start.grantedLow
    grantedHigh &= start.grantedHigh
  }
  let mask = level === format.levels ? (1 << format.rootBits) - 1 : entryMask
  for (;;) {
    const index = indexAt(iovaLow, iovaHigh, shift[level] as number, mask)
    let low = 0
    let high = 0
    let status: WalkStatus
    let pageShift = 0
    if (!loadAt(view, tableLow, tableHigh, index)) {
      status = UNREADABLE
    } else {
      low = view.low
      high = view.high
      if (visit !== undefined) visit(level, frameAt(tableLow, tableHigh), index, low, high)
      let next = level - 1
      if ((low & present) === 0) {
        status = ABSENT
      } else if ((low & (linkMask[level] as number)) === (linkValue[level] as number)
        || (nextLevelLow !== 0 && (next = skipTo(format, level, low, iovaLow, iovaHigh)) !== 0)) {
        if (((low & (tableReservedLow[level] as number)) | (high & (tableReservedHigh[level] as number))) === 0) {
          grantedLow &= low ^ invertLow
          grantedHigh &= high ^ invertHigh
          tableLow = heldLow(format, low)
          tableHigh = heldHigh(format, low, high)
          mask = entryMask
          level = next
          continue
        }
        status = brokenStatus(walking, low, high)
      } else {
        pageShift = pageShiftOf(format, level, low, high)
        status = pageShift === 0 ? walking.strayStatus : leafStatus(walking, level, low, high)
        if (status !== LEAF) pageShift = 0
      }
    }
    into.set(format, status, level, tableLow, tableHigh, index, low, high, pageShift, iovaLow, iovaHigh, grantedLow, grantedHigh)
    return
  }
}

/** The level that an entry names where that is below the next one and the address bits skipped are 0; else 0. */
const skipTo = (format: Format, level: number, low: number, iovaLow: number, iovaHigh: number): number => {
  const next = skippedTo(format, level, low)
  if (next === 0) return 0
  const top = format.shift[level] as number
  const from = format.shift[next + 1] as number
  const skippedLow = (format.offsetLow[top] as number) & ~(format.offsetLow[from] as number)
  const skippedHigh = (format.offsetHigh[top] as number) & ~(format.offsetHigh[from] as number)
  return ((iovaLow & skippedLow) | (iovaHigh & skippedHigh)) === 0 ? next : 0
}
