// What each step of a plan does to the machine, in the order of the plan.
import { expect, test } from 'vitest'
import { noting } from '../../../tools/driver-tests/machines.js'
import { hex } from '../../../tools/driver-tests/spell.js'
import { apply } from '../src/programming/apply.js'
import { OFFSETS } from '../src/tables/index.js'

const done = (coherent: boolean): string[] => {
  const { did, machine, queue } = noting((note) => ({
    registers: {
      read32: () => 0,
      write32: (offset: number, value: number) => note(`${offset === OFFSETS.GCMD ? 'GCMD' : offset} ${hex(BigInt(value))}`),
      poll: (read: () => number, until: (value: number) => boolean) => ({ done: until(read()), value: 0 }),
    },
  }))
  apply({ machine, queue: queue as never, coherent }, 0x1000n, 64, [
    { do: 'store', index: 2, value: 3n }, { do: 'order' }, { do: 'store', index: 0, value: 1n }, { do: 'write-back' },
    { do: 'invalidate', descriptors: [[4n, 5n], [6n, 7n]] }, { do: 'flush-write-buffer' },
  ])
  return did
}

test('stores go to their word of the entry, and nothing is done before its turn', () => {
  expect(done(false)).toEqual([
    'store 0x1010 0x3', 'order', 'store 0x1000 0x1', 'write back 0x1000 64', 'submit 0x4 0x5, 0x6 0x7', 'GCMD 0x8000000',
  ])
})
test('nothing is written back where walks snoop', () => expect(done(true).filter((each) => each.startsWith('write'))).toEqual([]))
