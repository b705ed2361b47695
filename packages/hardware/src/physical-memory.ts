// Simulated physical memory: flat 256 KiB chunks behind an array directory, words as pairs of 32-bit halves.
import * as addresses from './address.js'
import { createAllocator } from './allocator.js'
import type { TestAllocator } from './allocator.js'
import { createEventStream } from './events.js'
import type { EventStream } from './events.js'
import type { HardwareView, Memory } from './memory.js'

/** Frames per chunk, log2: 64 frames, 256 KiB. */
const CHUNK_SHIFT = 6
const CHUNK_FRAMES = 1 << CHUNK_SHIFT
const FRAME_WORDS = addresses.FRAME_BYTES / 4
const LINE_BYTES = 64

export interface MemoryOptions {
  /** Size of RAM in bytes, from address 0. 256 MiB where absent, 8 TiB at most. */
  readonly bytes?: bigint
  /** Frames that the allocator may hand out, as byte addresses; the upper half of the first 64 MiB where absent. */
  readonly tables?: { readonly start: bigint; readonly end: bigint }
  /** Whether table walks snoop the CPU's caches. False: they see a store only after `writeBack`. */
  readonly coherent?: boolean
  /** Where stores are reported; a stream of its own where absent. */
  readonly events?: EventStream
}

class View implements HardwareView {
  low = 0
  high = 0

  private readonly chunks: readonly (Int32Array | undefined)[]
  private readonly frames: number

  constructor(chunks: readonly (Int32Array | undefined)[], frames: number) {
    this.chunks = chunks
    this.frames = frames
  }

  has(frame: number): boolean {
    return frame < this.frames
  }

  loadPair(frame: number, index: number): void {
    if (frame >= this.frames) throw new RangeError(`frame 0x${frame.toString(16)} is not memory`)
    const chunk = this.chunks[frame >>> CHUNK_SHIFT]
    if (chunk === undefined) {
      this.low = 0
      this.high = 0
      return
    }
    const at = (frame & (CHUNK_FRAMES - 1)) * FRAME_WORDS + index * 2
    this.low = chunk[at] as number
    this.high = chunk[at + 1] as number
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
  private readonly frames: number
  private readonly chunks: (Int32Array | undefined)[] = []
  /** What has been written back; the same array where walks snoop. */
  private readonly settled: (Int32Array | undefined)[]

  constructor(options: MemoryOptions = {}) {
    const { bytes = 0x1000_0000n, coherent = true, events = createEventStream() } = options
    const { start, end } = options.tables ?? { start: 0x200_0000n, end: 0x400_0000n }
    if (bytes > 1n << 43n) throw new RangeError(`0x${bytes.toString(16)} bytes of memory; 8 TiB is the most`)
    this.frames = addresses.frameOf(bytes)
    this.coherent = coherent
    this.events = events
    this.settled = coherent ? this.chunks : []
    this.walker = new View(this.settled, this.frames)
    this.snooped = new View(this.chunks, this.frames)
    this.pages = createAllocator(addresses.frameOf(start), Math.min(addresses.frameOf(end), this.frames), {
      take: (frame, count) => {
        this.zero(frame, count)
        if (events.listeners !== null) events.emit({ kind: 'allocate', frame, count })
      },
      give: (frame, count) => {
        if (events.listeners !== null) events.emit({ kind: 'free', frame, count })
      },
    })
  }

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
      for (let line = from; line < address + BigInt(bytes); line += BigInt(LINE_BYTES)) {
        const frame = addresses.frameOf(line)
        const at = (frame & (CHUNK_FRAMES - 1)) * FRAME_WORDS + Number(line & 0xfffn) / 4
        const source = this.chunks[frame >>> CHUNK_SHIFT]
        if (source !== undefined) this.chunk(this.settled, frame).set(source.subarray(at, at + LINE_BYTES / 4), at)
      }
    }
    if (this.events.listeners !== null) this.events.emit({ kind: 'write-back', address, bytes })
  }

  loadPair(frame: number, index: number): void {
    this.check(frame)
    const chunk = this.chunks[frame >>> CHUNK_SHIFT]
    if (chunk === undefined) {
      this.low = 0
      this.high = 0
      return
    }
    const at = (frame & (CHUNK_FRAMES - 1)) * FRAME_WORDS + index * 2
    this.low = chunk[at] as number
    this.high = chunk[at + 1] as number
  }

  storePair(frame: number, index: number, low: number, high: number): void {
    if (this.events.listeners !== null) {
      this.store64(addresses.frameAddress(frame) + BigInt(index * 8), addresses.join(low, high))
      return
    }
    const chunk = this.chunk(this.chunks, frame)
    const at = (frame & (CHUNK_FRAMES - 1)) * FRAME_WORDS + index * 2
    chunk[at] = low
    chunk[at + 1] = high
  }

  fillPairs(frame: number, index: number, count: number, low: number, high: number, step: number): void {
    let word = low
    let top = high
    if (this.events.listeners !== null) {
      for (let each = index; each < index + count; each++) {
        this.storePair(frame, each, word, top)
        const sum = (word >>> 0) + step
        word = sum | 0
        if (sum > 0xffff_ffff) top = (top + 1) | 0
      }
      return
    }
    const chunk = this.chunk(this.chunks, frame)
    let at = (frame & (CHUNK_FRAMES - 1)) * FRAME_WORDS + index * 2
    let left = count
    while (left > 0) {
      // The upper half is constant until the lower one wraps; no carry test inside the inner loop.
      const run = step === 0 ? left : Math.min(left, Math.floor((0xffff_ffff - (word >>> 0)) / step) + 1)
      for (let each = 0; each < run; each++) {
        chunk[at] = word
        chunk[at + 1] = top
        word = (word + step) | 0
        at += 2
      }
      left -= run
      top = (top + 1) | 0
    }
  }

  clearPairs(frame: number, index: number, count: number): void {
    if (this.events.listeners !== null) {
      for (let each = index; each < index + count; each++) this.storePair(frame, each, 0, 0)
      return
    }
    const at = (frame & (CHUNK_FRAMES - 1)) * FRAME_WORDS + index * 2
    this.chunk(this.chunks, frame).fill(0, at, at + count * 2)
  }

  areClear(frame: number, index: number, count: number, maskLow: number, maskHigh: number): boolean {
    this.check(frame)
    const chunk = this.chunks[frame >>> CHUNK_SHIFT]
    if (chunk === undefined) return true
    const from = (frame & (CHUNK_FRAMES - 1)) * FRAME_WORDS + index * 2
    for (let at = from; at < from + count * 2; at += 2) {
      if ((((chunk[at] as number) & maskLow) | ((chunk[at + 1] as number) & maskHigh)) !== 0) return false
    }
    return true
  }

  /** Puts bytes there without an event: what was in memory before the story begins. Hardware sees them at once. */
  load(address: bigint, bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let offset = 0; offset + 8 <= bytes.length; offset += 8) {
      this.put(address + BigInt(offset), view.getBigUint64(offset, true))
      if (!this.coherent) this.settle(address + BigInt(offset))
    }
  }

  /** A store of hardware itself (status writes, faults in memory): coherent, and not a step of the driver. */
  deviceStore64(address: bigint, value: bigint): void {
    this.put(address, value)
    if (!this.coherent) this.settle(address)
  }

  /** As `deviceStore64`, for one 32-bit word. */
  deviceStore32(address: bigint, value: number): void {
    const word = this.load64(address & ~7n)
    const shift = (address & 4n) * 8n
    this.deviceStore64(address & ~7n, (word & ~(0xffff_ffffn << shift)) | (BigInt(value >>> 0) << shift))
  }

  private check(frame: number): void {
    if (frame >= this.frames) throw new RangeError(`frame 0x${frame.toString(16)} is not memory`)
  }

  private put(address: bigint, value: bigint): void {
    if ((address & 7n) !== 0n) throw new RangeError(`8-byte store to 0x${address.toString(16)}, which is not aligned to 8`)
    addresses.split(address)
    const frame = (addresses.high >>> 0) * 0x100000 + (addresses.low >>> 12)
    const at = (frame & (CHUNK_FRAMES - 1)) * FRAME_WORDS + ((addresses.low & 0xfff) >>> 2)
    const chunk = this.chunk(this.chunks, frame)
    addresses.split(value)
    chunk[at] = addresses.low
    chunk[at + 1] = addresses.high
  }

  private settle(address: bigint): void {
    const frame = addresses.frameOf(address)
    const at = (frame & (CHUNK_FRAMES - 1)) * FRAME_WORDS + Number(address & 0xfffn) / 4
    const source = this.chunk(this.chunks, frame)
    this.chunk(this.settled, frame).set(source.subarray(at, at + 2), at)
  }

  private zero(frame: number, count: number): void {
    for (let each = frame; each < frame + count; each++) {
      const at = (each & (CHUNK_FRAMES - 1)) * FRAME_WORDS
      this.chunk(this.chunks, each).fill(0, at, at + FRAME_WORDS)
    }
  }

  private chunk(chunks: (Int32Array | undefined)[], frame: number): Int32Array {
    this.check(frame)
    return (chunks[frame >>> CHUNK_SHIFT] ??= new Int32Array(CHUNK_FRAMES * FRAME_WORDS))
  }
}
