// RAM as the file that QEMU shares: every access goes to the file, and QEMU sees it at once.
import { fstatSync, readSync, writeSync } from 'node:fs'
import { addresses, createAllocator, FRAME_BYTES, frameAddress, frameOf } from '@iommu/hardware'
import type { EventStream, Memory, TestAllocator } from '@iommu/hardware'

/** A run of guest addresses that is RAM, and where in the file it lies. */
export interface RamRange {
  readonly start: bigint
  readonly bytes: bigint
  readonly offset: bigint
}

export interface RamOptions {
  /** The file, open for reading and writing. */
  readonly handle: number
  readonly ranges: readonly RamRange[]
  /** Addresses that the allocator hands out. */
  readonly tables: { readonly start: bigint; readonly end: bigint }
  readonly events: EventStream
  /** Bit of a page table entry at which its page number begins; 12 where absent: the address is in its place. */
  readonly pageNumberBit?: number
}

/** Guest memory in a file. It is told of by events as simulated memory is. */
export class RamFile implements Memory {
  low = 0
  high = 0
  readonly pages: TestAllocator
  readonly events: EventStream
  /**
   * Frames that stored words may name: every value that a driver has stored, read as an entry with an address in it.
   * A DMA that was translated went to one of them, or to its own address.
   */
  readonly named = new Set<number>()
  private readonly handle: number
  private readonly pageNumberBit: bigint
  private readonly ranges: readonly { readonly first: number; readonly end: number; readonly shift: number }[]
  private readonly pair = new Int32Array(2)
  private readonly bytes = new Uint8Array(this.pair.buffer)

  constructor({ handle, ranges, tables, events, pageNumberBit = 12 }: RamOptions) {
    this.handle = handle
    this.pageNumberBit = BigInt(pageNumberBit)
    this.events = events
    this.ranges = ranges.map(({ start, bytes, offset }) => ({
      first: frameOf(start), end: frameOf(start + bytes), shift: (frameOf(offset) - frameOf(start)) * FRAME_BYTES,
    }))
    const needed = Number(ranges.reduce((sum, { bytes }) => sum + bytes, 0n))
    const { size } = fstatSync(this.handle)
    if (size < needed) throw new RangeError(`the RAM file has ${size} bytes, and the board ${needed}`)
    const empty = new Uint8Array(FRAME_BYTES)
    this.pages = createAllocator(frameOf(tables.start), frameOf(tables.end), {
      take: (frame, count) => {
        for (let each = frame; each < frame + count; each++) writeSync(this.handle, empty, 0, FRAME_BYTES, this.place(each, 0))
        if (events.listeners !== null) events.emit({ kind: 'allocate', frame, count })
      },
      give: (frame, count) => {
        if (events.listeners !== null) events.emit({ kind: 'free', frame, count })
      },
    })
  }

  /** Whether the frame is RAM. */
  has(frame: number): boolean {
    return this.ranges.some(({ first, end }) => frame >= first && frame < end)
  }

  load32(address: bigint): number {
    readSync(this.handle, this.bytes, 0, 4, this.placeOf(address))
    return (this.pair[0] as number) >>> 0
  }

  load64(address: bigint): bigint {
    this.loadPair(frameOf(address), Number(address & 0xfffn) >>> 3)
    return addresses.join(this.low, this.high)
  }

  /** Of half a word no table is made: it names no frame. */
  store32(address: bigint, value: number): void {
    const before = this.events.listeners === null ? [] : [BigInt(this.load32(address))]
    this.pair[0] = value
    writeSync(this.handle, this.bytes, 0, 4, this.placeOf(address))
    if (this.events.listeners !== null) this.events.emit({ kind: 'store', address, bytes: 4, before, after: [BigInt(value >>> 0)] })
  }

  store64(address: bigint, value: bigint): void {
    const before = this.events.listeners === null ? [] : [this.load64(address)]
    this.put(address, value)
    if (this.events.listeners !== null) this.events.emit({ kind: 'store', address, bytes: 8, before, after: [value] })
  }

  store128(address: bigint, first: bigint, second: bigint): void {
    if ((address & 15n) !== 0n) throw new RangeError(`16-byte store to 0x${address.toString(16)}, which is not aligned to 16`)
    const before = [this.load64(address), this.load64(address + 8n)]
    const bytes = new Uint8Array(new BigUint64Array([first, second]).buffer)
    this.name(first)
    this.name(second)
    writeSync(this.handle, bytes, 0, 16, this.placeOf(address))
    if (this.events.listeners !== null) this.events.emit({ kind: 'store', address, bytes: 16, before, after: [first, second] })
  }

  order(): void {
    if (this.events.listeners !== null) this.events.emit({ kind: 'order' })
  }

  writeBack(address: bigint, bytes: number): void {
    if (this.events.listeners !== null) this.events.emit({ kind: 'write-back', address, bytes })
  }

  loadPair(frame: number, index: number): void {
    readSync(this.handle, this.bytes, 0, 8, this.place(frame, index))
    this.low = this.pair[0] as number
    this.high = this.pair[1] as number
  }

  storePair(frame: number, index: number, low: number, high: number): void {
    this.store64(frameAddress(frame) + BigInt(index * 8), addresses.join(low, high))
  }

  fillPairs(frame: number, index: number, count: number, low: number, high: number, step: number): void {
    let word = addresses.join(low, high)
    for (let each = index; each < index + count; each++) {
      this.store64(frameAddress(frame) + BigInt(each * 8), word)
      word = BigInt.asUintN(64, word + BigInt(step))
    }
  }

  clearPairs(frame: number, index: number, count: number): void {
    for (let each = index; each < index + count; each++) this.storePair(frame, each, 0, 0)
  }

  areClear(frame: number, index: number, count: number, mask: number): boolean {
    for (let each = index; each < index + count; each++) {
      this.loadPair(frame, each)
      if ((this.low & mask) !== 0) return false
    }
    return true
  }

  countSet(frame: number, index: number, count: number, mask: number): number {
    for (let each = 0; each < count; each++) {
      this.loadPair(frame, index + each)
      if ((this.low & mask) === 0) return each
    }
    return count
  }

  /** Puts bytes there without an event, as 64-bit words that may name frames. */
  load(address: bigint, bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let at = 0; at + 8 <= bytes.length; at += 8) {
      const word = view.getBigUint64(at, true)
      if (word !== 0n) this.name(word)
    }
    writeSync(this.handle, bytes, 0, bytes.length, this.placeOf(address))
  }

  /** Puts a word there that names nothing, without an event: what a device finds, or has left behind. */
  mark(address: bigint, value: bigint): void {
    addresses.split(value)
    this.write(address, addresses.low, addresses.high)
  }

  /** As `mark`, for many bytes. */
  markAll(address: bigint, bytes: Uint8Array): void {
    writeSync(this.handle, bytes, 0, bytes.length, this.placeOf(address))
  }

  private put(address: bigint, value: bigint): void {
    if ((address & 7n) !== 0n) throw new RangeError(`8-byte store to 0x${address.toString(16)}, which is not aligned to 8`)
    this.name(value)
    addresses.split(value)
    this.write(address, addresses.low, addresses.high)
  }

  private write(address: bigint, low: number, high: number): void {
    this.pair[0] = low
    this.pair[1] = high
    writeSync(this.handle, this.bytes, 0, 8, this.placeOf(address))
  }

  /** Page numbers have 40 bits at the most on every board. */
  private name(word: bigint): void {
    const frame = Number((word >> this.pageNumberBit) & 0xff_ffff_ffffn)
    if (this.has(frame) && !this.pages.isLive(frame)) this.named.add(frame)
  }

  private placeOf(address: bigint): number {
    // `frameOf` first: it leaves nothing in the scratch halves that `write` still needs.
    return this.place(frameOf(address), 0) + Number(address & 0xfffn)
  }

  private place(frame: number, index: number): number {
    for (const { first, end, shift } of this.ranges) {
      if (frame >= first && frame < end) return frame * FRAME_BYTES + shift + index * 8
    }
    throw new RangeError(`frame 0x${frame.toString(16)} is not memory`)
  }
}
