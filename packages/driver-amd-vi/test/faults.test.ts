// What is read from the event log, by literal words: which codes have a source, a PASID and an access.
import { expect, test } from 'vitest'
import { createRegisters, PhysicalMemory } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import { withoutMemory } from '../../../tools/driver-tests/machines.js'
import { createEventReader } from '../src/programming/faults.js'
import type { EventReader, RecordedFault } from '../src/programming/faults.js'
import { OFFSETS } from '../src/tables/index.js'

/** Reads one event. */
const read = (first: bigint, second: bigint): Omit<RecordedFault, 'words'> => {
  const memory = new PhysicalMemory()
  const values = new Map<number, bigint>()
  const registers = createRegisters({
    read: (offset) => values.get(offset) ?? 0n,
    write: (offset, _bits, value) => void values.set(offset, value),
  })
  const { base, take } = createEventReader({ memory, registers } as unknown as Machine) as EventReader
  memory.store128(base, first, second)
  values.set(OFFSETS.EVT_TAIL, 16n)
  const { faults: [fault] } = take()
  expect([memory.load64(base), memory.load64(base + 8n), values.get(OFFSETS.EVT_HEAD), fault?.words]).toEqual([0n, 0n, 16n, [first, second]])
  const { words: _words, ...rest } = fault as RecordedFault
  return rest
}

test.each<[string, bigint, bigint, Omit<RecordedFault, 'words'>]>([
  ['a page fault of a domain', 0x2020_0005_0000_0110n, 0x5000n, { code: 2, source: 0x110, address: 0x5000n, access: 'write' }],
  ['a page fault with PASID, in two runs', 0x2001_2345_0001_0110n, 0x5000n, { code: 2, source: 0x110, pasid: 0x12345, address: 0x5000n, access: 'read' }],
  ['PASID 0 is none', 0x2001_0000_0000_0110n, 0x5000n, { code: 2, source: 0x110, address: 0x5000n, access: 'read' }],
  ['an entry that is wrong', 0x1000_0000_0000_0110n, 0x6000n, { code: 1, source: 0x110, address: 0x6000n, access: 'read' }],
  ['a table that cannot be read', 0x4001_0007_0000_0110n, 0x7000n, { code: 4, source: 0x110, pasid: 7, address: 0x7000n, access: 'read' }],
  ['a device table that cannot be read', 0x3020_0000_0000_0110n, 0x7000n, { code: 3, source: 0x110, address: 0x7000n, access: 'write' }],
  ['a refused command is no device\'s', 0x5001_0005_0000_0110n, 0x8000n, { code: 5, address: 0x8000n }],
  ['a buffer that cannot be read too', 0x6001_0005_0000_0110n, 0x8000n, { code: 6, address: 0x8000n }],
  ['a silent device', 0x7001_0005_0000_0110n, 0x9000n, { code: 7, source: 0x110, address: 0x9000n }],
  ['a refused request', 0x8000_0000_0000_0110n, 0xa000n, { code: 8, source: 0x110, address: 0xa000n }],
  ['a refused request with PASID', 0x8000_2345_0001_0110n, 0xa000n, { code: 8, source: 0x110, pasid: 0x12345, address: 0xa000n }],
])('%s', (_what, first, second, expected) => expect(read(first, second)).toEqual(expected))

test('nothing is taken where there is no memory', () => {
  expect(createEventReader(withoutMemory(1))).toBeUndefined()
})
