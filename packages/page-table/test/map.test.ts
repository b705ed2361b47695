// What mapping writes: words, levels, order of stores, and what an occupied range answers.
import { errorCode } from '@iommu/core'
import type { Access } from '@iommu/core'
import type { HardwareEvent } from '@iommu/hardware'
import { describe, expect, test } from 'vitest'
import { createPageTable } from '../src/index.js'
import {
  GB1, KB4, MB2, RO, RW, WO,
  attributesOf, firstStage4, physicalOf, secondStage4, setUp, shapeName, shapes, walkAt, wordAt,
} from './setting.js'

const IOVA = 0x40_4020_0000n

describe('the words in memory are those of the worked examples', () => {
  test.each([
    ['4K RW', 0x1_2345_8000n, KB4, RW, false, 0x0000_0001_2345_8003n],
    ['4K RO', 0x1_2345_8000n, KB4, RO, false, 0x0000_0001_2345_8001n],
    ['4K write only', 0x1_2345_8000n, KB4, WO, false, 0x0000_0001_2345_8002n],
    ['2M RW', 0x4020_0000n, MB2, RW, false, 0x0000_0000_4020_0083n],
    ['4K RW SNP', 0x1_2345_8000n, KB4, RW, true, 0x0000_0001_2345_8803n],
    ['1G RW', 0x8000_0000n, GB1, RW, false, 0x0000_0000_8000_0083n],
  ])('second stage %s', (_what, physical, pageSize, access, snoop, word) => {
    const { table, memory } = setUp(secondStage4, { snoop })
    const iova = IOVA & -pageSize
    expect(table.mapPages(iova, physical, pageSize, 1, access)).toEqual({ mapped: pageSize })
    expect(wordAt(table, memory.walker, iova)).toBe(word)
    expect(attributesOf(table, memory.walker, iova).slice(0, -1).every((above) => above === 3n)).toBe(true)
  })

  test.each([
    ['4K RW', 0x1_2345_8000n, KB4, RW, 0x0000_0001_2345_8067n],
    ['4K RO', 0x1_2345_8000n, KB4, RO, 0x0000_0001_2345_8025n],
    ['2M RW', 0x4020_0000n, MB2, RW, 0x0000_0000_4020_00e7n],
    ['2M RO', 0x4020_0000n, MB2, RO, 0x0000_0000_4020_00a5n],
    ['4K RW no-execute', 0x1_2345_8000n, KB4, { ...RW, noExecute: true }, 0x8000_0001_2345_8067n],
    ['4K write only reads too', 0x1_2345_8000n, KB4, WO, 0x0000_0001_2345_8067n],
  ])('first stage %s', (_what, physical, pageSize, access: Access, word) => {
    const { table, memory } = setUp(firstStage4)
    const iova = IOVA & -pageSize
    expect(table.mapPages(iova, physical, pageSize, 1, access)).toEqual({ mapped: pageSize })
    expect(wordAt(table, memory.walker, iova)).toBe(word)
    expect(attributesOf(table, memory.walker, iova).slice(0, -1).every((above) => above === 0x27n)).toBe(true)
  })

  test('a table entry is the address of its table with the table attributes', () => {
    const tables = { start: 0x1_2345_6000n, end: 0x1_2346_0000n }
    const { table, memory } = setUp(secondStage4, { tables, bytes: 0x2_0000_0000n })
    expect(table.root).toBe(0x1_2345_6000n)
    table.mapPages(0n, 0n, KB4, 1, RW)
    expect(memory.load64(table.root)).toBe(0x0000_0001_2345_7003n)
  })
})

describe.each(shapes.map((format) => [shapeName(format), format] as const))('%s', (_name, format) => {
  test('maps at both ends of the aperture, up to the last physical page', () => {
    const { table, memory } = setUp(format)
    const last = table.aperture.end - KB4 + 1n
    expect(table.mapPages(0n, 0x3fff_ffff_f000n, KB4, 1, RW)).toEqual({ mapped: KB4 })
    expect(table.mapPages(last, 0n, KB4, 1, RO)).toEqual({ mapped: KB4 })
    expect(table.iovaToPhys(0xabcn)).toBe(0x3fff_ffff_fabcn)
    expect(table.iovaToPhys(table.aperture.end)).toBe(0xfffn)
    expect(physicalOf(walkAt(table, memory.walker, table.aperture.end))).toBe(0xfffn)
  })

  test('one call crosses leaf tables and the 4 GiB lines of both addresses', () => {
    const { table } = setUp(format)
    const [iova, physical] = [0xffff_e000n, 0x2_ffe0_0000n]
    expect(table.mapPages(iova, physical, KB4, 1500, RW)).toEqual({ mapped: 1500n * KB4 })
    for (let page = 0n; page < 1500n; page++) expect(table.iovaToPhys(iova + page * KB4)).toBe(physical + page * KB4)
    expect(table.iovaToPhys(iova - 1n)).toBeUndefined()
    expect(table.iovaToPhys(iova + 1500n * KB4)).toBeUndefined()
  })

  test('large pages keep the offset', () => {
    const { table, memory } = setUp(format)
    table.mapPages(GB1, 2n * GB1, GB1, 1, RW)
    table.mapPages(3n * GB1, MB2, MB2, 600, RW)
    for (const [iova, physical] of [
      [GB1 + 0x1234_5678n, 2n * GB1 + 0x1234_5678n],
      [3n * GB1 + 599n * MB2 + 0x1f_ffffn, 600n * MB2 + 0x1f_ffffn],
    ] as const) {
      expect(table.iovaToPhys(iova)).toBe(physical)
      expect(physicalOf(walkAt(table, memory.walker, iova))).toBe(physical)
    }
  })

  test('page sizes and aperture are the format\'s', () => {
    const { table } = setUp(format)
    expect(table.pageSizes).toBe(KB4 | MB2 | GB1)
    const bits = BigInt(12 + 9 * format.levels - format.signExtended)
    expect(table.aperture).toEqual({ start: 0n, end: (1n << bits) - 1n })
  })
})

describe('over what is mapped', () => {
  test('a live leaf ends the map, with the bytes before it exact and the leaf untouched', () => {
    const { table } = setUp(secondStage4)
    table.mapPages(0x5000n, 0x9_0000n, KB4, 1, RO)
    const { mapped, error } = table.mapPages(0x2000n, 0x10_0000n, KB4, 8, RW)
    expect([mapped, errorCode(error)]).toEqual([3n * KB4, 'EADDRINUSE'])
    expect(String(error)).toContain('iova 0x5000')
    expect([0x2000n, 0x4000n, 0x5000n, 0x6000n].map((iova) => table.iovaToPhys(iova)))
      .toEqual([0x10_0000n, 0x10_2000n, 0x9_0000n, undefined])
  })

  test('it is found in a later leaf table too', () => {
    const { table } = setUp(secondStage4)
    table.mapPages(MB2 + 0x3000n, 0n, KB4, 1, RW)
    const { mapped, error } = table.mapPages(0n, GB1, KB4, 1024, RW)
    expect([mapped, errorCode(error)]).toEqual([MB2 + 0x3000n, 'EADDRINUSE'])
  })

  test('a small page under a large leaf is refused', () => {
    const { table } = setUp(secondStage4)
    table.mapPages(0n, 0n, GB1, 1, RW)
    for (const size of [KB4, MB2, GB1]) {
      const { mapped, error } = table.mapPages(0n, GB1, size, 1, RW)
      expect([mapped, errorCode(error)]).toEqual([0n, 'EADDRINUSE'])
    }
    expect(table.tableCount).toBe(2)
  })

  test('a large leaf over a live small one is refused, after the large ones before it', () => {
    const { table } = setUp(secondStage4)
    table.mapPages(2n * MB2 + 0x7000n, 0x7000n, KB4, 1, RW)
    const { mapped, error } = table.mapPages(0n, GB1, MB2, 4, RW)
    expect([mapped, errorCode(error)]).toEqual([2n * MB2, 'EADDRINUSE'])
    expect(table.iovaToPhys(2n * MB2 + 0x7000n)).toBe(0x7000n)
    expect(table.iovaToPhys(3n * MB2)).toBeUndefined()
  })

  test('a large leaf replaces empty tables, which wait in `replaced` until they are released', () => {
    const { table, memory, gather } = setUp(secondStage4)
    for (const iova of [0n, MB2]) {
      table.mapPages(GB1 + iova, 0n, KB4, 1, RW)
      table.unmapPages(GB1 + iova, KB4, 1, gather)
    }
    expect([table.tableCount, gather.freed.length]).toEqual([5, 0])
    expect(table.mapPages(0n, 4n * GB1, GB1, 4, RW)).toEqual({ mapped: 4n * GB1 })
    expect(table.tableCount).toBe(2)
    expect([table.replaced.start, table.replaced.end, table.replaced.pageSize]).toEqual([GB1, 2n * GB1 - 1n, KB4])
    expect(table.replaced.freed.length).toBe(3)
    expect(memory.pages.live).toBe(5)
    table.release(table.replaced.freed)
    expect([memory.pages.live, table.replaced.freed.length]).toEqual([2, 0])
    expect(table.iovaToPhys(GB1 + 0x123n)).toBe(5n * GB1 + 0x123n)
  })
})

describe('a root of several concatenated tables', () => {
  const format = { ...secondStage4, rootBits: 11, inputBits: 50, apertureBits: 50 }

  test('is aligned to its size, used to its end, and given back whole', () => {
    const { table, memory, gather } = setUp(format)
    expect([memory.pages.live, table.tableCount, table.root % 0x4000n]).toEqual([4, 1, 0n])
    const last = (1n << 50n) - GB1
    table.mapPages(last, GB1, GB1, 1, RW)
    expect(memory.load64(table.root + 2047n * 8n) & 0xfffn).toBe(3n)
    expect(physicalOf(walkAt(table, memory.walker, last + 5n))).toBe(GB1 + 5n)
    expect(table.unmapPages(last, GB1, 1, gather)).toBe(GB1)
    table.free()
    expect(memory.pages.live).toBe(0)
  })
})

describe('new tables', () => {
  test('are filled and ordered before the one store that links them', () => {
    const { table, memory } = setUp(secondStage4)
    const events: HardwareEvent[] = []
    memory.events.observe((event) => events.push(event))
    table.mapPages(0n, 0x5000n, KB4, 3, RW)
    const stores = events.filter((event) => event.kind === 'store')
    const order = events.findIndex(({ kind }) => kind === 'order')
    expect(stores.length).toBe(3 + 3)
    expect(events.slice(order + 1)).toEqual([stores.at(-1)])
    expect(stores.at(-1)).toMatchObject({ address: table.root })
  })

  test.each([1, 2, 3])('where memory ends at allocation %i nothing is leaked and the progress is exact', (n) => {
    const { table, memory } = setUp(secondStage4)
    table.mapPages(0n, 0n, KB4, 512, RW)
    const before = memory.pages.live
    memory.pages.failAt(n)
    const { mapped, error } = table.mapPages(512n * GB1 - MB2, 0n, KB4, 512 + 8, RW)
    expect([mapped, errorCode(error)]).toEqual([n > 2 ? MB2 : 0n, 'ENOMEM'])
    expect(memory.pages.live).toBe(n > 2 ? before + 2 : before)
    expect(table.tableCount).toBe(memory.pages.live)
    expect(table.iovaToPhys(512n * GB1)).toBeUndefined()
  })

  test('without memory for the root there is no page table', () => {
    const { memory } = setUp(secondStage4)
    memory.pages.failAt(1)
    expect(() => createPageTable({ format: secondStage4, memory })).toThrow(expect.objectContaining({ code: 'ENOMEM' }))
  })
})

describe('the snoop bit', () => {
  test('can be enforced before the first map, and then is on every leaf', () => {
    const { table, memory } = setUp(secondStage4)
    expect(table.enforceSnoop()).toBe(true)
    table.mapPages(0n, 0n, MB2, 1, RW)
    expect(walkAt(table, memory.walker, 0n).snoop).toBe(true)
    expect(table.enforceSnoop()).toBe(true)
  })

  test('cannot be enforced once something was mapped without it, nor where the format has none', () => {
    const { table } = setUp(secondStage4)
    table.mapPages(0n, 0n, KB4, 1, RW)
    expect(table.enforceSnoop()).toBe(false)
    expect(setUp(firstStage4).table.enforceSnoop()).toBe(false)
    expect(() => setUp(firstStage4, { snoop: true })).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  })
})

test('free gives back tables that were replaced and never released', () => {
  const { table, memory, gather } = setUp(secondStage4)
  table.mapPages(0n, 0n, KB4, 1, RW)
  table.unmapPages(0n, KB4, 1, gather)
  table.mapPages(0n, 0n, MB2, 1, RW)
  expect(table.replaced.freed.length).toBe(1)
  table.free()
  expect(memory.pages.live).toBe(0)
})

test('free gives back every table, and a freed page table cannot be used', () => {
  const { table, memory } = setUp(firstStage4)
  for (let each = 0n; each < 20n; each++) {
    table.mapPages(each * 7n * GB1, each * MB2, each % 2n === 0n ? KB4 : MB2, 3, RW)
  }
  table.free()
  expect([memory.pages.live, table.tableCount]).toEqual([0, 0])
  table.free()
  expect(() => table.iovaToPhys(0n)).toThrow(RangeError)
  expect(() => table.mapPages(0n, 0n, KB4, 1, RW)).toThrow(/have been freed/)
})
