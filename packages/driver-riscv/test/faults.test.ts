// What is read from the fault queue, by literal words, around its end, and how it is cleared.
import { expect, test } from 'vitest'
import { createRegisters, PhysicalMemory } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import { putWords } from '../../../tools/driver-tests/dma.js'
import { hex } from '../../../tools/driver-tests/spell.js'
import { readFaults } from '../src/programming/faults.js'
import type { FaultReport } from '../src/programming/faults.js'
import { OFFSETS } from '../src/tables/index.js'

const BASE = 0x10_0000n
type Words = readonly [bigint, bigint, bigint, bigint]

/** A queue of 4 records, by its head, its tail and its status. */
const read = (records: Readonly<Record<number, Words>>, head: number, tail: number, status = 0x1_0001n): FaultReport & { readonly did: string[] } => {
  const memory = new PhysicalMemory()
  for (const [index, words] of Object.entries(records)) putWords({ memory }, BASE + BigInt(Number(index) * 32), words)
  const values = new Map<number, bigint>([[OFFSETS.fqh, BigInt(head)], [OFFSETS.fqt, BigInt(tail)], [OFFSETS.fqcsr, status]])
  const did: string[] = []
  const registers = createRegisters({
    read: (offset) => values.get(offset) ?? 0n,
    write: (offset, _bits, value) => void did.push(hex(offset, value)),
  })
  return { ...readFaults({ memory, registers } as unknown as Machine, BASE, 2), did }
}

// CAUSE 11:0, PID 31:12, PV 32, TTYP 39:34, DID 63:40; IOTVAL 191:128.
const WITH_PROCESS: Words = [0x1_1009_1234_500dn, 7n, 0x5000n, 9n]
const PLAIN: Words = [0x1_100c_0000_0102n, 0n, 0x1234_5000n, 0n]
const UNKNOWN: Words = [0x1_10fc_0000_0123n, 0n, 0n, 0n]

test('records are taken from head to tail, around the end', () => {
  expect(read({ 3: WITH_PROCESS, 0: PLAIN, 1: UNKNOWN }, 3, 2)).toEqual({
    faults: [
      { source: 0x110, pasid: 0x12345, address: 0x5000n, transaction: 'untranslated read', code: 13 },
      { source: 0x110, address: 0x1234_5000n, transaction: 'untranslated write', code: 258 },
      { source: 0x110, address: 0n, transaction: undefined, code: 0x123 },
    ],
    overflow: false,
    did: ['0x30 0x2'],
  })
})
test('nothing is taken where head and tail meet', () => expect(read({ 0: PLAIN }, 1, 1)).toEqual({ faults: [], overflow: false, did: ['0x30 0x1'] }))
test('an overflow is told and cleared, one of memory too, and the queue stays on', () => {
  expect(read({ 0: PLAIN }, 0, 1, 0x1_0201n)).toMatchObject({ overflow: true, did: ['0x30 0x1', '0x4c 0x201'] })
  expect(read({ 0: PLAIN }, 0, 1, 0x1_0101n)).toMatchObject({ overflow: true, did: ['0x30 0x1', '0x4c 0x101'] })
})
