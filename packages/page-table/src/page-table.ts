// A page table: the door to the radix engine, in bigint addresses and with the contract's errors.
import { IommuError, createGather, gatherAdd } from '@iommu/core'
import type { Access, Gather, IommuErrorCode, MapResult } from '@iommu/core'
import { addresses } from '@iommu/hardware'
import type { Memory } from '@iommu/hardware'
import { ACCESS_NO_EXECUTE, ACCESS_READ, ACCESS_WRITE } from './format.js'
import type { Format } from './format.js'
import { FRAME_SHIFT, frameAt } from './pairs.js'
import { DONE, IN_USE, Radix } from './radix.js'

export interface PageTableOptions {
  readonly format: Format
  /** Where tables are allocated, written and read. */
  readonly memory: Memory
  /** Whether the walker snoops the CPU's caches; true where absent. False: every store is written back. */
  readonly coherent?: boolean
  /** Leaves get the format's snoop bit; false where absent. */
  readonly snoop?: boolean
}

/** A tree of tables that translates device addresses, with the semantics of Linux 7.3's generic page tables. */
export interface PageTable {
  readonly format: Format
  /** Physical address of the root table; 4 KiB aligned at least. It never changes. */
  readonly root: bigint
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
   * way, and stays untouched), ENOMEM (no memory for a table).
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
  readonly root: bigint
  readonly replaced = createGather()
  snoop: boolean
  private readonly radix: Radix
  /** First frames beyond what can be mapped. */
  private readonly endFrame: number
  private readonly physicalEnd: number
  /** Size of a leaf by level. */
  private readonly sizes: readonly bigint[]
  private everMapped = false
  private freed = false

  constructor({ format, memory, coherent = true, snoop = false }: PageTableOptions) {
    if (snoop && !hasSnoop(format)) throw new IommuError('EINVAL', `${format.name} leaves have no snoop bit here`)
    this.format = format
    this.snoop = snoop
    this.radix = new Radix(format, memory, coherent)
    if (this.radix.rootFrame < 0) throw new IommuError('ENOMEM', `no memory for the root of ${format.name} tables`)
    this.root = addresses.frameAddress(this.radix.rootFrame)
    this.sizes = Array.from(format.pageLow, (low, level) => addresses.join(low, format.pageHigh[level] as number))
    this.pageSizes = this.sizes.reduce((all, size) => all | size, 0n)
    this.aperture = Object.freeze({ start: 0n, end: (1n << BigInt(format.apertureBits)) - 1n })
    this.endFrame = 2 ** (format.apertureBits - FRAME_SHIFT)
    this.physicalEnd = 2 ** (format.addressBits - FRAME_SHIFT)
  }

  get rootFrame(): number { return this.radix.rootFrame }
  get tableCount(): number { return this.radix.tableCount }

  mapPages(iova: bigint, physical: bigint, pageSize: bigint, count: number, access: Access): MapResult {
    this.checkAlive()
    const { format, radix, replaced } = this
    const level = this.levelOf(pageSize)
    const kind = (access.read ? ACCESS_READ : 0) | (access.write ? ACCESS_WRITE : 0)
      | (access.noExecute === true ? ACCESS_NO_EXECUTE : 0)
    addresses.split(iova)
    const iovaLow = addresses.low
    const iovaHigh = addresses.high
    addresses.split(physical)
    const physicalLow = addresses.low
    const physicalHigh = addresses.high
    const offsetLow = format.offsetLow[level] as number
    const offsetHigh = format.offsetHigh[level] as number
    const frames = count * (radix.pageFrames[level] as number)
    const good = level > 0 && count > 0 && Number.isSafeInteger(count) && (kind & (ACCESS_READ | ACCESS_WRITE)) !== 0
      && (((iovaLow | physicalLow) & offsetLow) | ((iovaHigh | physicalHigh) & offsetHigh)) === 0
      && frameAt(iovaLow, iovaHigh) + frames <= this.endFrame
      && frameAt(physicalLow, physicalHigh) + frames <= this.physicalEnd
      && BigInt.asUintN(64, iova) === iova && BigInt.asUintN(64, physical) === physical
    if (!good) {
      const why = refusal(this, iova, physical, pageSize, count, access)
      const [code, sentence] = why ?? ['EINVAL', 'the range cannot be mapped']
      return { mapped: 0n, error: new IommuError(code, sentence, { iova, physical, pageSize, count }) }
    }
    const status = radix.map(
      iovaLow, iovaHigh, physicalLow, physicalHigh, level, count,
      (format.accessLow[kind] as number) | (format.leafLow[level] as number) | (this.snoop ? format.snoopLow : 0),
      (format.accessHigh[kind] as number) | (format.leafHigh[level] as number) | (this.snoop ? format.snoopHigh : 0),
      replaced.freed,
    )
    const mapped = radix.mapped === 1 ? pageSize : BigInt(radix.mapped) * pageSize
    if (mapped > 0n) this.everMapped = true
    const { firstReplaced, lastReplaced } = radix
    if (firstReplaced >= 0) {
      const size = BigInt(lastReplaced - firstReplaced + 1) * pageSize
      gatherAdd(replaced, iova + BigInt(firstReplaced) * pageSize, size, this.sizes[1] as bigint)
    }
    if (status === DONE) return { mapped }
    const values = { iova: iova + mapped, physical: physical + mapped, pageSize }
    return {
      mapped,
      error: status === IN_USE
        ? new IommuError('EADDRINUSE', 'something is mapped there already', values)
        : new IommuError('ENOMEM', 'no memory for a table', values),
    }
  }

  unmapPages(iova: bigint, pageSize: bigint, count: number, gather: Gather): bigint {
    this.checkAlive()
    const { format, radix } = this
    const level = this.levelOf(pageSize)
    addresses.split(iova)
    const low = addresses.low
    const high = addresses.high
    const frames = count * (radix.pageFrames[level] as number)
    const good = level > 0 && count > 0 && Number.isSafeInteger(count)
      && ((low & (format.offsetLow[level] as number)) | (high & (format.offsetHigh[level] as number))) === 0
      && frameAt(low, high) + frames <= this.endFrame && BigInt.asUintN(64, iova) === iova
    if (!good) return 0n
    const removed = radix.unmap(low, high, frames, gather.freed)
    if (removed === 0) return 0n
    const bytes = removed === frames && count === 1 ? pageSize : addresses.frameAddress(removed)
    gatherAdd(gather, iova, bytes, this.sizes[radix.smallestLevel] as bigint)
    return bytes
  }

  iovaToPhys(iova: bigint): bigint | undefined {
    this.checkAlive()
    addresses.split(iova)
    const low = addresses.low
    const high = addresses.high
    if (frameAt(low, high) >= this.endFrame || BigInt.asUintN(64, iova) !== iova) return undefined
    return this.radix.translate(low, high) ? addresses.join(this.radix.physicalLow, this.radix.physicalHigh) : undefined
  }

  enforceSnoop(): boolean {
    if (!this.snoop && (!hasSnoop(this.format) || this.everMapped)) return false
    this.snoop = true
    return true
  }

  release(freed: bigint[]): void {
    for (const table of freed) this.radix.release(addresses.frameOf(table))
    freed.length = 0
  }

  free(): void {
    if (this.freed) return
    this.freed = true
    this.release(this.replaced.freed)
    this.radix.free()
  }

  private checkAlive(): void {
    if (!this.freed) return
    throw new RangeError(`the ${this.format.name} tables at 0x${this.root.toString(16)} have been freed`)
  }

  /** The level whose leaves have this size; 0 where none has. */
  private levelOf(pageSize: bigint): number {
    addresses.split(pageSize)
    const low = addresses.low
    const high = addresses.high
    const { levels, pageLow, pageHigh } = this.format
    if ((low | high) === 0 || BigInt.asUintN(64, pageSize) !== pageSize) return 0
    for (let level = 1; level <= levels; level++) {
      if (pageLow[level] === low && pageHigh[level] === high) return level
    }
    return 0
  }
}

const hasSnoop = ({ snoopLow, snoopHigh }: Format): boolean => (snoopLow | snoopHigh) !== 0

/**
 * An empty page table. Throws IommuError ENOMEM where there is no memory for its root, and EINVAL where `snoop` is
 * asked of a format that has no snoop bit.
 */
export const createPageTable = (options: PageTableOptions): PageTable => new RadixPageTable(options)
