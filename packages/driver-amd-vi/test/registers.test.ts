// How an IOMMU goes on, as literal register writes: everything of a former owner is off before anything is pointed elsewhere.
import { expect, test } from 'vitest'
import { createRegisters } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import { hex } from '../../../tools/driver-tests/spell.js'
import { enableTranslation, prepare, restartEvents } from '../src/programming/registers.js'

/** What is written to registers that begin with these values. */
const written = (begin: Readonly<Record<number, bigint>>, act: (machine: Machine) => void): string[] => {
  const values = new Map(Object.entries(begin).map(([offset, value]) => [Number(offset), value]))
  const did: string[] = []
  const registers = createRegisters({
    read: (offset) => values.get(offset) ?? 0n,
    write(offset, _bits, value) {
      values.set(offset, value)
      did.push(hex(offset, value))
    },
  })
  act({ registers } as unknown as Machine)
  return did
}
const places = { table: { base: 0x13a_8000n, pages: 4 }, commands: { base: 0x13a_2000n, length: 9 }, events: { base: 0x32f_0000n, length: 9 } }

test('over a unit that somebody has left on; the bases are those that Linux set on a real machine', () => {
  // Control as recorded: x2APIC bits and interrupts stay as they are.
  expect(written({ 0x18: 0x000c_0000_0003_148fn }, (machine) => prepare(machine, places, false))).toEqual([
    '0x18 0xc00000002048a',
    '0x0 0x13a8003', '0x8 0x9000000013a2000',
    '0x18 0xc00000002048a', '0x2000 0x0', '0x2008 0x0', '0x18 0xc00000002148a',
    '0x10 0x9000000032f0000',
    '0x18 0xc00000002148a', '0x2010 0x0', '0x2018 0x0', '0x18 0xc00000002148e',
    '0x18 0xc00000002148e',
  ])
})
test('guest translation where there is any, and translation last', () => {
  expect(written({}, (machine) => {
    prepare(machine, places, true)
    enableTranslation(machine)
  }).slice(-2)).toEqual(['0x18 0x11404', '0x18 0x11405'])
})
test('an event log that has overflowed is switched off, emptied and switched on', () => {
  expect(written({ 0x18: 5n }, restartEvents)).toEqual(['0x18 0x1', '0x2010 0x0', '0x2018 0x0', '0x18 0x5'])
})
