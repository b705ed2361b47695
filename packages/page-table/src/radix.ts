// The radix engine: maps, unmaps and translates in frames and 32-bit halves, one table run at a time.
//
// A run is what one call touches of one table: a descent from the root finds the table, a check pass sees that the
// run is free, a fill pass writes it. So 512 entries cost one descent and 512 stores, and nothing per entry but these.
// The file is long because map and unmap are each one loop with its state in locals, which is what makes them fast.
import { addresses } from '@iommu/hardware'
import type { Memory } from '@iommu/hardware'
import type { Format, PerLevel } from './format.js'
import { FRAME_SHIFT, addLow, carryOf, frameHigh, frameLow, framesByLevel, indexAt, tableAt } from './pairs.js'
import { visitTables } from './tables.js'

/** What a map came to. */
export const DONE = 0
export const IN_USE = 1
export const NO_MEMORY = 2

/** fillPairs takes steps below this; larger pages are stored one by one. */
const FILL_SHIFT = 30
const ENTRY_BYTES = 8

/** A tree of tables of one format. Levels, indexes and frames are trusted: whoever calls has checked them. */
export class Radix {
  readonly rootFrame: number
  /** Frames that a page of each level covers. */
  readonly pageFrames: readonly number[]
  /** Tables that the root reaches, itself included. */
  tableCount = 1
  /** Pages that the last map mapped, also where it failed. */
  mapped = 0
  /** The first and last of these pages that took the place of a table; -1 where none did. */
  firstReplaced = -1
  lastReplaced = -1
  /** Level of the smallest page that the last unmap removed. */
  smallestLevel = 0
  /** The address that the last translate found. */
  physicalLow = 0
  physicalHigh = 0

  private readonly format: Format
  private readonly memory: Memory
  private readonly coherent: boolean
  private readonly rootMask: number
  private readonly entryMask: number
  private readonly rootFrames: number
  private readonly tableFrames: number
  /** Attributes of a link to a table: what the format says, and that it is written back where that matters. */
  private readonly linkLow: PerLevel
  private readonly linkHigh: PerLevel
  /** Where the last descent ended: the frame and index of an entry, and the last index of its table. */
  private frame = 0
  private index = 0
  private mask = 0
  /** Tables that are made but not linked yet: nothing reaches them. */
  private readonly made: number[] = []
  /** The entry that is to link the first of them, and its level. */
  private joint = 0
  private jointIndex = 0
  private jointLevel = 0

  /** Allocates the root; `rootFrame` is -1 where there is no memory for it. */
  constructor(format: Format, memory: Memory, coherent: boolean) {
    const { granuleShift, bitsPerLevel, rootBits } = format
    this.format = format
    this.memory = memory
    this.coherent = coherent
    this.rootMask = (1 << rootBits) - 1
    this.entryMask = (1 << bitsPerLevel) - 1
    this.tableFrames = 1 << (granuleShift - FRAME_SHIFT)
    this.rootFrames = Math.max((ENTRY_BYTES << rootBits) >>> FRAME_SHIFT, 1)
    const [noteLow, noteHigh] = coherent ? [0, 0] : [format.writtenBackLow, format.writtenBackHigh]
    this.linkLow = Int32Array.from(format.tableLow, (word) => word | noteLow)
    this.linkHigh = Int32Array.from(format.tableHigh, (word) => word | noteHigh)
    this.pageFrames = framesByLevel(format.shift)
    this.rootFrame = memory.pages.allocate(this.rootFrames) ?? -1
    if (this.rootFrame >= 0) this.writeBackTable(this.rootFrame, this.rootFrames)
  }

  /**
   * Maps `count` pages of the size of `level`. Answers DONE, IN_USE or NO_MEMORY, with `mapped` exact. Tables that
   * a larger leaf replaces are added to `replaced` by their physical address.
   *
   * New tables are filled before anything reaches them: entries, order, then the link.
   */
  map(
    iovaLow: number, iovaHigh: number, toLow: number, toHigh: number, level: number, count: number,
    attributesLow: number, attributesHigh: number, replaced: bigint[],
  ): number {
    const { format, memory, coherent } = this
    const { presentLow, presentHigh, shift } = format
    const pageShift = shift[level] as number
    // An integer where the fill uses it: a step that may be a double halves the speed of the fill.
    const pageBytes = pageShift > FILL_SHIFT ? 2 ** pageShift : 1 << pageShift
    let low = iovaLow
    let high = iovaHigh
    let physicalLow = toLow
    let physicalHigh = toHigh
    let left = count
    this.mapped = 0
    this.firstReplaced = -1
    for (;;) {
      const at = this.descend(low, high, level)
      const isNew = at > level
      if (isNew) {
        if (((memory.low & presentLow) | (memory.high & presentHigh)) !== 0) return IN_USE
        if (!this.make(at, level, low, high)) return NO_MEMORY
      }
      const { frame, index, mask } = this
      const run = pageShift > FILL_SHIFT ? 1 : Math.min(left, mask + 1 - index)
      const leafLow = physicalLow | attributesLow
      const leafHigh = physicalHigh | attributesHigh
      let placed = run
      if (isNew || memory.areClear(frame, index, run, presentLow, presentHigh)) {
        if (run === 1) memory.storePair(frame, index, leafLow, leafHigh)
        else memory.fillPairs(frame, index, run, leafLow, leafHigh, pageBytes)
      } else {
        placed = this.placeEach(frame, index, run, leafLow, leafHigh, level, replaced)
      }
      if (isNew) this.linkMade()
      else if (!coherent && placed > 0) this.writeBackEntries(frame, index, placed)
      this.mapped += placed
      if (placed < run) return IN_USE
      left -= run
      if (left === 0) return DONE
      high += carryOf(low, run * pageBytes)
      low = addLow(low, run * pageBytes)
      physicalHigh += carryOf(physicalLow, run * pageBytes)
      physicalLow = addLow(physicalLow, run * pageBytes)
    }
  }

  /**
   * Removes leaves from the address on, until `frames` frames are covered or there is a hole; never splits one.
   * Answers how many frames were removed. Tables that lie wholly in the range are cut off and added to `freed` by
   * their physical address.
   */
  unmap(iovaLow: number, iovaHigh: number, frames: number, freed: bigint[]): number {
    const { format, memory } = this
    const { levels, presentLow, presentHigh, leafBits } = format
    let low = iovaLow
    let high = iovaHigh
    let left = frames
    let removed = 0
    this.smallestLevel = levels
    while (left > 0) {
      const at = this.descend(low, high, 1)
      const { frame, index, mask } = this
      if (at === 1) memory.loadPair(frame, index)
      if (((memory.low & presentLow) | (memory.high & presentHigh)) === 0) return removed
      if (((low & (format.offsetLow[at] as number)) | (high & (format.offsetHigh[at] as number))) !== 0) return removed
      const pageFrames = this.pageFrames[at] as number
      const room = Math.min(mask + 1 - index, Math.ceil(left / pageFrames))
      // The first of the run has been seen.
      let run = room === 1 ? 1 : memory.countSet(frame, index, room, presentLow, presentHigh)
      if (at > 1) run = memory.countSet(frame, index, run, leafBits[at] as number, 0)
      memory.clearPairs(frame, index, run)
      if (!this.coherent) this.writeBackEntries(frame, index, run)
      if (at < this.smallestLevel) this.smallestLevel = at
      removed += run * pageFrames
      left -= run * pageFrames
      if (index + run > mask && left >= 0) this.cutOff(at, frame, low, high, removed, freed)
      const bytes = run * pageFrames * addresses.FRAME_BYTES
      high += carryOf(low, bytes)
      low = addLow(low, bytes)
    }
    return removed
  }

  /** Translates into `physicalLow` and `physicalHigh`; false where nothing is mapped. */
  translate(low: number, high: number): boolean {
    const { format, memory } = this
    const at = this.descend(low, high, 1)
    if (at === 1) memory.loadPair(this.frame, this.index)
    const entryLow = memory.low
    const entryHigh = memory.high
    if (((entryLow & format.presentLow) | (entryHigh & format.presentHigh)) === 0) return false
    const offsetLow = format.offsetLow[at] as number
    const offsetHigh = format.offsetHigh[at] as number
    this.physicalLow = (entryLow & format.addressLow & ~offsetLow) | (low & offsetLow)
    this.physicalHigh = (entryHigh & format.addressHigh & ~offsetHigh) | (high & offsetHigh)
    return true
  }

  /** Gives one cut-off table back. */
  release(frame: number): void {
    this.memory.pages.free(frame, this.tableFrames)
  }

  /** Gives every table back, the root last. */
  free(): void {
    visitTables(this.format, this.memory, this.rootFrame, this.format.levels, (frame) => this.release(frame), true)
    this.memory.pages.free(this.rootFrame, this.rootFrames)
    this.tableCount = 0
  }

  /** Fills a run that is not free as far as it goes: over absent entries, and over tables that hold no leaf. */
  private placeEach(
    frame: number, index: number, run: number, leafLow: number, leafHigh: number, level: number, replaced: bigint[],
  ): number {
    const { memory, format } = this
    const pageBytes = 2 ** (format.shift[level] as number)
    let low = leafLow
    let high = leafHigh
    for (let each = 0; each < run; each++) {
      memory.loadPair(frame, index + each)
      const oldLow = memory.low
      const oldHigh = memory.high
      const below: number[] = []
      if (((oldLow & format.presentLow) | (oldHigh & format.presentHigh)) !== 0) {
        if (level === 1 || (oldLow & (format.leafBits[level] as number)) !== 0) return each
        const table = tableAt(oldLow & format.addressLow, oldHigh & format.addressHigh)
        if (!visitTables(format, memory, table, level - 1, (deeper) => below.push(deeper), false)) return each
        below.push(table)
      }
      memory.storePair(frame, index + each, low, high)
      if (below.length > 0) {
        for (const table of below) this.orphan(table, replaced)
        if (this.firstReplaced < 0) this.firstReplaced = this.mapped + each
        this.lastReplaced = this.mapped + each
      }
      high += carryOf(low, pageBytes)
      low = addLow(low, pageBytes)
    }
    return run
  }

  /**
   * Goes down towards `level` and answers the level at which that ended: at `level` itself, whose entry has not been
   * looked at, or above it at an entry that is absent or a leaf, which memory holds in `low` and `high`.
   * `frame` and `index` are where the entry lies, `mask` is the last index of its table.
   *
   * All that maps, unmaps and translates comes through here; it is kept small so that V8 has registers for it.
   */
  private descend(low: number, high: number, level: number): number {
    const { format, memory, entryMask } = this
    const { presentLow, presentHigh, addressLow, addressHigh, shift, leafBits } = format
    let frame = this.rootFrame
    let mask = this.rootMask
    let at = format.levels
    let index = indexAt(low, high, shift[at] as number, mask)
    while (at > level) {
      memory.loadPair(frame, index)
      const entryLow = memory.low
      const entryHigh = memory.high
      if (((entryLow & presentLow) | (entryHigh & presentHigh)) === 0 || (entryLow & (leafBits[at] as number)) !== 0) break
      frame = tableAt(entryLow & addressLow, entryHigh & addressHigh)
      mask = entryMask
      at--
      index = indexAt(low, high, shift[at] as number, mask)
    }
    this.frame = frame
    this.index = index
    this.mask = mask
    return at
  }

  /**
   * Makes the tables below the absent entry at which a descent ended, each linked to the one above but the first to
   * nothing, and goes down to the last one. False where there is no memory; then nothing is left of them.
   */
  private make(top: number, level: number, low: number, high: number): boolean {
    const { memory, made, format, entryMask } = this
    this.joint = this.frame
    this.jointIndex = this.index
    this.jointLevel = top
    for (let at = top; at > level; at--) {
      const table = memory.pages.allocate(this.tableFrames)
      if (table === undefined) {
        for (const each of made) this.release(each)
        made.length = 0
        return false
      }
      if (at < top) this.link(this.frame, this.index, at, table)
      made.push(table)
      this.frame = table
      this.index = indexAt(low, high, format.shift[at - 1] as number, entryMask)
    }
    this.mask = entryMask
    return true
  }

  /** Links what has been made: written back and ordered before the one store that lets hardware reach it. */
  private linkMade(): void {
    const { memory, made, joint, jointIndex } = this
    for (const table of made) this.writeBackTable(table, this.tableFrames)
    memory.order()
    this.link(joint, jointIndex, this.jointLevel, made[0] as number)
    if (!this.coherent) this.writeBackEntries(joint, jointIndex, 1)
    this.tableCount += made.length
    made.length = 0
  }

  /**
   * After the last entry of a table has been removed, which was for the address: cuts the table off where the whole
   * of it lies in the range, and so upwards. Everything removed is contiguous, so a table lies in the range where it
   * covers no more.
   */
  private cutOff(level: number, frame: number, low: number, high: number, removed: number, freed: bigint[]): void {
    let table = frame
    for (let at = level + 1; at <= this.format.levels; at++) {
      if (removed < (this.pageFrames[at] as number)) return
      this.descend(low, high, at)
      const parent = this.frame
      this.memory.clearPairs(parent, this.index, 1)
      if (!this.coherent) this.writeBackEntries(parent, this.index, 1)
      this.orphan(table, freed)
      if (this.index !== this.entryMask) return
      table = parent
    }
  }

  private link(frame: number, index: number, level: number, table: number): void {
    const low = frameLow(table) | (this.linkLow[level] as number)
    this.memory.storePair(frame, index, low, frameHigh(table) | (this.linkHigh[level] as number))
  }

  private orphan(table: number, list: bigint[]): void {
    list.push(addresses.frameAddress(table))
    this.tableCount--
  }

  private writeBackTable(frame: number, frames: number): void {
    if (!this.coherent) this.memory.writeBack(addresses.frameAddress(frame), frames * addresses.FRAME_BYTES)
  }

  private writeBackEntries(frame: number, index: number, count: number): void {
    this.memory.writeBack(addresses.frameAddress(frame) + BigInt(index * ENTRY_BYTES), count * ENTRY_BYTES)
  }
}
