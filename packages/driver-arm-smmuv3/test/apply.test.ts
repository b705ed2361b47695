// What each step of a plan does to the machine, in the order of the plan.
import { expect, test } from 'vitest'
import { noting } from '../../../tools/driver-tests/machines.js'
import { apply } from '../src/programming/apply.js'

const done = (coherent: boolean): string[] => {
  const { did, machine, queue } = noting()
  apply({ machine, queue: queue as never, coherent }, 0x1000n, 64, [
    { do: 'store', index: 2, value: 3n }, { do: 'order' }, { do: 'store', index: 0, value: 1n }, { do: 'write-back' },
    { do: 'invalidate', commands: [[4n, 5n], [6n, 7n]] },
  ])
  return did
}

test('stores go to their word of the entry, and nothing is done before its turn', () => {
  expect(done(false)).toEqual([
    'store 0x1010 0x3', 'order', 'store 0x1000 0x1', 'write back 0x1000 64', 'submit 0x4 0x5, 0x6 0x7',
  ])
})
test('nothing is written back where the SMMU snoops', () => expect(done(true).filter((each) => each.startsWith('write'))).toEqual([]))
