// What each step of a plan does to the machine, in the order of the plan.
import { expect, test } from 'vitest'
import { noting } from '../../../tools/driver-tests/machines.js'
import { apply } from '../src/programming/apply.js'

test('stores go to their word of the entry, and nothing is done before its turn', () => {
  const { did, machine, queue } = noting()
  apply({ machine, queue: queue as never }, 0x1000n, [
    { do: 'store', index: 2, values: [1n, 2n] }, { do: 'order' }, { do: 'store', index: 1, values: [3n] },
    { do: 'invalidate', commands: [[4n, 5n], [6n, 7n]] },
  ])
  expect(did).toEqual(['store 0x1010 0x1 0x2', 'order', 'store 0x1008 0x3', 'submit 0x4 0x5, 0x6 0x7'])
})
