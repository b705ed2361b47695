// What each step of a plan does to the machine, in the order of the plan.
import { expect, test } from 'vitest'
import type { Machine } from '@iommu/hardware'
import { apply } from '../src/programming/apply.js'

const hex = (...values: readonly bigint[]): string => values.map((value) => `0x${value.toString(16)}`).join(' ')

test('stores go to their word of the entry, and nothing is done before its turn', () => {
  const did: string[] = []
  const memory = {
    store64: (address: bigint, value: bigint) => did.push(`8 bytes ${hex(address, value)}`),
    store128: (address: bigint, first: bigint, second: bigint) => did.push(`16 bytes ${hex(address, first, second)}`),
    order: () => did.push('order'),
  }
  const queue = { submit: (commands: readonly (readonly bigint[])[]) => did.push(`submit ${commands.map((each) => hex(...each)).join(', ')}`) }
  apply({ machine: { memory } as unknown as Machine, queue: queue as never }, 0x1000n, [
    { do: 'store', index: 2, values: [1n, 2n] }, { do: 'order' }, { do: 'store', index: 1, values: [3n] },
    { do: 'invalidate', commands: [[4n, 5n], [6n, 7n]] },
  ])
  expect(did).toEqual(['16 bytes 0x1010 0x1 0x2', 'order', '8 bytes 0x1008 0x3', 'submit 0x4 0x5, 0x6 0x7'])
})
