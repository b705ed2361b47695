// What each step of a plan does to the machine, in the order of the plan.
import { expect, test } from 'vitest'
import type { Machine } from '@iommu/hardware'
import { apply } from '../src/programming/apply.js'

const hex = (...values: readonly bigint[]): string => values.map((value) => `0x${value.toString(16)}`).join(' ')

test('stores go to their word of the context, and nothing is done before its turn', () => {
  const did: string[] = []
  const memory = {
    store64: (address: bigint, value: bigint) => did.push(`store ${hex(address, value)}`),
    order: () => did.push('order'),
  }
  const queue = { submit: (commands: readonly (readonly bigint[])[]) => did.push(`submit ${commands.map((each) => hex(...each)).join(', ')}`) }
  apply({ machine: { memory } as unknown as Machine, queue: queue as never }, 0x1000n, [
    { do: 'store', index: 2, value: 3n }, { do: 'order' }, { do: 'store', index: 0, value: 1n },
    { do: 'invalidate', commands: [[4n, 5n], [6n, 7n]] },
  ])
  expect(did).toEqual(['store 0x1010 0x3', 'order', 'store 0x1000 0x1', 'submit 0x4 0x5, 0x6 0x7'])
})
