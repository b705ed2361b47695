// The radix engine: maps, unmaps and translates in frames and 32-bit halves, one table run at a time.
//
// A run is what one call touches of one table: a descent from the root finds the table, a check pass sees that the
// run is free, a fill pass writes it. So 512 entries cost one descent and 512 stores, and nothing per entry but these.
// The file is long because map and unmap are each one loop with its state in locals, which is what makes them fast.
import { addresses } from '@iommu/hardware'
import type { FlatWords, Memory } from '@iommu/hardware'
import { isTable, pageShiftOf } from './entries.js'
import type { Format, PerLevel } from './format.js'
import { FRAME_SHIFT, addLow, carryOf, frameAt, frameHigh, frameLow, framesByShift, heldHigh, heldLow, holdHigh, holdLow, indexAt, tableAt } from './pairs.js'
import { visitTables } from './tables.js'
import { isWrittenOut, leafPlace, placeAt } from './usual.js'

/** What a map came to. */
export const DONE = 0
export const IN_USE = 1
export const NO_MEMORY = 2
export const NOT_FLUSHED = 3

/** Makes hardware forget what it knows of the range, tables included; false where that did not complete. */
export type Flush = (low: number, high: number, frames: number) => boolean

/** fillPairs takes steps below this; larger pages are stored one by one. */
const FILL_SHIFT = 30
const ENTRY_BYTES = 8
/** Frames to where an address needs more than 48 bits. */
const FOLD_FRAMES = 2 ** 36

/** A tree of tables of one format. Levels, indexes and frames are trusted: whoever calls has checked them. */
export class Radix {
  rootFrame: number
  /** Levels of the tree as it is; fewer than the format's where it may still grow. */
  levels: number
  /** First frame beyond what these levels translate. */
  endFrame = 0
  /** Tables that the root reaches, itself included. */
  tableCount = 1
  /** Pages that the last map mapped, also where it failed. */
  mapped = 0
  /** The first and last of these pages that took the place of a table; -1 where none did. */
  firstReplaced = -1
  lastReplaced = -1
  /** log2 of the smallest page that the last unmap removed. */
  smallestShift = 0
  /** The address that the last translate found. */
  physicalLow = 0
  physicalHigh = 0

  private readonly format: Format
  private readonly memory: Memory
  private readonly flat: FlatWords | undefined
  private readonly coherent: boolean
  /** The same memory, where stores need not be written back. */
  private readonly direct: Memory | undefined
  private readonly flush: Flush | undefined
  /** The root as a word of memory, and the bits of its indexes in words. */
  private root = 0
  private rootWords = 0
  private writtenOut = false
  private rootMask = 0
  private readonly entryMask: number
  private readonly tableFrames: number
  /** Attributes of a link to a table: what the format says, and that it is written back where that matters. */
  private readonly linkLow: PerLevel
  private readonly linkHigh: PerLevel
  /** Where the last descent ended: the frame and index of an entry, and the last index of its table. */
  private frame = 0
  private index = 0
  private mask = 0
  private entryLow = 0
  private entryHigh = 0
  /** Tables that are made but not linked yet: nothing reaches them. */
  private readonly made: number[] = []
  /** The entry that is to link the first of them, and its level. */
  private joint = 0
  private jointIndex = 0
  private jointLevel = 0
  /** Whether the flush of the last map did not complete. */
  private unflushed = false
  /** Frames that the run covers which `leafRun` has found. */
  private runFrames = 0

  /**
   * Allocates the root of a tree of so many levels; `rootFrame` is -1 where there is no memory for it. With `flush` no
   * entry takes the place of a table before that has been cleared and flushed.
   */
  constructor(format: Format, memory: Memory, coherent: boolean, levels: number, flush: Flush | undefined) {
    const { granuleShift, bitsPerLevel } = format
    this.format = format
    this.memory = memory
    this.flat = memory.flat
    this.coherent = coherent
    this.direct = coherent ? memory : undefined
    this.flush = flush
    this.levels = levels
    this.entryMask = (1 << bitsPerLevel) - 1
    this.tableFrames = 1 << (granuleShift - FRAME_SHIFT)
    const [noteLow, noteHigh] = coherent ? [0, 0] : [format.writtenBackLow, format.writtenBackHigh]
    this.linkLow = Int32Array.from(format.tableLow, (word) => word | noteLow)
    this.linkHigh = Int32Array.from(format.tableHigh, (word) => word | noteHigh)
    this.rootFrame = -1
    const root = memory.pages.allocate(this.rootFrames)
    if (root === undefined) return
    this.setRoot(root, levels)
    this.writeBackTable(root, this.rootFrames)
  }

  /** Frames that the root takes. */
  private get rootFrames(): number {
    const { levels, format } = this
    return levels === format.levels ? Math.max((ENTRY_BYTES << format.rootBits) >>> FRAME_SHIFT, 1) : this.tableFrames
  }

  /**
   * Puts new roots above the root, each with the one below as its first entry, until there are so many levels: what is
   * translated stays as it is. They are ordered before anybody may be told of the new root. False where there is no memory.
   */
  grow(levels: number): boolean {
    const { memory, tableFrames } = this
    const roots: number[] = []
    let below = this.rootFrame
    for (let level = this.levels + 1; level <= levels; level++) {
      const root = memory.pages.allocate(tableFrames)
      if (root === undefined) {
        for (const each of roots) this.release(each)
        return false
      }
      this.link(root, 0, level, below)
      roots.push(root)
      below = root
    }
    for (const root of roots) this.writeBackTable(root, tableFrames)
    memory.order()
    this.tableCount += roots.length
    this.setRoot(below, levels)
    return true
  }

  /**
   * Maps one page that takes one entry of the level, if its table is there and its place free; else false, and `map` knows
   * what to do. That is most of all maps, and takes a third of the time this way.
   */
  mapOne(low: number, high: number, level: number, leafLow: number, leafHigh: number): boolean {
    const words = this.direct?.unobserved
    if (words === undefined) return this.mapOneThrough(low, high, level, leafLow, leafHigh)
    const { format } = this
    const at = this.placeOf(words, low, high, level)
    if (at < 0 || ((words[at] as number) & format.present) !== 0) return false
    // Integers that V8 knows as such.
    words[at] = leafLow | 0
    words[at | 1] = leafHigh | 0
    return true
  }

  /** The same through the doors of memory, which is not one array or is observed. */
  private mapOneThrough(low: number, high: number, level: number, leafLow: number, leafHigh: number): boolean {
    const { format, memory } = this
    if (this.descend(low, high, level) !== level) return false
    const { frame, index } = this
    if (!memory.areClear(frame, index, 1, format.present)) return false
    memory.storePair(frame, index, leafLow, leafHigh)
    if (!this.coherent) this.writeBackEntries(frame, index, 1)
    return true
  }

  /** Removes one leaf of the smallest size, if there is one, in memory that is one array; else false, and `unmap` knows what to do. */
  unmapOne(low: number, high: number): boolean {
    const words = this.direct?.unobserved
    if (words === undefined) return false
    const { format } = this
    const at = this.placeOf(words, low, high, 1)
    if (at < 0) return false
    const entryLow = words[at] as number
    if ((entryLow & format.present) === 0 || (entryLow & format.nextLevelLow) !== 0) return false
    words[at] = 0
    words[at | 1] = 0
    return true
  }

  /**
   * Maps `count` pages of 2^pageShift bytes. Answers DONE, IN_USE, NO_MEMORY or NOT_FLUSHED, with `mapped` exact. Tables
   * that a larger leaf replaces are added to `replaced` by their physical address.
   *
   * New tables are filled before anything reaches them: entries, order, then the link.
   */
  map(
    iovaLow: number, iovaHigh: number, toLow: number, toHigh: number, pageShift: number, count: number,
    attributesLow: number, attributesHigh: number, replaced: bigint[],
  ): number {
    const { format, memory, coherent } = this
    const { present, addressShift, foldLow } = format
    const level = format.leafLevel[pageShift] as number
    // An integer where the fill uses it: a step that may be a double halves the speed of the fill.
    const pageBytes = pageShift > FILL_SHIFT ? 2 ** pageShift : 1 << pageShift
    const step = pageShift > FILL_SHIFT ? 0 : 1 << (pageShift - addressShift)
    /** log2 of the equal entries that one page takes. */
    const group = pageShift - (format.shift[level] as number)
    let low = iovaLow
    let high = iovaHigh
    let physicalLow = toLow
    let physicalHigh = toHigh
    let left = count
    this.mapped = 0
    this.firstReplaced = -1
    this.unflushed = false
    for (;;) {
      const at = this.descend(low, high, level)
      const isNew = at > level
      if (isNew) {
        if ((this.entryLow & present) !== 0) return IN_USE
        if (!this.make(at, level, low, high)) return NO_MEMORY
      }
      const { frame, index, mask } = this
      let run = pageShift > FILL_SHIFT ? 1 : Math.min(left, (mask + 1 - index) >>> group)
      if (foldLow !== 0) run = Math.min(run, pagesBeforeFold(physicalLow, physicalHigh, pageShift))
      const leafLow = holdLow(format, physicalLow, physicalHigh) | attributesLow
      const leafHigh = holdHigh(format, physicalHigh) | attributesHigh
      let placed = run
      if (isNew || memory.areClear(frame, index, run << group, present)) {
        if (group !== 0) this.fillGroups(frame, index, run, group, leafLow, leafHigh, pageBytes)
        else if (run === 1) memory.storePair(frame, index, leafLow, leafHigh)
        else memory.fillPairs(frame, index, run, leafLow, leafHigh, step)
      } else {
        placed = this.placeEach(frame, index, run, leafLow, leafHigh, pageShift, low, high, replaced)
      }
      if (isNew) this.linkMade()
      else if (!coherent && placed > 0) this.writeBackEntries(frame, index, placed << group)
      this.mapped += placed
      if (placed < run) return this.unflushed ? NOT_FLUSHED : IN_USE
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
    const { present, granuleShift, nextLevelLow } = format
    const granuleFrames = framesByShift[granuleShift] as number
    let low = iovaLow
    let high = iovaHigh
    let left = frames
    let removed = 0
    this.smallestShift = Infinity
    while (left > 0) {
      const at = this.descend(low, high, 1)
      const { frame, index, mask } = this
      if (at === 1) this.loadEntry()
      if ((this.entryLow & present) === 0) return removed
      let run = 0
      if (at === 1) {
        const room = Math.min(mask + 1 - index, Math.ceil(left / granuleFrames))
        // The first of the run has been seen.
        run = room === 1 ? 1 : memory.countSet(frame, index, room, present)
      }
      if (at === 1 && (nextLevelLow === 0 || memory.areClear(frame, index, run, nextLevelLow))) {
        this.runFrames = run * granuleFrames
        this.smallestShift = granuleShift
      } else {
        run = this.leafRun(at, low, high, left)
        if (run === 0) return removed
      }
      this.clear(frame, index, run)
      const { runFrames } = this
      removed += runFrames
      left -= runFrames
      if (index + run > mask && left >= 0) this.cutOff(at, frame, low, high, removed, freed)
      high += carryOf(low, runFrames * addresses.FRAME_BYTES)
      low = addLow(low, runFrames * addresses.FRAME_BYTES)
    }
    return removed
  }

  /** Translates into `physicalLow` and `physicalHigh`; false where nothing is mapped. */
  translate(low: number, high: number): boolean {
    const { format, flat } = this
    const place = flat === undefined ? -1 : this.placeOf(flat, low, high, 1)
    let at = 1
    if (flat !== undefined && place >= 0) {
      this.entryLow = flat[place] as number
      this.entryHigh = flat[place + 1] as number
    } else if ((at = this.descend(low, high, 1)) === 1) {
      this.loadEntry()
    }
    const { entryLow, entryHigh } = this
    if ((entryLow & format.present) === 0) return false
    const shift = pageShiftOf(format, at, entryLow, entryHigh)
    const offsetLow = format.offsetLow[shift] as number
    const offsetHigh = format.offsetHigh[shift] as number
    this.physicalLow = (heldLow(format, entryLow) & ~offsetLow) | (low & offsetLow)
    this.physicalHigh = (heldHigh(format, entryLow, entryHigh) & ~offsetHigh) | (high & offsetHigh)
    return true
  }

  /** Gives one cut-off table back. */
  release(frame: number): void {
    this.memory.pages.free(frame, this.tableFrames)
  }

  /** Gives every table back, the root last. */
  free(): void {
    visitTables(this.format, this.memory, this.rootFrame, this.levels, (frame) => this.release(frame), true)
    this.memory.pages.free(this.rootFrame, this.rootFrames)
    this.tableCount = 0
  }

  private setRoot(frame: number, levels: number): void {
    this.rootFrame = frame
    this.levels = levels
    this.rootMask = levels === this.format.levels ? (1 << this.format.rootBits) - 1 : this.entryMask
    this.root = frame << 10
    this.rootWords = this.rootMask << 1
    this.writtenOut = isWrittenOut(this.format, levels)
    this.endFrame = (this.rootMask + 1) * (framesByShift[this.format.shift[levels] as number] as number)
  }

  /** Fills entries with pages that take 2^group equal ones each. */
  private fillGroups(frame: number, index: number, pages: number, group: number, leafLow: number, leafHigh: number, pageBytes: number): void {
    let low = leafLow
    let high = leafHigh
    for (let each = 0; each < pages; each++) {
      this.memory.fillPairs(frame, index + (each << group), 1 << group, low, high, 0)
      high += carryOf(low, pageBytes)
      low = addLow(low, pageBytes)
    }
  }

  /** Fills a run that is not free as far as it goes: over absent entries, and over tables that hold no leaf. */
  private placeEach(
    frame: number, index: number, run: number, leafLow: number, leafHigh: number, pageShift: number,
    iovaLow: number, iovaHigh: number, replaced: bigint[],
  ): number {
    const { memory, format, flush } = this
    const level = format.leafLevel[pageShift] as number
    const group = pageShift - (format.shift[level] as number)
    const pageBytes = 2 ** pageShift
    const entryStep = 2 ** (pageShift - format.addressShift)
    let low = leafLow
    let high = leafHigh
    let atLow = iovaLow
    let atHigh = iovaHigh
    for (let each = 0; each < run; each++) {
      const first = index + (each << group)
      const below = this.emptyTables(frame, first, 1 << group, level)
      if (below === undefined) return each
      if (below.length > 0 && flush !== undefined) {
        this.clear(frame, first, 1 << group)
        memory.order()
        this.unflushed = !flush(atLow, atHigh, framesByShift[pageShift] as number)
        if (this.unflushed) {
          for (const table of below) this.orphan(table, replaced)
          return each
        }
        for (const table of below) this.release(table)
        this.tableCount -= below.length
      }
      memory.fillPairs(frame, first, 1 << group, low, high, 0)
      if (below.length > 0 && flush === undefined) {
        for (const table of below) this.orphan(table, replaced)
        if (this.firstReplaced < 0) this.firstReplaced = this.mapped + each
        this.lastReplaced = this.mapped + each
      }
      high += carryOf(low, entryStep)
      low = addLow(low, entryStep)
      atHigh += carryOf(atLow, pageBytes)
      atLow = addLow(atLow, pageBytes)
    }
    return run
  }

  /** The tables below entries that hold no leaf; undefined where there is one. */
  private emptyTables(frame: number, index: number, count: number, level: number): number[] | undefined {
    const { memory, format } = this
    const found: number[] = []
    for (let at = index; at < index + count; at++) {
      memory.loadPair(frame, at)
      const { low, high } = memory
      if ((low & format.present) === 0) continue
      if (!isTable(format, level, low)) return undefined
      const table = tableAt(heldLow(format, low), heldHigh(format, low, high))
      if (!visitTables(format, memory, table, level - 1, (deeper) => found.push(deeper), false)) return undefined
      found.push(table)
    }
    return found
  }

  /**
   * Where a descent ended at a leaf that may be large: how many entries from it on, as far as `left` frames go, are whole
   * leaves, with `runFrames` and `smallestShift`. 0 where the leaf begins before the address.
   */
  private leafRun(at: number, low: number, high: number, left: number): number {
    const { format, memory, frame, index, mask } = this
    const entryShift = format.shift[at] as number
    let entries = 0
    this.runFrames = 0
    if (((low & (format.offsetLow[entryShift] as number)) | (high & (format.offsetHigh[entryShift] as number))) !== 0) return 0
    while (this.runFrames < left && index + entries <= mask) {
      memory.loadPair(frame, index + entries)
      const entryLow = memory.low
      const entryHigh = memory.high
      if ((entryLow & format.present) === 0 || isTable(format, at, entryLow)) break
      const shift = pageShiftOf(format, at, entryLow, entryHigh)
      const group = 1 << (shift - entryShift)
      if (((index + entries) & (group - 1)) !== 0) break
      entries += group
      this.runFrames += framesByShift[shift] as number
      if (shift < this.smallestShift) this.smallestShift = shift
    }
    return entries
  }

  /**
   * Goes down towards `level` and answers the level at which that ended: at `level` itself, whose entry has not been
   * looked at, or above it at an entry that is absent or a leaf, then in `entryLow` and `entryHigh`. What is not written as
   * tables are written is no table: all of them are our own.
   * `frame` and `index` are where the entry lies, `mask` is the last index of its table.
   */
  private descend(low: number, high: number, level: number): number {
    const { flat } = this
    const place = flat === undefined ? -1 : this.placeOf(flat, low, high, level)
    if (place < 0) return this.descendAny(low, high, level)
    const mask = level === this.levels ? this.rootMask : this.entryMask
    this.mask = mask
    this.index = place >>> 1 & mask
    this.frame = (place >>> 1 & ~mask) >>> 9
    return level
  }

  private descendAny(low: number, high: number, level: number): number {
    const { format, memory, entryMask } = this
    const { checkLow, usualStep, bitsPerLevel } = format
    let at = this.levels
    let usual = format.usualLow + Math.imul(at, usualStep)
    let shift = format.granuleShift + Math.imul(at - 1, bitsPerLevel)
    let frame = this.rootFrame
    let mask = this.rootMask
    let index = indexAt(low, high, shift, mask)
    while (at > level) {
      memory.loadPair(frame, index)
      const entryLow = memory.low
      const entryHigh = memory.high
      if (((entryLow ^ usual) & checkLow) !== 0) {
        this.entryLow = entryLow
        this.entryHigh = entryHigh
        break
      }
      frame = tableAt(heldLow(format, entryLow), heldHigh(format, entryLow, entryHigh))
      mask = entryMask
      shift -= bitsPerLevel
      usual -= usualStep
      at--
      index = indexAt(low, high, shift, mask)
    }
    this.frame = frame
    this.index = index
    this.mask = mask
    return at
  }

  /** The same in memory that is one array, through usual tables alone: where in the array the entry of the level lies; else negative. */
  private placeOf(flat: FlatWords, low: number, high: number, level: number): number {
    return level === 1 && this.writtenOut === true
      ? leafPlace(this.format, flat, this.root, this.rootWords, this.levels, low, high)
      : placeAt(this.format, flat, this.root, this.rootWords, this.levels, low, high, level)
  }

  /** Loads the entry at which a descent ended. */
  private loadEntry(): void {
    const { memory } = this
    memory.loadPair(this.frame, this.index)
    this.entryLow = memory.low
    this.entryHigh = memory.high
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
    for (let at = level + 1; at <= this.levels; at++) {
      if (removed < (framesByShift[this.format.shift[at] as number] as number)) return
      this.descend(low, high, at)
      const parent = this.frame
      this.clear(parent, this.index, 1)
      this.orphan(table, freed)
      if (this.index !== this.entryMask) return
      table = parent
    }
  }

  private clear(frame: number, index: number, count: number): void {
    this.memory.clearPairs(frame, index, count)
    if (!this.coherent) this.writeBackEntries(frame, index, count)
  }

  private link(frame: number, index: number, level: number, table: number): void {
    const low = frameLow(table)
    const high = frameHigh(table)
    this.memory.storePair(frame, index,
      holdLow(this.format, low, high) | (this.linkLow[level] as number), holdHigh(this.format, high) | (this.linkHigh[level] as number))
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

/** Pages until the physical address needs more than 48 bits, or no longer does. */
const pagesBeforeFold = (low: number, high: number, pageShift: number): number =>
  Math.max(1, (FOLD_FRAMES - frameAt(low, high) % FOLD_FRAMES) / (framesByShift[pageShift] as number))
