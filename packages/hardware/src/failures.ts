// How a model is made to fail: the doors that a test opens, and what the model asks them.
import type { TestAllocator } from './allocator.js'
import type { FailureDoors } from './machine.js'

export interface Failures {
  readonly doors: FailureDoors
  /** Whether the completion at hand never comes; asked once for each. */
  readonly completionsNever: boolean
  /** Whether the device TLB of this source leaves invalidations unanswered. */
  isDeaf(source: number): boolean
  /** Whether the command at hand is the one that is to be refused as malformed; counts commands. */
  refuseCommand(): boolean
}

export const createFailures = (pages: TestAllocator): Failures => {
  const deaf = new Set<number>()
  let completionsNever = false
  let left: number | undefined
  let injected = 0
  const happened = (yes: boolean): boolean => {
    if (yes) injected++
    return yes
  }
  return {
    doors: {
      allocation: (n) => pages.failAt(n),
      completions: (state) => { completionsNever = state === 'never' },
      queueError: (n) => { left = n },
      deviceTlb(source, state) {
        if (state === 'answers') deaf.delete(source)
        else deaf.add(source)
      },
      get injected() { return injected + (pages.failed ?? 0) },
    },
    get completionsNever() { return happened(completionsNever) },
    isDeaf: (source) => happened(deaf.has(source)),
    refuseCommand() {
      if (left === undefined || --left > 0) return false
      left = undefined
      return happened(true)
    },
  }
}
