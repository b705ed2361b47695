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

/** Hands out the frames from `first` to `end` (exclusive). */
export const createAllocator = (first: number, end: number, { take, give }: Hooks): TestAllocator => {
  const live = new Set<number>()
  /** Runs that were given back, by their length. They stay runs: tables of one size take the place of each other. */
  const returned = new Map<number, number[]>()
  let next = first
  let allocations = 0
  let failing: number | undefined
  let failed = 0

  const keep = (frame: number, count: number): void => {
    const runs = returned.get(count)
    if (runs === undefined) returned.set(count, [frame])
    else runs.push(frame)
  }

  const fresh = (count: number): number | undefined => {
    const start = Math.ceil(next / count) * count
    if (start + count > end) return undefined
    for (let frame = next; frame < start; frame++) keep(frame, 1)
    next = start + count
    return start
  }

  /** A frame of a longer run, where there is no other; the rest of it is frames from now on. */
  const torn = (): number | undefined => {
    for (const [count, runs] of returned) {
      const start = runs.pop()
      if (start === undefined) continue
      for (let frame = start + count - 1; frame > start; frame--) keep(frame, 1)
      return start
    }
    return undefined
  }

  return {
    allocate(count = 1) {
      allocations++
      if (failing !== undefined && --failing === 0) {
        failing = undefined
        failed++
        return undefined
      }
      const start = returned.get(count)?.pop() ?? fresh(count) ?? (count === 1 ? torn() : undefined)
      if (start === undefined) return undefined
      for (let frame = start; frame < start + count; frame++) live.add(frame)
      take(start, count)
      return start
    },
    free(frame, count = 1) {
      for (let each = frame; each < frame + count; each++) {
        if (!live.delete(each)) throw new RangeError(`frame 0x${each.toString(16)} is given back but was not handed out`)
      }
      keep(frame, count)
      give(frame, count)
    },
    failAt(n) { failing = n },
    isLive: (frame) => live.has(frame),
    get live() { return live.size },
    get allocations() { return allocations },
    get failed() { return failed },
  }
}
