// The one place that stores: carries out a plan on an IOMMU.
import type { Machine } from '@iommu/hardware'
import type { PlanStep } from './plan.js'
import type { CommandQueue } from './queue.js'

/** What a plan is carried out on. */
export interface Target {
  readonly machine: Machine
  readonly queue: CommandQueue
}

/** Carries out the steps on the entry at `address`. Throws what the queue throws, with the stores made so far. */
export const apply = ({ machine: { memory }, queue }: Target, address: bigint, steps: readonly PlanStep[]): void => {
  for (const step of steps) {
    switch (step.do) {
      case 'store': {
        const at = address + BigInt(step.index * 8)
        const [first, second] = step.values
        if (second === undefined) memory.store64(at, first)
        else memory.store128(at, first, second)
        break
      }
      case 'order': memory.order(); break
      case 'invalidate': queue.submit(step.commands); break
      default: step satisfies never
    }
  }
}
