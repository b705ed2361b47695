// What each step of a plan does to the machine, in the order of the plan.
import { expect, test } from 'vitest'
import type { Machine } from '@iommu/hardware'
import { apply } from '../src/programming/apply.js'
import type { PlanStep } from '../src/programming/plan.js'

const hex = (...values: readonly bigint[]): string => values.map((value) => `0x${value.toString(16)}`).join(' ')
const steps: readonly PlanStep[] = [
  { do: 'store', index: 2, value: 3n }, { do: 'order' }, { do: 'store', index: 0, value: 1n }, { do: 'write-back' },
  { do: 'invalidate', commands: [[4n, 5n], [6n, 7n]] },
]
const done = (coherent: boolean): string[] => {
  const did: string[] = []
  const memory = {
    store64: (address: bigint, value: bigint) => did.push(`store ${hex(address, value)}`),
    order: () => did.push('order'),
    writeBack: (address: bigint, bytes: number) => did.push(`write back ${hex(address)} ${bytes}`),
  }
  const queue = { submit: (words: readonly (readonly bigint[])[]) => did.push(`submit ${words.map((each) => hex(...each)).join(', ')}`) }
  apply({ machine: { memory } as unknown as Machine, queue: queue as never, coherent }, 0x1000n, 64, steps)
  return did
}

test('stores go to their word of the entry, and nothing is done before its turn', () => {
  expect(done(false)).toEqual([
    'store 0x1010 0x3', 'order', 'store 0x1000 0x1', 'write back 0x1000 64', 'submit 0x4 0x5, 0x6 0x7',
  ])
})
test('nothing is written back where the SMMU snoops', () => expect(done(true).filter((each) => each.startsWith('write'))).toEqual([]))
