// AMD's host tables: words of the worked examples, every leaf size, entries that skip levels, and a root that grows.
import { IommuError, createGather, errorCode } from '@iommu/core'
import { PhysicalMemory, addresses } from '@iommu/hardware'
import type { HardwareEvent } from '@iommu/hardware'
import { describe, expect, test } from 'vitest'
import { ABSENT, LEAF, RESERVED, amdV1, createWalkResult, walk } from '../src/index.js'
import type { PageTable, WalkResult } from '../src/index.js'
import { KB4, MB2, RO, RW, WO, attributesOf, physicalOf, setUp, walkAt, wordAt } from './setting.js'

const format = amdV1({ levels: 6, addressBits: 48 })
const three = amdV1({ levels: 3, addressBits: 48 })

describe('the words in memory are those of the worked examples', () => {
  test.each([
    ['4K RW', 0x1_2345_8000n, 12, RW, 0x7000_0001_2345_8001n],
    ['4K RO', 0x1_2345_8000n, 12, RO, 0x3000_0001_2345_8001n],
    ['4K WO', 0x1_2345_8000n, 12, WO, 0x5000_0001_2345_8001n],
    ['8K, twice', 0x1_2345_8000n, 13, RW, 0x7000_0001_2345_8e01n],
    ['64K, 16 times', 0x1_2346_0000n, 16, RW, 0x7000_0001_2346_7e01n],
    ['32M, 16 times', 0x4200_0000n, 25, RW, 0x7000_0000_42ff_fe01n],
    ['2M', 0x4020_0000n, 21, RW, 0x7000_0000_4020_0001n],
  ])('%s', (_what, physical, shift, access, word) => {
    const { table, memory } = setUp(three, { snoop: true })
    const size = 1n << BigInt(shift)
    const entry = shift < 21 ? KB4 : MB2
    expect(table.mapPages(2n * size, physical, size, 1, access)).toEqual({ mapped: size })
    for (let at = 2n * size; at < 3n * size; at += entry) expect(wordAt(table, memory.walker, at)).toBe(word)
    expect(walkAt(table, memory.walker, 2n * size - entry).status).toBe(ABSENT)
    expect(walkAt(table, memory.walker, 3n * size).status).toBe(ABSENT)
    expect(physicalOf(walkAt(table, memory.walker, 3n * size - 1n))).toBe(physical + size - 1n)
  })

  test('links name the level below, and permit everything', () => {
    const { table, memory } = setUp(three)
    table.mapPages(0n, 0n, KB4, 1, RO)
    expect(attributesOf(table, memory.walker, 0n).slice(0, 2)).toEqual([0x6000_0000_0000_0401n, 0x6000_0000_0000_0201n])
  })

  test('page sizes are all powers of two but 512 GiB', () => {
    expect(setUp(format).table.pageSizes).toBe(0x000f_ff7f_ffff_f000n)
    expect(setUp(three).table.pageSizes).toBe(0x0000_007f_ffff_f000n)
  })
})

describe('pages of several entries', () => {
  test('are removed whole where the end lies in them, and not at all where the start does', () => {
    const { table, gather } = setUp(three)
    table.mapPages(0x1_0000n, 0x1_0000n, 0x1_0000n, 2, RW)
    table.mapPages(0x3_0000n, 0n, KB4, 1, RW)
    expect(table.unmapPages(0x1_1000n, KB4, 4, gather)).toBe(0n)
    expect(table.unmapPages(0x1_0000n, KB4, 17, gather)).toBe(0x2_0000n)
    expect([gather.start, gather.end, gather.pageSize]).toEqual([0x1_0000n, 0x2_ffffn, 0x1_0000n])
    expect(table.iovaToPhys(0x3_0000n)).toBe(0n)
  })

  test('of different sizes go in one call, and the gather has the smallest', () => {
    const { table, gather } = setUp(three)
    table.mapPages(0n, 0n, 0x8000n, 1, RW)
    table.mapPages(0x8000n, 0x8000n, KB4, 4, RW)
    table.mapPages(0xc000n, 0xc000n, 0x4000n, 1, RW)
    expect(table.unmapPages(0n, 0x1_0000n, 1, gather)).toBe(0x1_0000n)
    expect(gather.pageSize).toBe(KB4)
  })

  test('are refused where one of their entries is taken, after whole ones before it', () => {
    const { table } = setUp(three)
    table.mapPages(0x1_f000n, 0n, KB4, 1, RW)
    const { mapped, error } = table.mapPages(0n, 0n, 0x1_0000n, 2, RW)
    expect([mapped, errorCode(error)]).toEqual([0x1_0000n, 'EADDRINUSE'])
    expect(table.iovaToPhys(0x1_0000n)).toBeUndefined()
  })

  test('replace empty tables below any of their entries', () => {
    const { table, memory, gather } = setUp(three)
    for (const iova of [0n, MB2]) {
      table.mapPages(iova, 0n, KB4, 1, RW)
      table.unmapPages(iova, KB4, 1, gather)
    }
    expect(table.mapPages(0n, 0n, 2n * MB2, 1, RW).mapped).toBe(2n * MB2)
    expect([table.replaced.freed.length, table.replaced.end]).toEqual([2, 2n * MB2 - 1n])
    table.release(table.replaced.freed)
    expect(memory.pages.live).toBe(table.tableCount)
  })
})

/** The words are the first entries of tables at 0x1000, 0x2000 and so on, root first. */
const walkBy = (words: readonly bigint[], levels = 3, iova = 0n, addressBits = 39): WalkResult => {
  const by = (flat: boolean): WalkResult => {
    const memory = new PhysicalMemory({ bytes: 0x10_0000n, tables: { start: 0n, end: 0n }, flat })
    words.forEach((word, at) => memory.store64(BigInt(at + 1) * KB4, word))
    const result = createWalkResult()
    addresses.split(iova)
    walk(amdV1({ levels, addressBits }), memory.walker, 1, addresses.low, addresses.high, result)
    return result
  }
  expect(by(true), 'memory that is one array').toEqual(by(false))
  return by(false)
}

const RIGHTS = 0x6000_0000_0000_0000n
const link = (at: bigint, level: bigint): bigint => RIGHTS | at | (level << 9n) | 1n

describe('where a walk ends', () => {
  test.each([
    ['a leaf', [link(0x2000n, 2n), link(0x3000n, 1n), RIGHTS | 0x7_0001n], 3, LEAF, 1],
    ['PR=0 whatever else is set', [link(0x2000n, 2n), ~1n & (1n << 64n) - 1n], 3, ABSENT, 2],
    ['a reserved bit in a leaf', [link(0x2000n, 2n), link(0x3000n, 1n), 1n << 52n | 1n], 3, RESERVED, 1],
    ['a reserved bit in a table', [link(0x2000n, 2n) | 1n << 58n], 3, RESERVED, 3],
    ['FC in a table', [link(0x2000n, 2n) | 1n << 60n], 3, RESERVED, 3],
    ['ignored bits', [link(0x2000n, 2n) | 1n << 63n | 1n << 59n | 0x19en, link(0x3000n, 1n), RIGHTS | 1n | 1n << 63n], 3, LEAF, 1],
    ['an address beyond the width', [link(0x2000n, 2n), link(0x3000n, 1n), RIGHTS | 1n << 39n | 1n], 3, RESERVED, 1],
    ['NextLevel of the entry\'s own level', [link(0x2000n, 3n)], 3, RESERVED, 3],
    ['NextLevel above', [link(0x2000n, 2n), link(0x3000n, 5n)], 3, RESERVED, 2],
    ['NextLevel 1 at level 1', [link(0x2000n, 2n), link(0x3000n, 1n), link(0x4000n, 1n)], 3, RESERVED, 1],
    ['NextLevel 7 whose size does not fit the level', [link(0x2000n, 2n), link(0x3000n, 1n), RIGHTS | 0x1f_fe01n], 3, RESERVED, 1],
    ['NextLevel 7 whose size is below the level\'s', [link(0x2000n, 2n), RIGHTS | 0x7e01n], 3, RESERVED, 2],
    ['NextLevel 7 of ones alone', [RIGHTS | 0xf_ffff_ffff_fe01n], 3, RESERVED, 3],
    ['NextLevel 0 at level 6', [RIGHTS | 1n], 6, RESERVED, 6],
    ['a level skipped', [link(0x2000n, 1n), RIGHTS | 0x7_0001n], 3, LEAF, 1],
    ['two levels skipped', [link(0x2000n, 2n), RIGHTS | 0x60_0001n], 5, LEAF, 2],
  ])('%s', (_what, words, levels, status, level) => {
    const result = walkBy(words, levels)
    expect([result.status, result.level]).toEqual([status, level])
  })

  test('a skip is none where the address bits skipped are not 0', () => {
    const words = [link(0x2000n, 1n), RIGHTS | 0x7_0001n]
    expect(walkBy(words, 3, 0x1f_ffffn & ~0x1f_f000n).status).toBe(LEAF)
    expect(walkBy([...words], 3, MB2).status).toBe(RESERVED)
  })

  test('a sized leaf translates at its size whichever of its entries is met', () => {
    const { status, pageShift, physicalLow } = walkBy([link(0x2000n, 2n), link(0x3000n, 1n), RIGHTS | 0x1234_7e01n], 3, 0xabcn)
    expect([status, pageShift, physicalLow]).toEqual([LEAF, 16, 0x1234_0abc])
  })

  test('permissions are the AND of all levels', () => {
    const rights = (...words: bigint[]): boolean[] => {
      const { read, write, execute, user } = walkBy(words)
      return [read, write, execute, user]
    }
    const [ir, iw] = [1n << 61n, 1n << 62n]
    expect(rights(link(0x2000n, 2n), link(0x3000n, 1n), ir | 1n)).toEqual([true, false, true, true])
    expect(rights(link(0x2000n, 2n), link(0x3000n, 1n), iw | 1n)).toEqual([false, true, false, true])
    expect(rights(link(0x2000n, 2n) & ~iw, link(0x3000n, 1n), RIGHTS | 1n)).toEqual([true, false, true, true])
    expect(rights(link(0x2000n, 2n), link(0x3000n, 1n) & ~ir, RIGHTS | 1n)).toEqual([false, true, false, true])
  })
})

describe('a root that grows', () => {
  const growing = (changed: (table: PageTable) => void = () => undefined): ReturnType<typeof setUp> =>
    setUp(format, { growth: { levels: 3, changed } })

  test('gains the levels that an address needs, and says so before anything is mapped there', () => {
    const seen: unknown[] = []
    const { table, memory } = growing((each) => {
      seen.push([each.root, each.levels, each.iovaToPhys(0x5000n), each.iovaToPhys(1n << 40n), physicalOf(walkAt(each, memory.walker, 0x5000n))])
    })
    table.mapPages(0x5000n, 0x9000n, KB4, 1, RW)
    const { root } = table
    expect([table.levels, seen]).toEqual([3, []])
    expect(table.mapPages(1n << 40n, KB4, KB4, 1, RW)).toEqual({ mapped: KB4 })
    expect(seen).toEqual([[table.root, 4, 0x9000n, undefined, 0x9000n]])
    expect(memory.load64(table.root)).toBe(RIGHTS | root | 3n << 9n | 1n)
    expect(table.mapPages((1n << 64n) - KB4, 0n, KB4, 1, RW)).toEqual({ mapped: KB4 })
    expect([table.levels, seen.length]).toEqual([6, 2])
    for (const [iova, physical] of [[0x5000n, 0x9000n], [1n << 40n, KB4], [(1n << 64n) - KB4, 0n]] as const) {
      expect([table.iovaToPhys(iova), physicalOf(walkAt(table, memory.walker, iova))]).toEqual([physical, physical])
    }
    expect(memory.pages.live).toBe(table.tableCount)
    table.free()
    expect(memory.pages.live).toBe(0)
  })

  test('grows once for a range across several levels, and for a leaf above the root', () => {
    const levels: number[] = []
    const { table } = growing((each) => levels.push(each.levels))
    table.mapPages((1n << 39n) - KB4, 0n, KB4, 2, RW)
    table.mapPages(0n, 0n, 1n << 30n, 511, RW)
    expect(levels).toEqual([4])
    const other = growing((each) => levels.push(each.levels))
    expect(other.table.mapPages(0n, 0n, 1n << 40n, 1, RW)).toEqual({ mapped: 1n << 40n })
    expect(levels).toEqual([4, 4])
  })

  test('new roots are stored and ordered before it is said', () => {
    const events: HardwareEvent[] = []
    const { table, memory } = growing(() => events.push({ kind: 'order' }))
    memory.events.observe((event) => { if (event.kind !== 'allocate') events.push(event) })
    table.mapPages(1n << 48n, 0n, KB4, 1, RW)
    expect(events.slice(0, 4).map(({ kind }) => kind)).toEqual(['store', 'store', 'order', 'order'])
  })

  test('where it cannot be said the map fails, nothing is mapped, and the next one says it again', () => {
    let calls = 0
    const { table, memory } = growing(() => {
      calls++
      if (calls === 1) throw new IommuError('ETIMEDOUT', 'the unit does not answer')
    })
    const { mapped, error } = table.mapPages(1n << 40n, 0n, KB4, 1, RW)
    expect([mapped, errorCode(error)]).toEqual([0n, 'ETIMEDOUT'])
    expect(table.iovaToPhys(1n << 40n)).toBeUndefined()
    expect(table.mapPages(0n, 0n, KB4, 1, RW)).toEqual({ mapped: KB4 })
    expect(calls).toBe(1)
    expect(table.mapPages(1n << 40n, 0n, KB4, 1, RW)).toEqual({ mapped: KB4 })
    expect([calls, table.levels]).toEqual([2, 4])
    expect(memory.pages.live).toBe(table.tableCount)
  })

  test.each([1, 2])('without memory for root %i it stays as it is', (n) => {
    const { table, memory } = growing(() => { throw new Error('not said') })
    memory.pages.failAt(n)
    const { mapped, error } = table.mapPages(1n << 50n, 0n, KB4, 1, RW)
    expect([mapped, errorCode(error), table.levels, memory.pages.live]).toEqual([0n, 'ENOMEM', 3, 1])
  })

  test('beyond what it reaches nothing is mapped, and an unmap ends there', () => {
    const { table, gather } = growing()
    const last = (1n << 39n) - KB4
    table.mapPages(last, 0n, KB4, 1, RW)
    table.mapPages(0n, KB4, KB4, 1, RW)
    expect(table.iovaToPhys(1n << 39n)).toBeUndefined()
    expect(table.unmapPages(1n << 39n, KB4, 1, gather)).toBe(0n)
    expect(table.unmapPages(last, KB4, 2, gather)).toBe(KB4)
    expect(table.iovaToPhys(0n)).toBe(KB4)
  })

  test('an old root goes with the rest where everything below it does', () => {
    const { table, memory } = growing()
    table.mapPages(0n, 0n, 1n << 30n, 512, RW)
    table.mapPages(1n << 39n, 0n, KB4, 1, RW)
    const gather = createGather()
    expect(table.unmapPages(0n, 1n << 30n, 512, gather)).toBe(1n << 39n)
    expect(gather.freed.length).toBe(1)
    table.release(gather.freed)
    expect(memory.pages.live).toBe(table.tableCount)
  })

  test('cannot begin with more levels than there are', () => {
    expect(() => setUp(three, { growth: { levels: 4, changed: () => undefined } })).toThrow(/4 levels/)
  })
})
