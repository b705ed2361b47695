// What is read from the event queue, by literal words, around its end, and how it is acknowledged.
import { expect, test } from 'vitest'
import { createRegisters, PhysicalMemory } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import { putWords } from '../../../tools/driver-tests/dma.js'
import { hex } from '../../../tools/driver-tests/spell.js'
import { readEvents } from '../src/programming/events.js'
import type { EventReport } from '../src/programming/events.js'
import { OFFSETS } from '../src/tables/index.js'

const BASE = 0x10_0000n
type Words = readonly [bigint, bigint, bigint, bigint]

/** A queue of 4 records, by its two index registers. */
const read = (records: Readonly<Record<number, Words>>, produced: number, consumed: number): EventReport & { readonly acknowledged: string } => {
  const memory = new PhysicalMemory()
  for (const [index, words] of Object.entries(records)) putWords({ memory }, BASE + BigInt(Number(index) * 32), words)
  const values = new Map([[OFFSETS.EVENTQ_PROD as number, BigInt(produced)], [OFFSETS.EVENTQ_CONS, BigInt(consumed)]])
  const registers = createRegisters({ read: (offset) => values.get(offset) ?? 0n, write: (offset, _bits, value) => void values.set(offset, value) })
  const report = readEvents({ memory, registers } as unknown as Machine, { base: BASE, log2size: 2 })
  return { ...report, acknowledged: hex(values.get(OFFSETS.EVENTQ_CONS) as bigint) }
}
const one = (...words: Words): EventReport['events'][number] | undefined => read({ 0: words }, 1, 0).events[0]

// ID 7:0, SSV 11, SSID 31:12, SID 63:32; STAG 79:64, Stall 95, RnW 99, S2 103; InputAddr 191:128.
test('a translation fault with SSID, of stage 1', () => {
  expect(one(0x110_0123_4810n, 0x8_0000_0000n, 0x5000n, 0n)).toStrictEqual({
    source: 0x110, pasid: 0x1234, code: 0x10, name: 'F_TRANSLATION', address: 0x5000n, access: 'read', stage: 1,
  })
})
test('a write without SSID that waits for an answer, of stage 2', () => {
  expect(one(0x110_0123_4013n, 0x80_8000_0007n, 0x5000n, 0n)).toEqual({
    source: 0x110, code: 0x13, name: 'F_PERMISSION', address: 0x5000n, access: 'write', stage: 2, stalled: 7,
  })
})
test('a structure that cannot be read has an address, and is no access', () => {
  expect(one(0x110_0000_0003n, 0n, 0n, 0x1234_5678n)).toStrictEqual({
    source: 0x110, code: 0x03, name: 'F_STE_FETCH', fetch: 0x1234_5678n & ~7n,
  })
})
test('one that has neither says so by its head alone', () => {
  expect(one(0x110_0000_0006n, ~0n & (1n << 64n) - 1n, 0n, 0n)).toStrictEqual({ source: 0x110, code: 0x06, name: 'F_STREAM_DISABLED' })
})
test('a code that is not known has no name', () => {
  expect(one(0x110_0000_0030n, 0n, 0n, 0n)).toEqual({ source: 0x110, code: 0x30, name: undefined })
})

const [a, b, c] = [0x10n, 0x11n, 0x12n].map((code) => [code, 0n, 0n, 0n] as const) as [Words, Words, Words]
const codes = ({ events }: EventReport): number[] => events.map(({ code }) => code)

test('oldest first, around the end: indexes have a wrap bit', () => {
  const around = read({ 3: a, 0: b, 1: c }, 6, 3)
  expect([codes(around), around.overflow, around.acknowledged]).toEqual([[0x10, 0x11, 0x12], false, '0x6'])
  const back = read({ 3: a, 0: b }, 1, 7)
  expect([codes(back), back.acknowledged]).toEqual([[0x10, 0x11], '0x1'])
  expect(codes(read({ 0: a, 1: a, 2: b, 3: c }, 4, 0))).toEqual([0x10, 0x10, 0x11, 0x12])
})
test('nothing is taken from an empty queue', () => expect(read({ 0: a }, 5, 5)).toEqual({ events: [], overflow: false, acknowledged: '0x5' }))
test('an overflow is told once, and acknowledged by the same flag', () => {
  expect(read({ 0: a }, 0x8000_0001, 0)).toMatchObject({ overflow: true, acknowledged: '0x80000001' })
  expect(read({ 0: a }, 0x8000_0001, 0x8000_0000)).toMatchObject({ overflow: false, acknowledged: '0x80000001' })
  expect(read({ 0: a }, 1, 0x8000_0000)).toMatchObject({ overflow: true, acknowledged: '0x1' })
})
