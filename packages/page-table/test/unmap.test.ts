// What unmapping removes, what it answers, and which tables it hands over.
import { gatherIsEmpty } from '@iommu/core'
import { describe, expect, test } from 'vitest'
import { GB1, KB4, MB2, RW, physicalOf, secondStage4, setUp, shapeName, shapes, walkAt } from './setting.js'

describe('holes and partial leaves', () => {
  test('it stops at the first hole and answers the bytes before it', () => {
    const { table, gather } = setUp(secondStage4)
    table.mapPages(0n, 0n, KB4, 3, RW)
    table.mapPages(0x5000n, 0n, KB4, 3, RW)
    expect(table.unmapPages(0n, KB4, 8, gather)).toBe(3n * KB4)
    expect([gather.start, gather.end, gather.pageSize]).toEqual([0n, 0x2fffn, KB4])
    expect(table.iovaToPhys(0x5000n)).toBe(0n)
  })

  test.each([['no entry', 0n], ['no table', 5n * GB1]])('%s at the start: 0, and nothing gathered', (_what, iova) => {
    const { table, gather } = setUp(secondStage4)
    table.mapPages(KB4, 0n, KB4, 1, RW)
    expect(table.unmapPages(iova, KB4, 4, gather)).toBe(0n)
    expect(gatherIsEmpty(gather)).toBe(true)
  })

  test('a start inside a large leaf contributes nothing and leaves it whole', () => {
    const { table, gather } = setUp(secondStage4)
    table.mapPages(0n, 0n, MB2, 2, RW)
    expect(table.unmapPages(KB4, KB4, 600, gather)).toBe(0n)
    expect(table.iovaToPhys(MB2)).toBe(MB2)
  })

  test('an end inside a large leaf removes it whole and answers more than was asked', () => {
    const { table, memory, gather } = setUp(secondStage4)
    table.mapPages(0n, 0n, GB1, 1, RW)
    table.mapPages(GB1, GB1, KB4, 1, RW)
    expect(table.unmapPages(0n, KB4, 1, gather)).toBe(GB1)
    expect([gather.start, gather.end, gather.pageSize]).toEqual([0n, GB1 - 1n, GB1])
    expect(physicalOf(walkAt(table, memory.walker, GB1 - 1n))).toBeUndefined()
    expect(table.iovaToPhys(GB1)).toBe(GB1)
  })

  test('one range over leaves of all sizes; the gather has the smallest', () => {
    const { table, gather } = setUp(secondStage4)
    table.mapPages(GB1 - MB2 - 2n * KB4, 0n, KB4, 2, RW)
    table.mapPages(GB1 - MB2, 0n, MB2, 1, RW)
    table.mapPages(GB1, 0n, GB1, 2, RW)
    table.mapPages(3n * GB1, 0n, KB4, 1, RW)
    const bytes = MB2 + 2n * KB4 + 2n * GB1
    expect(table.unmapPages(GB1 - MB2 - 2n * KB4, KB4, Number(bytes / KB4), gather)).toBe(bytes)
    expect(gather.pageSize).toBe(KB4)
    expect(table.iovaToPhys(3n * GB1 - 1n)).toBeUndefined()
    expect(table.iovaToPhys(3n * GB1)).toBe(0n)
  })
})

describe('tables', () => {
  test('that the range covers are handed over, not freed', () => {
    const { table, memory, gather } = setUp(secondStage4)
    table.mapPages(0n, 0n, KB4, 1024 + 5, RW)
    expect(table.tableCount).toBe(1 + 1 + 1 + 3)
    expect(table.unmapPages(0n, KB4, 1024 + 5, gather)).toBe(2n * MB2 + 5n * KB4)
    expect([gather.freed.length, table.tableCount, memory.pages.live]).toEqual([2, 4, 6])
    table.release(gather.freed)
    expect([gather.freed, memory.pages.live]).toEqual([[], 4])
  })

  test('are cut off with the store after the last leaf of theirs', () => {
    const { table, memory, gather } = setUp(secondStage4)
    table.mapPages(0n, 0n, KB4, 512, RW)
    const stores: bigint[] = []
    memory.events.observe((event) => event.kind === 'store' && stores.push(event.address & ~0xfffn))
    table.unmapPages(0n, KB4, 512, gather)
    expect(stores.length).toBe(513)
    expect(new Set(stores.slice(0, 512))).toEqual(new Set(gather.freed))
    expect(gather.freed).not.toContain(stores[512])
  })

  test('go level by level where the range covers upper tables too', () => {
    const { table, memory, gather } = setUp(secondStage4)
    table.mapPages(0n, 0n, MB2, 512, RW)
    table.mapPages(GB1, 0n, KB4, 512 * 512, RW)
    expect(table.tableCount).toBe(2 + 1 + 1 + 512)
    expect(table.unmapPages(0n, GB1, 2, gather)).toBe(2n * GB1)
    expect([gather.freed.length, table.tableCount]).toEqual([514, 2])
    table.free()
    expect(memory.pages.live).toBe(514)
    table.release(gather.freed)
    expect(memory.pages.live).toBe(0)
  })

  test('stay where the range covers only what is mapped in them', () => {
    const { table, gather } = setUp(secondStage4)
    table.mapPages(KB4, 0n, KB4, 511, RW)
    expect(table.unmapPages(KB4, KB4, 511, gather)).toBe(511n * KB4)
    expect([gather.freed.length, table.tableCount]).toEqual([0, 4])
  })

  test('stay where the range ends inside the last leaf of theirs', () => {
    const { table, gather } = setUp(secondStage4)
    table.mapPages(0n, 0n, MB2, 512, RW)
    expect(table.unmapPages(0n, KB4, 512 * 512 - 1, gather)).toBe(GB1)
    expect([gather.freed.length, table.tableCount]).toEqual([0, 3])
  })

  test('stay where single calls empty them', () => {
    const { table, gather } = setUp(secondStage4)
    table.mapPages(0n, 0n, KB4, 512, RW)
    for (let page = 0n; page < 512n; page++) expect(table.unmapPages(page * KB4, KB4, 1, gather)).toBe(KB4)
    expect([gather.freed.length, table.tableCount]).toEqual([0, 4])
    expect([gather.start, gather.end]).toEqual([0n, MB2 - 1n])
  })
})

const named = shapes.map((format) => [shapeName(format), format] as const)

test.each(named)('%s: everything goes in one call, the root stays', (_name, format) => {
  const { table, memory, gather } = setUp(format)
  const count = Number((table.aperture.end + 1n) / GB1)
  expect(table.mapPages(0n, 0n, GB1, Math.min(count, 65536), RW).error).toBeUndefined()
  expect(table.unmapPages(0n, GB1, Math.min(count, 65536), gather)).toBe(BigInt(Math.min(count, 65536)) * GB1)
  table.release(gather.freed)
  expect(memory.pages.live).toBe(table.tableCount)
  expect(table.tableCount).toBeLessThanOrEqual(format.levels === 5 ? 2 : 1)
})
