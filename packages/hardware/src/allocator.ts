// The frame allocator of simulated memory: lowest free frames first, failures on demand.
import type { PageAllocator } from './memory.js'

/** An allocator that a test can make fail, and that knows what it has handed out. */
export interface TestAllocator extends PageAllocator {
  /** The n-th allocation from now (1 is the next one) finds no memory, once. undefined: none fails. */
  failAt(n: number | undefined): void
  /** Whether the frame is handed out. */
  isLive(frame: number): boolean
  /** Allocations ever made. */
  readonly allocations: number
}

interface Hooks {
  /** Called with frames as they are handed out: they are to be zeroed. */
  readonly take: (frame: number, count: number) => void
  readonly give: (frame: number, count: number) => void
}

/** Hands out the frames from `first` to `end` (exclusive). */
export const createAllocator = (first: number, end: number, { take, give }: Hooks): TestAllocator => {
  const live = new Set<number>()
  const returned: number[] = []
  let next = first
  let allocations = 0
  let failing: number | undefined

  const fresh = (count: number): number | undefined => {
    const start = Math.ceil(next / count) * count
    if (start + count > end) return undefined
    for (let frame = next; frame < start; frame++) returned.push(frame)
    next = start + count
    return start
  }

  return {
    allocate(count = 1) {
      allocations++
      if (failing !== undefined && --failing === 0) {
        failing = undefined
        return undefined
      }
      const start = count === 1 ? returned.pop() ?? fresh(1) : fresh(count)
      if (start === undefined) return undefined
      for (let frame = start; frame < start + count; frame++) live.add(frame)
      take(start, count)
      return start
    },
    free(frame, count = 1) {
      for (let each = frame; each < frame + count; each++) {
        if (!live.delete(each)) throw new RangeError(`frame 0x${each.toString(16)} is given back but was not handed out`)
        returned.push(each)
      }
      give(frame, count)
    },
    failAt(n) { failing = n },
    isLive: (frame) => live.has(frame),
    get live() { return live.size },
    get allocations() { return allocations },
  }
}
