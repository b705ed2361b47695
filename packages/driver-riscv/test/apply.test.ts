// What each step of a plan does to the machine, in the order of the plan.
import { expect, test } from 'vitest'
import { noting } from '../../../tools/driver-tests/machines.js'
import { apply } from '../src/programming/apply.js'

test('stores go to their word of the context, and nothing is done before its turn', () => {
  const { did, machine, queue } = noting()
  apply({ machine, queue: queue as never }, 0x1000n, [
    { do: 'store', index: 2, value: 3n }, { do: 'order' }, { do: 'store', index: 0, value: 1n },
    { do: 'invalidate', commands: [[4n, 5n], [6n, 7n]] },
  ])
  expect(did).toEqual(['store 0x1010 0x3', 'order', 'store 0x1000 0x1', 'submit 0x4 0x5, 0x6 0x7'])
})
