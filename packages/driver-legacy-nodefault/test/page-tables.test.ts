// Small page tables of every shape: what is mapped is read back, what cannot be is refused with a sentence, and tables come and go.
import { describe, expect, test } from 'vitest'
import { createGather } from '@iommu/core'
import { PhysicalMemory } from '@iommu/hardware'
import { msmShape } from '../src/tables/msm.js'
import { mtkShape } from '../src/tables/mtk-v1.js'
import { omapShape } from '../src/tables/omap.js'
import { createSmallTable } from '../src/tables/page-table.js'
import type { SmallTable } from '../src/tables/page-table.js'
import { s390Shape } from '../src/tables/s390.js'
import { inputBits, walkShape } from '../src/tables/shape.js'
import type { Shape } from '../src/tables/shape.js'
import { gartShape } from '../src/tables/tegra-gart.js'
import { tegraShape } from '../src/tables/tegra-smmu.js'
import { memoryStorage } from '../src/unit.js'

const shapes = [msmShape, omapShape, mtkShape, tegraShape, s390Shape, gartShape]
const BOTH = { read: true, write: true }
const READ = { read: true, write: false }
const WRITE = { read: false, write: true }

interface Made { readonly memory: PhysicalMemory; readonly table: SmallTable; readonly load: (address: bigint) => bigint }
const made = (shape: Shape, aperture?: { readonly start: bigint; readonly end: bigint }): Made => {
  const memory = new PhysicalMemory()
  const storage = memoryStorage(memory, shape, true)
  return { memory, table: createSmallTable(shape, storage, aperture), load: storage.load }
}
interface Unmapped { readonly removed: bigint; readonly freed: bigint[]; readonly range: bigint[] }
const unmap = (table: SmallTable, iova: bigint, size: bigint, count = 1): Unmapped => {
  const gather = createGather()
  const removed = table.unmapPages(iova, size, count, gather)
  return { removed, freed: gather.freed, range: [gather.start, gather.end] }
}

describe.each(shapes.map((shape) => [shape.name, shape] as const))('%s', (_name, shape) => {
  const sizes = shape.levels.flatMap(({ pages }) => pages.map(({ shift }) => 1n << BigInt(shift)))
  const allowed = [BOTH, READ, WRITE].filter((access) => shape.refuses(access) === undefined)
  const top = (1n << BigInt(inputBits(shape))) - 1n
  /** The highest addresses that a page of this size can have. */
  const highest = (size: bigint): readonly [bigint, bigint] => [top + 1n - size, (1n << BigInt(shape.physicalBits)) - size]

  test('pages of every size are read back, whatever they permit, at both ends of what there is', () => {
    for (const size of sizes) {
      for (const access of allowed) {
        for (const [iova, physical] of [[0n, 0n], [size, 3n * size], highest(size)] as const) {
          const { table, load } = made(shape)
          expect(table.mapPages(iova, physical, size, 1, access)).toEqual({ mapped: size })
          expect([table.iovaToPhys(iova), table.iovaToPhys(iova + size - 1n)]).toEqual([physical, physical + size - 1n])
          const visited = walkShape(shape, load, table.root, iova + size - 1n)
          expect(visited.at(-1)?.meaning).toMatchObject({ is: 'page', physical, ...access, shift: size.toString(2).length - 1 })
          for (const { meaning } of visited.slice(0, -1)) expect(meaning).toMatchObject({ is: 'table', read: true, write: true })
          expect(table.iovaToPhys(iova === 0n ? size : 0n)).toBeUndefined()
        }
      }
    }
  })
  test('unmapping takes the page out, and the tables that it leaves empty', () => {
    for (const size of sizes) {
      const { table, memory } = made(shape)
      const root = memory.pages.live
      table.mapPages(size, size, size, 1, BOTH)
      const tables = table.parts().length - 1
      const { removed, freed, range } = unmap(table, size, size)
      expect([removed, freed.length, range, table.iovaToPhys(size)]).toEqual([size, tables, [size, 2n * size - 1n], undefined])
      table.release(freed)
      expect([memory.pages.live, freed, table.parts()]).toEqual([root, [], [{ at: table.root, depth: 0, bytes: expect.any(Number) }]])
      // And again, in the same tables.
      expect(table.mapPages(size, 2n * size, size, 1, BOTH)).toEqual({ mapped: size })
      expect(table.iovaToPhys(size)).toBe(2n * size)
      table.free()
      expect(memory.pages.live).toBe(0)
    }
  })
  test('a table goes with its last page, and not before', () => {
    const { table } = made(shape)
    table.mapPages(0x1000n, 0x1000n, 0x1000n, 2, BOTH)
    expect(unmap(table, 0x1000n, 0x1000n).freed).toEqual([])
    expect(unmap(table, 0x2000n, 0x1000n).freed).toHaveLength(shape.levels.length - 1)
  })
  test('a hole ends an unmap, and the inside of a larger page', () => {
    const { table } = made(shape)
    table.mapPages(0x1000n, 0x1000n, 0x1000n, 2, BOTH)
    expect(unmap(table, 0x1000n, 0x1000n, 5).removed).toBe(0x2000n)
    expect([unmap(table, 0x1000n, 0x1000n).removed, unmap(table, top + 1n, 0x1000n).removed]).toEqual([0n, 0n])
    const large = sizes.find((size) => size > 0x1000n)
    if (large === undefined) return
    table.mapPages(0n, 0n, large, 1, BOTH)
    expect([unmap(table, 0x1000n, 0x1000n).removed, unmap(table, 0n, 0x1000n).removed]).toEqual([0n, large])
  })
  test('over what is mapped nothing is, whatever its size', () => {
    for (const size of sizes) {
      for (const other of sizes) {
        const { table } = made(shape)
        table.mapPages(0n, 0n, size, 1, BOTH)
        const { mapped, error } = table.mapPages(0n, 0n, other, 1, BOTH)
        expect([mapped, error?.message]).toEqual([0n, expect.stringMatching(/^EADDRINUSE: (something|a larger page) is mapped there \(iova 0x0\)$/)])
        expect(table.iovaToPhys(size - 1n)).toBe(size - 1n)
      }
    }
    const { table } = made(shape)
    table.mapPages(0x3000n, 0x3000n, 0x1000n, 1, BOTH)
    expect(table.mapPages(0x2000n, 0x8000n, 0x1000n, 3, BOTH)).toMatchObject({ mapped: 0x1000n, error: { values: { iova: 0x3000n } } })
  })
  test('what cannot be mapped is refused with a sentence', () => {
    const { table } = made(shape)
    const why = (iova: bigint, physical: bigint, size: bigint, count: number, access = BOTH): string | undefined => {
      const { mapped, error } = table.mapPages(iova, physical, size, count, access)
      expect(mapped).toBe(0n)
      return error?.message
    }
    expect(why(0n, 0n, 0x1000n, 0)).toBe('EINVAL: there is no page to map (iova 0x0, physical 0x0, pageSize 0x1000)')
    expect(why(0n, 0n, 0x1000n, 1.5)).toContain('EINVAL: there is no page to map')
    expect(why(0n, 0n, 0x1000n, 1, { read: false, write: false })).toContain('EINVAL: a mapping must allow reads or writes')
    expect(why(0n, 0n, 0x2000n, 1)).toContain(`EINVAL: ${shape.name} tables have no pages of this size`)
    expect(why(0x800n, 0n, 0x1000n, 1)).toContain('EINVAL: addresses are not aligned to the page size')
    expect(why(0n, 0x800n, 0x1000n, 1)).toContain('EINVAL: addresses are not aligned to the page size')
    expect(why((1n << 64n) - 0x1000n, 0n, 0x1000n, 2)).toContain('EOVERFLOW: the range wraps')
    expect(why(0n, (1n << 64n) - 0x1000n, 0x1000n, 2)).toContain('EOVERFLOW: the range wraps')
    expect(why(top + 1n, 0n, 0x1000n, 1)).toContain('ERANGE: the device address is outside of what is translated')
    expect(why(top - 0xfffn, 0n, 0x1000n, 2)).toContain('ERANGE: the device address is outside of what is translated')
    expect(why(0n, 1n << BigInt(shape.physicalBits), 0x1000n, 1)).toContain('ERANGE: the physical address is too wide for an entry')
    for (const access of [READ, WRITE].filter((each) => !allowed.includes(each))) {
      expect(why(0n, 0n, 0x1000n, 1, access)).toContain(`EINVAL: a ${shape.name} page cannot be ${access.read ? 'read' : 'write'}-only: its entries`)
    }
  })
  test('an aperture is the whole width, or less', () => {
    expect(made(shape).table.aperture).toEqual({ start: 0n, end: top })
    const { table } = made(shape, { start: 0x10_0000n, end: 0x1f_ffffn })
    for (const iova of [0xf_f000n, 0x20_0000n]) expect(table.mapPages(iova, 0n, 0x1000n, 1, BOTH).error?.message).toContain('ERANGE')
    expect(table.mapPages(0x10_0000n, 0n, 0x1000n, 256, BOTH)).toEqual({ mapped: 0x10_0000n })
    expect([0xf_ffffn, 0x10_0000n, 0x1f_ffffn, 0x20_0000n].map((iova) => table.iovaToPhys(iova))).toEqual([undefined, 0n, 0xf_ffffn, undefined])
    expect([unmap(table, 0xf_f000n, 0x1000n, 2).removed, unmap(table, 0x1f_f000n, 0x1000n, 2).removed]).toEqual([0n, 0n])
  })
  test('without memory nothing is mapped, and nothing is left behind', () => {
    const { table, memory } = made(shape)
    const before = memory.pages.live
    for (let n = 1; n < shape.levels.length; n++) {
      memory.pages.failAt(n)
      expect(table.mapPages(0x1000n, 0n, 0x1000n, 1, BOTH).error?.message).toBe('ENOMEM: no memory for a table (iova 0x1000)')
      expect(memory.pages.live).toBe(before)
    }
    const none = new PhysicalMemory()
    none.pages.failAt(1)
    expect(() => createSmallTable(shape, memoryStorage(none, shape, true))).toThrow(`ENOMEM: no memory for a ${shape.name} root table`)
  })
  test('entries are those that hardware reads, each once', () => {
    const { table, load } = made(shape)
    table.mapPages(0x1000n, 0x1000n, 0x1000n, 2, BOTH)
    const read = [0x1000n, 0x2000n].flatMap((iova) => walkShape(shape, load, table.root, iova).map(({ address }) => address))
    expect(table.entries(0x1800n, 0x2fffn)).toEqual([...new Set(read)])
  })
  test('a table that is none of its own is not given back', () => {
    expect(() => { made(shape).table.release([0x123_4000n]) }).toThrow(new RangeError(`0x1234000 is no table of this ${shape.name} tree`))
  })
})

test('a page that is larger than its entry is in as many as it covers', () => {
  const { table, load } = made(msmShape)
  table.mapPages(0x100_0000n, 0x200_0000n, 0x100_0000n, 1, BOTH)
  const words = Array.from({ length: 18 }, (_, index) => load(table.root + BigInt((0xf + index) * 4)))
  expect(new Set(words.slice(1, 17)).size).toBe(1)
  expect([words[0], words[17]]).toEqual([0n, 0n])
  unmap(table, 0x100_0000n, 0x100_0000n)
  expect(load(table.root + 0x1fn * 4n)).toBe(0n)
})

test('s390 stores its words the other way round', () => {
  const { table, memory } = made(s390Shape)
  // Region entries begin invalid (bit 5).
  expect(memory.load64(table.root)).toBe(0x2000_0000_0000_0000n)
})

