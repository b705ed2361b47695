// What is read from the fault recording registers, by literal words, and what is written to clear them.
import { expect, test } from 'vitest'
import { createRegisters } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import { hex } from '../../../tools/driver-tests/spell.js'
import { readFaults } from '../src/programming/faults.js'
import type { FaultReport } from '../src/programming/faults.js'
import { OFFSETS } from '../src/tables/index.js'

const F = 1n << 63n
/** Four records at 0x400, some of them taken. */
const read = (status: bigint, records: Readonly<Record<number, readonly [bigint, bigint]>>): FaultReport & { readonly written: string[] } => {
  const values = new Map<number, bigint>([[OFFSETS.FSTS, status]])
  for (const [index, [low, high]] of Object.entries(records)) {
    values.set(0x400 + Number(index) * 16, low)
    values.set(0x408 + Number(index) * 16, high)
  }
  const written: string[] = []
  const registers = createRegisters({
    read: (offset) => values.get(offset) ?? 0n,
    write: (offset, bits, value) => void written.push(`${bits} ${hex(offset, value)}`),
  })
  return { ...readFaults({ registers } as unknown as Machine, 0x400, 4), written }
}

// T is bit 126, FR 103:96, PV 123:104, PP 95, SID 79:64, FI 63:12.
test('records are taken from the index on, around the end, and cleared one by one', () => {
  expect(read(0x302n, {
    3: [0x5000n, F | 0x4000_0059_0000_0020n],
    0: [0x1234_5678_9000n, F | 0x0123_4571_8000_0110n],
  })).toEqual({
    faults: [
      { source: 0x20, address: 0x5000n, access: 'read', code: 0x59 },
      { source: 0x110, pasid: 0x12345, address: 0x1234_5678_9000n, access: 'write', code: 0x71 },
    ],
    overflow: false,
    written: ['64 0x438 0x8000000000000000', '64 0x408 0x8000000000000000'],
  })
})
test('no more than there are registers, and none behind one that is free', () => {
  const record = [0x5000n, F | 0x59_0000_0020n] as const
  expect(read(0x102n, { 0: record, 1: record, 2: record, 3: record }).faults).toHaveLength(4)
  expect(read(0x2n, { 0: record, 2: record })).toMatchObject({ faults: [{ code: 0x59 }], written: ['64 0x408 0x8000000000000000'] })
})
test('nothing is read where nothing is pending; an overflow is told and cleared', () => {
  const record = [0x5000n, F | 0x59_0000_0020n] as const
  expect(read(0n, { 0: record })).toEqual({ faults: [], overflow: false, written: [] })
  expect(read(0x1n, { 0: record })).toEqual({ faults: [], overflow: true, written: ['32 0x34 0x1'] })
  expect(read(0x3n, { 0: record })).toMatchObject({ faults: [{}], overflow: true })
})
