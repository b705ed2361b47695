// The one place that stores: carries out a plan on a unit.
import type { Machine } from '@iommu/hardware'
import type { PlanStep } from './plan.js'
import type { CommandQueue } from './queue.js'

/** What a plan is carried out on. */
export interface Target {
  readonly machine: Machine
  readonly queue: CommandQueue
}

/** Carries out the steps on the context at `address`. Throws what the queue throws, with the stores made so far. */
export const apply = ({ machine, queue }: Target, address: bigint, steps: readonly PlanStep[]): void => {
  for (const step of steps) {
    switch (step.do) {
      case 'store': machine.memory.store64(address + BigInt(step.index * 8), step.value); break
      case 'order': machine.memory.order(); break
      case 'invalidate': queue.submit(step.commands); break
      default: step satisfies never
    }
  }
}
