// Which maps are refused, with which code, and that a refused call stores nothing.
import { createGather, errorCode, gatherIsEmpty } from '@iommu/core'
import { expect, test } from 'vitest'
import { GB1, KB4, MB2, RO, RW, firstStage4, secondStage4, setUp } from './setting.js'

const MAX = (1n << 64n) - KB4
const WIDTH = 1n << 46n
const NONE = { read: false, write: false }

test.each([
  ['no page', 0n, 0n, KB4, 0, RW, 'EINVAL'],
  ['a negative count', 0n, 0n, KB4, -1, RW, 'EINVAL'],
  ['half a page', 0n, 0n, KB4, 0.5, RW, 'EINVAL'],
  ['neither read nor write', 0n, 0n, KB4, 1, NONE, 'EINVAL'],
  ['page size 0', 0n, 0n, 0n, 1, RW, 'EINVAL'],
  ['an unsupported page size', 0n, 0n, 0x1_0000n, 1, RW, 'EINVAL'],
  ['two page sizes at once', 0n, 0n, KB4 | MB2, 1, RW, 'EINVAL'],
  ['a page size beyond 64 bits', 0n, 0n, KB4 << 64n, 1, RW, 'EINVAL'],
  ['an unaligned device address', 0x800n, 0n, KB4, 1, RW, 'EINVAL'],
  ['an unaligned physical address', 0n, 0x8_0000n, MB2, 1, RW, 'EINVAL'],
  ['a device address one page too high', 1n << 48n, 0n, KB4, 1, RW, 'ERANGE'],
  ['a range whose last page is too high', (1n << 48n) - KB4, 0n, KB4, 2, RW, 'ERANGE'],
  ['a negative device address', -KB4, 0n, KB4, 1, RW, 'ERANGE'],
  ['a physical address that is too wide', 0n, WIDTH, KB4, 1, RW, 'ERANGE'],
  ['a range whose last physical page is too wide', 0n, WIDTH - GB1, GB1, 2, RO, 'ERANGE'],
  ['a negative physical address', 0n, -KB4, KB4, 1, RW, 'ERANGE'],
  ['a wrapping device range', MAX, 0n, KB4, 2, RW, 'EOVERFLOW'],
  ['a wrapping physical range', 0n, MAX, KB4, 2, RW, 'EOVERFLOW'],
  ['a range of more than 2^64 bytes', 0n, 0n, GB1, 2 ** 40, RW, 'EOVERFLOW'],
  ['a device address beyond 64 bits', 1n << 64n, 0n, KB4, 1, RW, 'EOVERFLOW'],
  ['a device address whose lower 64 bits are free', (1n << 64n) + KB4, 0n, KB4, 1, RW, 'EOVERFLOW'],
  ['a device address that is that much below zero', KB4 - (1n << 64n), 0n, KB4, 1, RW, 'ERANGE'],
  ['a physical address whose lower 64 bits are there', KB4, 1n << 64n, KB4, 1, RW, 'EOVERFLOW'],
] as const)('%s is refused', (_what, iova, physical, pageSize, count, access, code) => {
  for (const flat of [false, true]) {
    const { table, memory } = setUp(secondStage4, { flat })
    let stores = 0
    const stop = memory.events.observe(() => stores++)
    const { mapped, error } = table.mapPages(iova, physical, pageSize, count, access)
    expect([mapped, errorCode(error), stores]).toEqual([0n, code, 0])
    stop()
    // Where nobody observes single pages have a way of their own; with tables that are there.
    table.mapPages(0n, 0n, KB4, 1, RW)
    table.unmapPages(0n, KB4, 1, createGather())
    const tables = table.tableCount
    expect(errorCode(table.mapPages(iova, physical, pageSize, count, access).error)).toBe(code)
    expect([table.tableCount, table.iovaToPhys(KB4)]).toEqual([tables, undefined])
  }
})

test('the result of a page mapped alone is one that nobody can change, since it is handed out again', () => {
  const { table } = setUp(secondStage4, { flat: true })
  table.mapPages(0n, 0n, KB4, 1, RW)
  const result = table.mapPages(KB4, KB4, KB4, 1, RW)
  expect(result).toEqual({ mapped: KB4 })
  expect(Object.isFrozen(result)).toBe(true)
})

test('the upper canonical half of a first stage is not for mapping', () => {
  const { table } = setUp(firstStage4)
  expect(table.aperture.end).toBe((1n << 47n) - 1n)
  for (const iova of [1n << 47n, 0xffff_8000_0000_0000n]) {
    expect(errorCode(table.mapPages(iova, 0n, KB4, 1, RW).error)).toBe('ERANGE')
    expect(table.iovaToPhys(iova)).toBeUndefined()
  }
})

test('the error names the values in hex', () => {
  const { table } = setUp(secondStage4)
  expect(String(table.mapPages(0x800n, 0x5000n, KB4, 1, RW).error)).toMatch(
    /EINVAL: .*iova 0x800, physical 0x5000, pageSize 0x1000, count 0x1/)
})

test.each([
  ['no page', 0n, KB4, 0],
  ['an unsupported page size', 0n, 0x2000n, 1],
  ['an unaligned address', 0x1000n, MB2, 1],
  ['a range beyond the aperture', (1n << 48n) - KB4, KB4, 2],
  ['an address beyond 64 bits', 1n << 64n, KB4, 1],
] as const)('%s unmaps nothing', (_what, iova, pageSize, count) => {
  const { table } = setUp(secondStage4)
  table.mapPages(0n, 0n, KB4, 512, RW)
  const gather = createGather()
  expect(table.unmapPages(iova, pageSize, count, gather)).toBe(0n)
  expect(gatherIsEmpty(gather)).toBe(true)
})
