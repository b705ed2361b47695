// A page table: the door to the radix engine, in bigint addresses and with the contract's errors.
// Half of the file is what the interface says to its users; the rest is one class, whose checks stay beside what they guard.
import { IommuError, createGather, gatherAdd, isIommuError } from '@iommu/core'
import type { Access, Gather, IommuErrorCode, MapResult } from '@iommu/core'
import type { Pair } from '@iommu/bits'
import { addresses } from '@iommu/hardware'
import type { Memory } from '@iommu/hardware'
import { ACCESS_READ, ACCESS_WRITE } from './format.js'
import type { Format } from './format.js'
import { FRAME_SHIFT, frameAt, framesByShift, holdHigh, holdLow, offsetHigh, offsetLow } from './pairs.js'
import { DONE, IN_USE, NOT_FLUSHED, NO_MEMORY, Radix } from './radix.js'

export interface PageTableOptions {
  readonly format: Format
  /** Where tables are allocated, written and read. */
  readonly memory: Memory
  /** Whether the walker snoops the CPU's caches; true where absent. False: every store is written back. */
  readonly coherent?: boolean
  /** Leaves get the format's snoop bit; false where absent. */
  readonly snoop?: boolean
  /** Begins with fewer levels than the format has, and gains more when an address beyond is mapped. */
  readonly growth?: Growth
  /**
   * For hardware that takes no large leaf in the place of a table that it may still know (Arm without BBML2): the
   * entry is cleared, this is called, and then the leaf is stored. It has to make hardware forget the range, both ends
   * inclusive, with the tables that lead there, and answers whether that completed; if not, the map ends with EIO.
   * Absent: the leaf takes the table's place with one store, and `replaced` says what is to be flushed.
   */
  readonly breakBeforeMake?: (start: bigint, end: bigint) => boolean
}

/** How a tree of tables grows (Linux, `PT_FEAT_DYNAMIC_TOP`). */
export interface Growth {
  /** Levels at the start. */
  readonly levels: number
  /**
   * Called in the midst of a map, when `root` and `levels` have changed: whoever names the root to hardware has to do so
   * anew, and to make it forget the old root's place in its device table, before it returns. Both roots translate the
   * same at that moment, so no translation needs to be flushed. Where it throws an IommuError the map fails with it,
   * nothing has been mapped, and the next map that needs the new levels calls again.
   */
  readonly changed: (table: PageTable) => void
}

/** A tree of tables that translates device addresses, with the semantics of Linux 7.3's generic page tables. */
export interface PageTable {
  readonly format: Format
  /** Physical address of the root table; 4 KiB aligned at least. It changes only where the tables grow. */
  readonly root: bigint
  /** Levels of tables at the moment, the root's included. */
  readonly levels: number
  /** The same as a frame number. */
  readonly rootFrame: number
  /** Page sizes in bytes, one bit each. */
  readonly pageSizes: bigint
  /** First and last device address that can be mapped, both inclusive. */
  readonly aperture: { readonly start: bigint; readonly end: bigint }
  /** Tables that the root reaches, itself included; those in a gather are no longer counted. */
  readonly tableCount: number
  /** Whether leaves get the format's snoop bit. */
  readonly snoop: boolean
  /**
   * What `mapPages` has put out of use: the range in which a larger leaf took the place of empty tables, and these
   * tables. Not empty after a map: flush it, then `release(replaced.freed)` and `gatherReset(replaced)`, before the
   * map is reported; until then hardware may still look into the old, empty tables.
   */
  readonly replaced: Gather
  /**
   * Maps `count` pages of `pageSize` bytes each, in order. The result's `mapped` is exact, also where it has an
   * error: EINVAL (no page, neither read nor write, an unsupported page size, an address not aligned to it),
   * EOVERFLOW (the range wraps), ERANGE (device or physical address too wide), EADDRINUSE (a live leaf is in the
   * way, and stays untouched), ENOMEM (no memory for a table), EIO (`breakBeforeMake` did not complete).
   */
  mapPages(iova: bigint, physical: bigint, pageSize: bigint, count: number, access: Access): MapResult
  /**
   * Unmaps from `iova` on; answers the bytes removed. Stops at the first hole. A leaf that begins before `iova`
   * stays, and ends it; a leaf that goes on beyond the range is removed whole, and the answer is larger. A range
   * that cannot be mapped has nothing to remove: 0. What was removed, with the size of the smallest page removed,
   * and the tables that the range covered wholly are in `gather`; they are `release`d after its flush.
   */
  unmapPages(iova: bigint, pageSize: bigint, count: number, gather: Gather): bigint
  /** The physical address, offset included, or undefined where nothing is mapped. */
  iovaToPhys(iova: bigint): bigint | undefined
  /**
   * From now on leaves get the snoop bit. False, and nothing changes, where the format has none or where
   * something has been mapped without it.
   */
  enforceSnoop(): boolean
  /** Gives tables of a gather back to the allocator, once flushed, and empties the list. */
  release(freed: bigint[]): void
  /**
   * Gives back every table, those in `replaced` too. Tables in other gathers are still to be `release`d. A second
   * call does nothing; maps, unmaps and translations throw RangeError from now on.
   */
  free(): void
}

const WIDEST = 1n << 64n

/** Why a map is refused, in the order in which Linux asks; undefined where it is not. */
const refusal = (
  { format, pageSizes, aperture }: PageTable,
  iova: bigint, physical: bigint, pageSize: bigint, count: number, access: Access,
): readonly [code: IommuErrorCode, sentence: string] | undefined => {
  if (!Number.isSafeInteger(count) || count <= 0) return ['EINVAL', 'there is no page to map']
  if (!access.read && !access.write) return ['EINVAL', 'a mapping must allow reads or writes']
  const supported = pageSize > 0n && (pageSize & (pageSize - 1n)) === 0n && (pageSize & pageSizes) !== 0n
  if (!supported) return ['EINVAL', `${format.name} tables here have no pages of this size`]
  if (((iova | physical) & (pageSize - 1n)) !== 0n) return ['EINVAL', 'addresses are not aligned to the page size']
  const size = pageSize * BigInt(count)
  if (iova + size > WIDEST || physical + size > WIDEST) return ['EOVERFLOW', 'the range wraps around']
  if (iova < aperture.start || iova + size - 1n > aperture.end) return ['ERANGE', 'the device address is too wide']
  if (physical < 0n || physical + size > 1n << BigInt(format.addressBits)) {
    return ['ERANGE', `the physical address has more than ${format.addressBits} bits`]
  }
  return undefined
}

class RadixPageTable implements PageTable {
  readonly format: Format
  readonly pageSizes: bigint
  readonly aperture: { readonly start: bigint; readonly end: bigint }
  readonly replaced = createGather()
  snoop = false
  /** The sizes that there are; none once the tables have been freed. */
  private pages: readonly Page[] = []
  private lastPage = noPage
  private readonly radix: Radix
  /** First frames beyond what can be mapped. */
  private readonly endFrame: number
  private readonly physicalEnd: number
  private readonly growth: Growth | undefined
  /** Levels that hardware knows of, and the first frame beyond what they translate. */
  private announced = 0
  private reach = 0
  /** Address bits that nothing within reach has. */
  private beyondLow = 0
  private beyondHigh = 0
  private everMapped = false
  private freed = false

  constructor({ format, memory, coherent = true, snoop = false, growth, breakBeforeMake }: PageTableOptions) {
    const { levels = format.levels } = growth ?? {}
    if (!Number.isInteger(levels) || levels < 1 || levels > format.levels) {
      throw new RangeError(`${format.name} tables of ${levels} levels; they can have up to ${format.levels}`)
    }
    if (snoop && !hasSnoop(format)) throw new IommuError('EINVAL', `${format.name} leaves have no snoop bit here`)
    this.format = format
    this.growth = growth
    this.radix = new Radix(format, memory, coherent, levels, breakBeforeMake && ((low, high, frames) => {
      const start = addresses.join(low, high)
      return breakBeforeMake(start, start + addresses.frameAddress(frames) - 1n)
    }))
    if (this.radix.rootFrame < 0) throw new IommuError('ENOMEM', `no memory for the root of ${format.name} tables`)
    this.snoop = snoop
    this.pageSizes = shiftsOf(format).reduce((all, shift) => all | (sizes[shift] as bigint), 0n)
    this.aperture = Object.freeze({ start: 0n, end: (1n << BigInt(format.apertureBits)) - 1n })
    this.endFrame = 2 ** (format.apertureBits - FRAME_SHIFT)
    this.physicalEnd = 2 ** (format.addressBits - FRAME_SHIFT)
    this.announce()
  }

  get root(): bigint { return addresses.frameAddress(this.radix.rootFrame) }
  get rootFrame(): number { return this.radix.rootFrame }
  get levels(): number { return this.radix.levels }
  get tableCount(): number { return this.radix.tableCount }

  mapPages(iova: bigint, physical: bigint, pageSize: bigint, count: number, access: Access): MapResult {
    const page = this.pageOf(pageSize)
    const leaf = page.leaves[kindOf(access)]
    const low = addresses.lowOf(iova)
    const high = addresses.highOf(iova)
    const toLow = addresses.lowOf(physical)
    const toHigh = addresses.highOf(physical)
    if (count === 1 && leaf !== undefined
      && ((low & page.oddLow) | (high & page.oddHigh) | (toLow & page.offsetLow) | (toHigh & page.oddTo)) === 0
      && BigInt.asUintN(64, iova) === iova && BigInt.asUintN(64, physical) === physical
      && this.radix.mapOne(low, high, page.level, holdLow(this.format, toLow, toHigh) | leaf.low, holdHigh(this.format, toHigh) | leaf.high)) {
      this.everMapped = true
      return page.mapped
    }
    return this.mapAll(iova, physical, pageSize, count, access)
  }

  unmapPages(iova: bigint, pageSize: bigint, count: number, gather: Gather): bigint {
    const page = this.pageOf(pageSize)
    const low = addresses.lowOf(iova)
    const high = addresses.highOf(iova)
    if (count === 1 && page.shift === this.format.granuleShift && ((low & page.oddLow) | (high & page.oddHigh)) === 0
      && BigInt.asUintN(64, iova) === iova && this.radix.unmapOne(low, high)) {
      gatherAdd(gather, iova, pageSize, pageSize)
      return pageSize
    }
    return this.unmapAll(iova, pageSize, page, count, gather)
  }

  iovaToPhys(iova: bigint): bigint | undefined {
    this.checkAlive()
    const low = addresses.lowOf(iova)
    const high = addresses.highOf(iova)
    if (((low & this.beyondLow) | (high & this.beyondHigh)) !== 0 || BigInt.asUintN(64, iova) !== iova) return undefined
    return this.radix.translate(low, high) ? addresses.join(this.radix.physicalLow, this.radix.physicalHigh) : undefined
  }

  enforceSnoop(): boolean {
    if (!this.snoop && (!hasSnoop(this.format) || this.everMapped)) return false
    this.snoop = true
    this.describePages()
    return true
  }

  release(freed: bigint[]): void {
    for (const table of freed) this.radix.release(addresses.frameOf(table))
    freed.length = 0
  }

  free(): void {
    if (this.freed) return
    this.freed = true
    this.pages = []
    this.lastPage = noPage
    this.release(this.replaced.freed)
    this.radix.free()
  }

  private checkAlive(): void {
    if (this.freed === false) return
    throw new RangeError(`the ${this.format.name} tables at 0x${this.root.toString(16)} have been freed`)
  }

  /** Gains the levels that a range and a leaf need and says so; why that failed, or undefined. */
  private grow(endFrame: number, leafLevel: number): Error | undefined {
    const { format, radix } = this
    let levels = Math.max(radix.levels, leafLevel)
    while (levels < format.levels && 2 ** ((format.shift[levels] as number) + format.bitsPerLevel - FRAME_SHIFT) < endFrame) levels++
    if (levels > radix.levels && !radix.grow(levels)) return new IommuError('ENOMEM', 'no memory for a higher root', { levels })
    try {
      this.growth?.changed(this)
    } catch (error) {
      if (!isIommuError(error)) throw error
      return error
    }
    this.announce()
    return undefined
  }

  /** Hardware knows of all levels that there are. */
  private announce(): void {
    const { format, radix: { levels, endFrame } } = this
    const bits = levels === format.levels ? format.apertureBits : (format.shift[levels] as number) + format.bitsPerLevel
    this.announced = levels
    this.reach = endFrame
    this.beyondLow = ~offsetLow(bits)
    this.beyondHigh = ~offsetHigh(bits)
    this.describePages()
  }

  /** What each page size means by now: to the levels that hardware knows of, with the snoop bit or without. */
  private describePages(): void {
    const { format, snoop, announced } = this
    this.pages = shiftsOf(format).map((shift) => pageOfShift(format, shift, snoop, announced, this.beyondLow, this.beyondHigh))
    this.lastPage = noPage
  }

  /** Any map. */
  private mapAll(iova: bigint, physical: bigint, pageSize: bigint, count: number, access: Access): MapResult {
    this.checkAlive()
    const { format, radix, replaced } = this
    const page = this.pageOf(pageSize)
    const kind = kindOf(access)
    const iovaLow = addresses.lowOf(iova)
    const iovaHigh = addresses.highOf(iova)
    const physicalLow = addresses.lowOf(physical)
    const physicalHigh = addresses.highOf(physical)
    const frames = count * page.frames
    const endFrame = frameAt(iovaLow, iovaHigh) + frames
    const good = frames > 0 && Number.isSafeInteger(count) && (kind & (ACCESS_READ | ACCESS_WRITE)) !== 0
      && (((iovaLow | physicalLow) & page.offsetLow) | ((iovaHigh | physicalHigh) & page.offsetHigh)) === 0
      && endFrame <= this.endFrame
      && frameAt(physicalLow, physicalHigh) + frames <= this.physicalEnd
      && BigInt.asUintN(64, iova) === iova && BigInt.asUintN(64, physical) === physical
    if (!good) {
      const why = refusal(this, iova, physical, pageSize, count, access)
      const [code, sentence] = why ?? ['EINVAL', 'the range cannot be mapped']
      return { mapped: 0n, error: new IommuError(code, sentence, { iova, physical, pageSize, count }) }
    }
    if (endFrame > this.reach || page.level > this.announced) {
      const error = this.grow(endFrame, page.level)
      if (error !== undefined) return { mapped: 0n, error }
    }
    const { low, high } = leafOf(format, page.shift, kind, this.snoop)
    const status = radix.map(iovaLow, iovaHigh, physicalLow, physicalHigh, page.shift, count, low, high, replaced.freed)
    const mapped = addresses.frameAddress(radix.mapped * page.frames)
    if (radix.mapped > 0) this.everMapped = true
    const { firstReplaced, lastReplaced } = radix
    if (firstReplaced >= 0) {
      const size = BigInt(lastReplaced - firstReplaced + 1) * pageSize
      gatherAdd(replaced, iova + BigInt(firstReplaced) * pageSize, size, sizes[this.format.granuleShift] as bigint)
    }
    if (status === DONE) return { mapped }
    const [code, sentence] = failures[status] as (typeof failures)[number]
    return { mapped, error: new IommuError(code, sentence, { iova: iova + mapped, physical: physical + mapped, pageSize }) }
  }

  /** Any unmap. */
  private unmapAll(iova: bigint, pageSize: bigint, page: Page, count: number, gather: Gather): bigint {
    this.checkAlive()
    const { radix } = this
    const low = addresses.lowOf(iova)
    const high = addresses.highOf(iova)
    const first = frameAt(low, high)
    const frames = count * page.frames
    const good = frames > 0 && Number.isSafeInteger(count) && ((low & page.offsetLow) | (high & page.offsetHigh)) === 0
      && first + frames <= this.endFrame && BigInt.asUintN(64, iova) === iova
    if (!good) return 0n
    // Beyond the levels at hand there is a hole.
    const removed = radix.unmap(low, high, Math.min(frames, radix.endFrame - first), gather.freed)
    if (removed === 0) return 0n
    const bytes = removed === frames && count === 1 ? pageSize : addresses.frameAddress(removed)
    gatherAdd(gather, iova, bytes, sizes[radix.smallestShift] as bigint)
    return bytes
  }

  /** What is known of a page size: most often that of the call before. That of no page where there is none of it. */
  private pageOf(pageSize: bigint): Page {
    return pageSize === this.lastPage.bytes ? this.lastPage : this.otherPage(pageSize)
  }

  private otherPage(pageSize: bigint): Page {
    return (this.lastPage = this.pages.find(({ bytes }) => bytes === pageSize) ?? noPage)
  }
}

/** What a page size means in a format. */
interface Page {
  readonly bytes: bigint
  readonly shift: number
  /** Frames that it covers; 0 in place of a size that there is none of. */
  readonly frames: number
  /** The level that has its entries. */
  readonly level: number
  readonly offsetLow: number
  readonly offsetHigh: number
  /** Bits that no address of such a page has: of device addresses within reach, and of the upper half of physical ones. */
  readonly oddLow: number
  readonly oddHigh: number
  readonly oddTo: number
  /** Attributes of a leaf that takes one entry, by `kindOf`. Empty where it takes more, or where hardware does not know of its level. */
  readonly leaves: readonly (Pair | undefined)[]
  /** What a map of one answers, the same each time: making one anew takes 5 ns. */
  readonly mapped: MapResult
}

/** What is asked of a mapping, as `Format.accessLow` has it. Literals, and `=== true`: V8 would look up the one and convert the other. */
const kindOf = (access: Access): number =>
  (access.read === true ? 1 : 0) | (access.write === true ? 2 : 0) | (access.noExecute === true ? 4 : 0)

/** Attributes of a leaf. */
const leafOf = (format: Format, shift: number, kind: number, snoop: boolean): Pair => ({
  low: (format.accessLow[kind] as number) | (format.sizeLow[shift] as number) | (snoop ? format.snoopLow : 0),
  high: (format.accessHigh[kind] as number) | (format.sizeHigh[shift] as number) | (snoop ? format.snoopHigh : 0),
})

/** `levels`: of tables, as far as hardware knows of them; `beyond`: device address bits that these do not translate. */
const pageOfShift = (format: Format, shift: number, snoop: boolean, levels: number, beyondLow: number, beyondHigh: number): Page => {
  const level = format.leafLevel[shift] as number
  const single = level <= levels && shift === format.shift[level]
  return {
    bytes: sizes[shift] as bigint, shift, level,
    frames: framesByShift[shift] as number,
    offsetLow: offsetLow(shift), offsetHigh: offsetHigh(shift),
    oddLow: offsetLow(shift) | beyondLow, oddHigh: offsetHigh(shift) | beyondHigh,
    oddTo: offsetHigh(shift) | ~offsetHigh(format.addressBits),
    leaves: Array.from({ length: single ? 8 : 0 }, (_, kind) =>
      ((kind & (ACCESS_READ | ACCESS_WRITE)) === 0 ? undefined : leafOf(format, shift, kind, snoop))),
    mapped: Object.freeze({ mapped: sizes[shift] as bigint }),
  }
}

/** In place of a size that there is none of. */
const noPage: Page = {
  bytes: 0n, shift: 0, level: 0, frames: 0, offsetLow: 0, offsetHigh: 0, oddLow: 0, oddHigh: 0, oddTo: 0, leaves: [], mapped: { mapped: 0n },
}

/** log2 of each page size of a format. */
const shiftsOf = ({ leafLevel }: Format): readonly number[] => Array.from(sizes.keys()).filter((shift) => (leafLevel[shift] as number) > 0)

/** Pages by log2 of their bytes. */
const sizes: readonly bigint[] = Array.from({ length: 64 }, (_, shift) => 1n << BigInt(shift))

/** What a map that did not get to its end says, by its status. */
const failures: Readonly<Record<number, readonly [code: IommuErrorCode, sentence: string]>> = {
  [IN_USE]: ['EADDRINUSE', 'something is mapped there already'],
  [NO_MEMORY]: ['ENOMEM', 'no memory for a table'],
  [NOT_FLUSHED]: ['EIO', 'a table was in the way, and hardware has not forgotten it'],
}

const hasSnoop = ({ snoopLow, snoopHigh }: Format): boolean => (snoopLow | snoopHigh) !== 0

/**
 * An empty page table. Throws IommuError ENOMEM where there is no memory for its root, and EINVAL where `snoop` is
 * asked of a format that has no snoop bit.
 */
export const createPageTable = (options: PageTableOptions): PageTable => new RadixPageTable(options)
