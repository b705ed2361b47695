// Simulated physical memory: words as pairs of 32-bit halves, stores that are reported, write-back.
// Long: one class, since every member of the hot half reaches the words themselves.
import * as addresses from './address.js'
import { createAllocator } from './allocator.js'
import type { TestAllocator } from './allocator.js'
import { createEventStream } from './events.js'
import type { EventStream } from './events.js'
import type { FlatWords, HardwareView, Memory } from './memory.js'
import { Words } from './words.js'

const LINE_BYTES = 64
const FRAME_PAIRS = addresses.FRAME_BYTES / 8
/** Below this many words a loop clears faster than a call of `fill`. */
const FEW = 32

export interface MemoryOptions {
  /** Size of RAM in bytes, from address 0. 256 MiB where absent, 8 TiB at most. */
  readonly bytes?: bigint
  /** Frames that the allocator may hand out, as byte addresses; the upper half of the first 64 MiB where absent. */
  readonly tables?: { readonly start: bigint; readonly end: bigint }
  /** Whether table walks snoop the CPU's caches. False: they see a store only after `writeBack`. */
  readonly coherent?: boolean
  /** Where stores are reported; a stream of its own where absent. */
  readonly events?: EventStream
  /**
   * One array for all of memory, 2 GiB at most: somewhat faster to read, and as large as memory from the start.
   * Where absent, chunks of 1 MiB appear as they are written.
   */
  readonly flat?: boolean
}

class View implements HardwareView {
  low = 0
  high = 0

  readonly flat: FlatWords | undefined
  private readonly words: Words

  constructor(words: Words) {
    this.words = words
    this.flat = words.flat
  }

  has(frame: number): boolean {
    return frame < this.words.frames
  }

  loadPair(frame: number, index: number): void {
    const words = this.words.reading(frame)
    const at = this.words.position(frame, index)
    this.low = words[at] as number
    this.high = words[at + 1] as number
  }

  load64(address: bigint): bigint {
    addresses.split(address)
    this.loadPair((addresses.high >>> 0) * 0x100000 + (addresses.low >>> 12), (addresses.low & 0xfff) >>> 3)
    return addresses.join(this.low, this.high)
  }
}

/** RAM from address 0 on. `walker` is what table walks see, `snooped` what every other access of hardware sees. */
export class PhysicalMemory implements Memory {
  low = 0
  high = 0
  readonly events: EventStream
  readonly pages: TestAllocator
  readonly walker: HardwareView
  readonly snooped: HardwareView
  readonly coherent: boolean
  readonly flat: FlatWords | undefined
  private readonly words: Words
  /** What has been written back; the same words where walks snoop. */
  private readonly settled: Words

  constructor(options: MemoryOptions = {}) {
    const { bytes = 0x1000_0000n, coherent = true, events = createEventStream(), flat = false } = options
    const { start, end } = options.tables ?? { start: 0x200_0000n, end: 0x400_0000n }
    if (bytes > 1n << 43n) throw new RangeError(`0x${bytes.toString(16)} bytes of memory; 8 TiB is the most`)
    const frames = addresses.frameOf(bytes)
    this.coherent = coherent
    this.events = events
    this.words = new Words(frames, flat)
    this.flat = this.words.flat
    this.settled = coherent ? this.words : new Words(frames, flat)
    this.walker = new View(this.settled)
    this.snooped = new View(this.words)
    this.pages = createAllocator(addresses.frameOf(start), Math.min(addresses.frameOf(end), frames), {
      take: (frame, count) => {
        this.zero(frame, count)
        if (events.listeners !== null) events.emit({ kind: 'allocate', frame, count })
      },
      give: (frame, count) => {
        if (events.listeners !== null) events.emit({ kind: 'free', frame, count })
      },
    })
  }

  get unobserved(): FlatWords | undefined { return this.events.listeners === null ? this.flat : undefined }

  load32(address: bigint): number {
    const word = this.load64(address & ~7n)
    return Number((address & 4n) === 0n ? word & 0xffff_ffffn : word >> 32n)
  }

  load64(address: bigint): bigint {
    addresses.split(address)
    this.loadPair((addresses.high >>> 0) * 0x100000 + (addresses.low >>> 12), (addresses.low & 0xfff) >>> 3)
    return addresses.join(this.low, this.high)
  }

  store32(address: bigint, value: number): void {
    const word = this.load64(address & ~7n)
    const shift = (address & 4n) * 8n
    const after = (word & ~(0xffff_ffffn << shift)) | (BigInt(value >>> 0) << shift)
    this.put(address & ~7n, after)
    if (this.events.listeners !== null) {
      this.events.emit({
        kind: 'store', address, bytes: 4, before: [(word >> shift) & 0xffff_ffffn], after: [BigInt(value >>> 0)],
      })
    }
  }

  store64(address: bigint, value: bigint): void {
    if (this.events.listeners === null) {
      this.put(address, value)
      return
    }
    const before = [this.load64(address)]
    this.put(address, value)
    this.events.emit({ kind: 'store', address, bytes: 8, before, after: [value] })
  }

  store128(address: bigint, first: bigint, second: bigint): void {
    if ((address & 15n) !== 0n) throw new RangeError(`16-byte store to 0x${address.toString(16)}, which is not aligned to 16`)
    const before = [this.load64(address), this.load64(address + 8n)]
    this.put(address, first)
    this.put(address + 8n, second)
    if (this.events.listeners !== null) {
      this.events.emit({ kind: 'store', address, bytes: 16, before, after: [first, second] })
    }
  }

  order(): void {
    if (this.events.listeners !== null) this.events.emit({ kind: 'order' })
  }

  writeBack(address: bigint, bytes: number): void {
    if (!this.coherent) {
      const from = address & ~BigInt(LINE_BYTES - 1)
      for (let line = from; line < address + BigInt(bytes); line += BigInt(LINE_BYTES)) this.settle(line, LINE_BYTES)
    }
    if (this.events.listeners !== null) this.events.emit({ kind: 'write-back', address, bytes })
  }

  loadPair(frame: number, index: number): void {
    const words = this.words.reading(frame)
    const at = this.words.position(frame, index)
    this.low = words[at] as number
    this.high = words[at + 1] as number
  }

  storePair(frame: number, index: number, low: number, high: number): void {
    if (this.events.listeners !== null) {
      this.store64(addresses.frameAddress(frame) + BigInt(index * 8), addresses.join(low, high))
      return
    }
    const words = this.words.writing(frame)
    const at = this.words.position(frame, index)
    words[at] = low
    words[at + 1] = high
  }

  fillPairs(frame: number, index: number, count: number, low: number, high: number, by: number): void {
    // Integers that V8 knows as such: sums of what may be doubles take twice as long.
    const step = by | 0
    let word = low | 0
    let top = high | 0
    if (this.events.listeners !== null) {
      for (let each = index; each < index + count; each++) {
        this.storePair(frame, each, word, top)
        const sum = (word >>> 0) + step
        word = sum | 0
        if (sum > 0xffff_ffff) top = (top + 1) | 0
      }
      return
    }
    const words = this.words.writing(frame)
    let at = this.words.position(frame, index)
    const end = (at + count * 2) | 0
    const twice = step << 1
    const thrice = (twice + step) | 0
    const fourfold = step << 2
    while (at < end) {
      // The upper half is constant until the lower one wraps; no carry test inside the inner loop.
      const fit = step === 0 ? count : Math.floor((0xffff_ffff - (word >>> 0)) / step) + 1
      const stop = (fit < count ? Math.min(at + fit * 2, end) : end) | 0
      // Four words a turn, since V8 checks the array in each; `| 0`, since it checks sums for overflow. Half the time.
      for (const last = (stop - 6) | 0; at < last; at = (at + 8) | 0) {
        words[at] = word
        words[(at + 1) | 0] = top
        words[(at + 2) | 0] = word + step
        words[(at + 3) | 0] = top
        words[(at + 4) | 0] = word + twice
        words[(at + 5) | 0] = top
        words[(at + 6) | 0] = word + thrice
        words[(at + 7) | 0] = top
        word = (word + fourfold) | 0
      }
      for (; at < stop; at += 2) {
        words[at] = word
        words[at + 1] = top
        word = (word + step) | 0
      }
      top = (top + 1) | 0
    }
  }

  clearPairs(frame: number, index: number, count: number): void {
    if (this.events.listeners !== null) {
      for (let each = index; each < index + count; each++) this.storePair(frame, each, 0, 0)
      return
    }
    const words = this.words.writing(frame)
    const from = this.words.position(frame, index)
    const end = (from + count * 2) | 0
    if (count > FEW) words.fill(0, from, end)
    else for (let at = from; at < end; at++) words[at] = 0
  }

  areClear(frame: number, index: number, count: number, bits: number): boolean {
    const words = this.words.reading(frame)
    const from = this.words.position(frame, index)
    const end = (from + count * 2) | 0
    const mask = bits | 0
    let at = from | 0
    // As in `fillPairs`.
    for (const last = (end - 14) | 0; at < last; at = (at + 16) | 0) {
      const these = (words[at] as number) | (words[(at + 2) | 0] as number)
        | (words[(at + 4) | 0] as number) | (words[(at + 6) | 0] as number)
      const next = (words[(at + 8) | 0] as number) | (words[(at + 10) | 0] as number)
        | (words[(at + 12) | 0] as number) | (words[(at + 14) | 0] as number)
      if (((these | next) & mask) !== 0) return false
    }
    while (at < end && ((words[at] as number) & mask) === 0) at += 2
    return at >= end
  }

  countSet(frame: number, index: number, count: number, bits: number): number {
    const words = this.words.reading(frame)
    const from = this.words.position(frame, index)
    const end = (from + count * 2) | 0
    const mask = bits | 0
    let at = from | 0
    for (const last = (end - 6) | 0; at < last; at = (at + 8) | 0) {
      if (((words[at] as number) & mask) === 0 || ((words[(at + 2) | 0] as number) & mask) === 0
        || ((words[(at + 4) | 0] as number) & mask) === 0 || ((words[(at + 6) | 0] as number) & mask) === 0) break
    }
    while (at < end && ((words[at] as number) & mask) !== 0) at += 2
    return (at - from) >> 1
  }

  /** Puts bytes there without an event: what was in memory before the story begins. Hardware sees them at once. */
  load(address: bigint, bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let offset = 0; offset + 8 <= bytes.length; offset += 8) {
      this.put(address + BigInt(offset), view.getBigUint64(offset, true))
      if (!this.coherent) this.settle(address + BigInt(offset), 8)
    }
  }

  /** A store of hardware itself (status writes, faults in memory): coherent, and not a step of the driver. */
  deviceStore64(address: bigint, value: bigint): void {
    this.put(address, value)
    if (!this.coherent) this.settle(address, 8)
  }

  /** As `deviceStore64`, for one 32-bit word. */
  deviceStore32(address: bigint, value: number): void {
    const word = this.load64(address & ~7n)
    const shift = (address & 4n) * 8n
    this.deviceStore64(address & ~7n, (word & ~(0xffff_ffffn << shift)) | (BigInt(value >>> 0) << shift))
  }

  private put(address: bigint, value: bigint): void {
    if ((address & 7n) !== 0n) throw new RangeError(`8-byte store to 0x${address.toString(16)}, which is not aligned to 8`)
    addresses.split(address)
    const frame = (addresses.high >>> 0) * 0x100000 + (addresses.low >>> 12)
    const at = this.words.position(frame, (addresses.low & 0xfff) >>> 3)
    const words = this.words.writing(frame)
    addresses.split(value)
    words[at] = addresses.low
    words[at + 1] = addresses.high
  }

  /** Copies what has been stored to where walks that do not snoop see it. */
  private settle(address: bigint, bytes: number): void {
    const frame = addresses.frameOf(address)
    const at = this.words.position(frame, Number(address & 0xfffn) >>> 3)
    this.settled.writing(frame).set(this.words.reading(frame).subarray(at, at + bytes / 4), at)
  }

  private zero(frame: number, count: number): void {
    for (let each = frame; each < frame + count; each++) {
      const at = this.words.position(each, 0)
      this.words.writing(each).fill(0, at, at + FRAME_PAIRS * 2)
    }
  }
}
