// The frame allocator of simulated memory: runs of equal length take each other's place, failures on demand.
import type { PageAllocator } from './memory.js'

/** An allocator that a test can make fail, and that knows what it has handed out. */
export interface TestAllocator extends PageAllocator {
  /** The n-th allocation from now (1 is the next one) finds no memory, once. undefined: none fails. */
  failAt(n: number | undefined): void
  /** Whether the frame is handed out. */
  isLive(frame: number): boolean
  /** Allocations ever made. */
  readonly allocations: number
  /** Allocations that found no memory because `failAt` said so. */
  readonly failed?: number
}

interface Hooks {
  /** Called with frames as they are handed out: they are to be zeroed. */
  readonly take: (frame: number, count: number) => void
  readonly give: (frame: number, count: number) => void
}

/** Frames that the set of live ones has room for at first; it doubles as further frames are handed out. */
const FIRST_ROOM = 1024

/** Live frames are bits, a thousandth of what a Set takes: that would be a hundredth of the tables themselves. */
class Allocator implements TestAllocator {
  live = 0
  allocations = 0
  failed = 0
  private readonly first: number
  private readonly end: number
  private readonly hooks: Hooks
  private bits = new Int32Array(FIRST_ROOM / 32)
  /** Runs that were given back, by their length. They stay runs: tables of one size take the place of each other. */
  private readonly returned = new Map<number, number[]>()
  private next: number
  private failing: number | undefined = undefined

  constructor(first: number, end: number, hooks: Hooks) {
    this.first = first
    this.end = end
    this.hooks = hooks
    this.next = first
  }

  allocate(count = 1): number | undefined {
    this.allocations++
    if (this.failing !== undefined && --this.failing === 0) {
      this.failing = undefined
      this.failed++
      return undefined
    }
    const start = this.returned.get(count)?.pop() ?? this.fresh(count) ?? (count === 1 ? this.torn() : undefined)
    if (start === undefined) return undefined
    for (let frame = start; frame < start + count; frame++) this.flip(frame)
    this.live += count
    this.hooks.take(start, count)
    return start
  }

  free(frame: number, count = 1): void {
    for (let each = frame; each < frame + count; each++) {
      if (!this.isLive(each)) throw new RangeError(`frame 0x${each.toString(16)} is given back but was not handed out`)
      this.flip(each)
      this.live--
    }
    this.keep(frame, count)
    this.hooks.give(frame, count)
  }

  failAt(n: number | undefined): void {
    this.failing = n
  }

  isLive(frame: number): boolean {
    const at = frame - this.first
    return at >= 0 && at < this.next - this.first && ((this.bits[at >>> 5] as number) & (1 << at)) !== 0
  }

  private flip(frame: number): void {
    const at = frame - this.first
    this.bits[at >>> 5] = (this.bits[at >>> 5] as number) ^ (1 << at)
  }

  private keep(frame: number, count: number): void {
    const runs = this.returned.get(count)
    if (runs === undefined) this.returned.set(count, [frame])
    else runs.push(frame)
  }

  private fresh(count: number): number | undefined {
    const start = Math.ceil(this.next / count) * count
    if (start + count > this.end) return undefined
    for (let frame = this.next; frame < start; frame++) this.keep(frame, 1)
    this.next = start + count
    let room = this.bits.length
    while (room * 32 < this.next - this.first) room *= 2
    if (room > this.bits.length) {
      const { bits } = this
      this.bits = new Int32Array(room)
      this.bits.set(bits)
    }
    return start
  }

  /** A frame of a longer run, where there is no other; the rest of it is frames from now on. */
  private torn(): number | undefined {
    for (const [count, runs] of this.returned) {
      const start = runs.pop()
      if (start === undefined) continue
      for (let frame = start + count - 1; frame > start; frame--) this.keep(frame, 1)
      return start
    }
    return undefined
  }
}

/** Hands out the frames from `first` to `end` (exclusive). */
export const createAllocator = (first: number, end: number, hooks: Hooks): TestAllocator => new Allocator(first, end, hooks)
