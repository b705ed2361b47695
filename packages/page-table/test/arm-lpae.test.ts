// Arm's tables: words of the worked examples, every granule, concatenated roots, why a walk ends, and break-before-make.
import { createGather, errorCode, gatherIsEmpty } from '@iommu/core'
import { PhysicalMemory } from '@iommu/hardware'
import type { HardwareEvent } from '@iommu/hardware'
import { describe, expect, test } from 'vitest'
import { ABSENT, ACCESS_FLAG, ADDRESS_SIZE, LEAF, UNREADABLE, armStage1, armStage2, createWalkResult, walk } from '../src/index.js'
import type { Format, WalkResult } from '../src/index.js'
import { KB4, MB2, RO, RW, WO, armShapes, attributesOf, physicalOf, setUp, shapeName, walkAt, wordAt } from './setting.js'

const s1 = armStage1({ granuleShift: 12, inputBits: 48, addressBits: 48 })
const s2 = armStage2({ granuleShift: 12, inputBits: 48, addressBits: 48 })
const NX = { ...RW, noExecute: true }

describe('the words in memory are those of the worked examples', () => {
  const device = armStage1({ granuleShift: 12, inputBits: 48, addressBits: 48, memory: 'device' })
  const forced = armStage2({ granuleShift: 12, inputBits: 48, addressBits: 48, forceWriteBack: true })
  test.each([
    ['S1 4K RW', s1, 0x1_2345_8000n, KB4, RW, 0x0000_0001_2345_8f47n],
    ['S1 4K RO', s1, 0x1_2345_8000n, KB4, RO, 0x0000_0001_2345_8fc7n],
    ['S1 2M RW', s1, 0x4020_0000n, MB2, RW, 0x0000_0000_4020_0f45n],
    ['S1 4K RW no-execute', s1, 0x1_2345_8000n, KB4, NX, 0x0060_0001_2345_8f47n],
    ['S1 4K device RW', device, 0x1_2345_8000n, KB4, RW, 0x0000_0001_2345_8e4bn],
    ['S2 4K RW', s2, 0x1_2345_8000n, KB4, RW, 0x0000_0001_2345_87ffn],
    ['S2 4K RO', s2, 0x1_2345_8000n, KB4, RO, 0x0000_0001_2345_877fn],
    ['S2 2M RW', s2, 0x4020_0000n, MB2, RW, 0x0000_0000_4020_07fdn],
    ['S2 4K RW, forced write-back', forced, 0x1_2345_8000n, KB4, RW, 0x0000_0001_2345_87dbn],
  ])('%s', (_what, format, physical, size, access, word) => {
    const { table, memory } = setUp(format)
    expect(table.mapPages(MB2, physical, size, 1, access)).toEqual({ mapped: size })
    expect(wordAt(table, memory.walker, MB2)).toBe(word)
    expect(attributesOf(table, memory.walker, MB2).slice(0, -1).every((above) => above === 3n)).toBe(true)
  })

  test('a table entry is the address of its table and 3, with Linux\'s note where it is written back', () => {
    const { table, memory } = setUp(s1, { coherent: false })
    table.mapPages(0n, 0n, KB4, 1, RW)
    expect(attributesOf(table, memory.walker, 0n)).toEqual([1n << 55n | 3n, 1n << 55n | 3n, 1n << 55n | 3n, 0xf47n])
  })
})

describe('granules and roots', () => {
  test.each([
    ['4K, 48 bits: STE example 9', armStage2({ granuleShift: 12, inputBits: 48, addressBits: 48 }), 4, 9],
    ['4K, 40 bits: STE example 10, 2 tables side by side', armStage2({ granuleShift: 12, inputBits: 40, addressBits: 40 }), 3, 10],
    ['4K, 44 bits, as recorded: 32 entries of level 0', armStage2({ granuleShift: 12, inputBits: 44, addressBits: 44 }), 4, 5],
    ['16K, 40 bits: 16 tables', armStage2({ granuleShift: 14, inputBits: 40, addressBits: 40 }), 2, 15],
    ['64K, 46 bits: 16 tables', armStage2({ granuleShift: 16, inputBits: 46, addressBits: 48 }), 2, 17],
    ['S1 16K, 48 bits: 2 entries', armStage1({ granuleShift: 14, inputBits: 48, addressBits: 48 }), 4, 1],
    ['S1 64K, 48 bits', armStage1({ granuleShift: 16, inputBits: 48, addressBits: 48 }), 3, 6],
  ])('%s', (_what, format, levels, rootBits) => {
    expect([format.levels, format.rootBits]).toEqual([levels, rootBits])
    const { table, memory } = setUp(format)
    const bytes = 8n << BigInt(rootBits)
    expect(table.root % bytes).toBe(0n)
    const page = 1n << BigInt(format.granuleShift)
    const last = table.aperture.end - page + 1n
    table.mapPages(last, page, page, 1, RW)
    expect(memory.load64(table.root + bytes - 8n) & 3n).toBe(3n)
    expect(physicalOf(walkAt(table, memory.walker, table.aperture.end))).toBe(2n * page - 1n)
    table.free()
    expect(memory.pages.live).toBe(0)
  })

  test.each(armShapes.map((format) => [shapeName(format), format] as const))('%s: a run fills and empties whole tables', (_name, format) => {
    const { table, memory, gather } = setUp(format)
    const page = 1n << BigInt(format.granuleShift)
    const perTable = 1 << format.bitsPerLevel
    const start = format.levels > 1 ? BigInt(perTable) * page : 0n
    const count = format.levels > 1 ? perTable + 3 : 1
    expect(table.mapPages(start, page, page, count, RW)).toEqual({ mapped: BigInt(count) * page })
    for (const at of [0, count >> 1, count - 1]) expect(table.iovaToPhys(start + BigInt(at) * page)).toBe(BigInt(at + 1) * page)
    expect(table.unmapPages(start, page, count, gather)).toBe(BigInt(count) * page)
    expect(gather.freed.length).toBe(format.levels > 1 ? 1 : 0)
    expect(gather.freed.every((freed) => freed % page === 0n)).toBe(true)
    table.release(gather.freed)
    table.free()
    expect(memory.pages.live).toBe(0)
  })

  test('page sizes', () => {
    const sizes = (format: Format): bigint => setUp(format).table.pageSizes
    expect(sizes(s1)).toBe(0x4020_1000n)
    expect(sizes(armStage1({ granuleShift: 14, inputBits: 47, addressBits: 48 }))).toBe(0x200_4000n)
    expect(sizes(armStage1({ granuleShift: 16, inputBits: 48, addressBits: 48 }))).toBe(0x2001_0000n)
    expect(sizes(armStage1({ granuleShift: 16, inputBits: 48, addressBits: 52 }))).toBe(0x400_2001_0000n)
  })
})

describe('52-bit output addresses', () => {
  const format = armStage1({ granuleShift: 16, inputBits: 48, addressBits: 52 })
  const page = 0x1_0000n

  test('bits 51:48 lie in bits 15:12', () => {
    const { table, memory } = setUp(format)
    table.mapPages(0n, 0xa_1234_5678_0000n, page, 1, RW)
    expect(wordAt(table, memory.walker, 0n)).toBe(0x0000_1234_5678_af47n)
    expect([table.iovaToPhys(5n), physicalOf(walkAt(table, memory.walker, 5n))]).toEqual([0xa_1234_5678_0005n, 0xa_1234_5678_0005n])
  })

  test('a run across a line of 2^48 carries into them', () => {
    const { table, memory } = setUp(format)
    const physical = (3n << 48n) - 3n * page
    table.mapPages(5n * page, physical, page, 9, RW)
    for (let at = 0n; at < 9n; at++) expect(physicalOf(walkAt(table, memory.walker, (5n + at) * page))).toBe(physical + at * page)
    expect(wordAt(table, memory.walker, 8n * page)).toBe(0x3f47n)
  })
})

/** The words are the first entries of tables at 0x1000, 0x2000 and so on, root first. */
const walkBy = (format: Format, words: readonly bigint[]): WalkResult => {
  const by = (flat: boolean): WalkResult => {
    const memory = new PhysicalMemory({ bytes: 0x10_0000n, tables: { start: 0n, end: 0n }, flat })
    words.forEach((word, at) => memory.store64(BigInt(at + 1) * KB4, word))
    const result = createWalkResult()
    walk(format, memory.walker, 1, 0, 0, result)
    return result
  }
  expect(by(true), 'memory that is one array').toEqual(by(false))
  return by(false)
}

const narrow = armStage1({ granuleShift: 12, inputBits: 48, addressBits: 40 })
const narrow2 = armStage2({ granuleShift: 12, inputBits: 48, addressBits: 40 })

describe('why a walk ends', () => {
  test.each([
    ['a page', narrow, [0x2003n, 0x3003n, 0x4003n, 0x7_0f47n], LEAF, 1],
    ['a block', narrow, [0x2003n, 0x3003n, 0x60_0f45n], LEAF, 2],
    ['bit 0 clear whatever else is set', narrow, [0x2003n, 0xffff_ffff_ffff_fffen], ABSENT, 3],
    ['a block at level 0 is invalid', narrow, [0xf45n], ABSENT, 4],
    ['a block at level 3 is invalid', narrow, [0x2003n, 0x3003n, 0x4003n, 0x7_0f45n], ABSENT, 1],
    ['a table whose address is too wide', narrow, [0x2003n, 1n << 40n | 3n], ADDRESS_SIZE, 3],
    ['a page whose address is too wide', narrow, [0x2003n, 0x3003n, 0x4003n, 1n << 47n | 0xf47n], ADDRESS_SIZE, 1],
    ['AF clear', narrow, [0x2003n, 0x3003n, 0x4003n, 0x7_0b47n], ACCESS_FLAG, 1],
    ['AF clear and too wide: the address first', narrow, [0x2003n, 0x3003n, 1n << 40n | 0xb45n], ADDRESS_SIZE, 2],
    ['a table outside of memory', narrow, [0x10_0003n], UNREADABLE, 3],
    ['RES0 and software bits are not checked', narrow, [0x2003n, 0x3003n, 0x0780_0000_0060_1f45n | 7n << 48n], LEAF, 2],
    ['stage 2: AF clear', narrow2, [0x2003n, 0x3003n, 0x4003n, 0x7_03ffn], ACCESS_FLAG, 1],
    ['stage 2: no permission is a leaf all the same', narrow2, [0x2003n, 0x3003n, 0x4003n, 0x7_073fn], LEAF, 1],
  ])('%s', (_what, format, words, status, level) => {
    const result = walkBy(format, words)
    expect([result.status, result.level]).toEqual([status, level])
    if (status !== LEAF) expect(result).toMatchObject({ frame: 0, pageShift: 0, physicalLow: 0, read: false, write: false, user: false })
  })

  test('hardware that sets AF itself asks for none', () => {
    const format = armStage1({ granuleShift: 12, inputBits: 48, addressBits: 40, hardwareAccess: true })
    expect(walkBy(format, [0x2003n, 0x3003n, 0x4003n, 0x7_0b47n]).status).toBe(LEAF)
  })

  test('low address bits of a block are no part of its address', () => {
    expect(walkBy(narrow, [0x2003n, 0x3003n, 0x61_ff45n]).physicalLow).toBe(0x60_0000)
  })
})

describe('what is granted', () => {
  const granted = ({ read, write, execute, privilegedExecute, user }: WalkResult): string =>
    [read && 'read', write && 'write', execute && 'execute', privilegedExecute && 'privileged', user && 'user'].filter(Boolean).join(' ')
  const leaf = 0x7_0f47n
  const at = (bit: number): bigint => 1n << BigInt(bit)

  test.each([
    ['S1: AP 01', s1, 0n, leaf, 'read write execute privileged user'],
    ['S1: AP 11, inverted: 1 forbids', s1, 0n, leaf | at(7), 'read execute privileged user'],
    ['S1: AP 00', s1, 0n, leaf & ~at(6), 'read write execute privileged'],
    ['S1: UXN', s1, 0n, leaf | at(54), 'read write privileged user'],
    ['S1: PXN', s1, 0n, leaf | at(53), 'read write execute user'],
    ['S1: APTable 10', s1, at(62), leaf, 'read execute privileged user'],
    ['S1: APTable 01', s1, at(61), leaf, 'read write execute privileged'],
    ['S1: XNTable', s1, at(60), leaf, 'read write privileged user'],
    ['S1: PXNTable', s1, at(59), leaf, 'read write execute user'],
    ['S1: what forbids in a leaf says nothing in a table', s1, at(54) | at(53) | at(7), leaf, 'read write execute privileged user'],
    ['S1: what forbids in a table says nothing in a leaf', s1, 0n, leaf | at(62) | at(61) | at(60) | at(59), 'read write execute privileged user'],
    ['S2: S2AP 11', s2, 0n, 0x7_07ffn, 'read write execute privileged user'],
    ['S2: S2AP 01', s2, 0n, 0x7_077fn, 'read execute privileged user'],
    ['S2: S2AP 10', s2, 0n, 0x7_07bfn, 'write user'],
    ['S2: S2AP 00', s2, 0n, 0x7_073fn, 'user'],
    ['S2: XN', s2, 0n, 0x7_07ffn | at(54), 'read write user'],
    ['S2: bits of stage 1 tables say nothing', s2, at(62) | at(61) | at(60) | at(59), 0x7_07ffn, 'read write execute privileged user'],
  ])('%s', (_what, format, table, word, expected) => {
    expect(granted(walkBy(format, [0x2003n, 0x3003n | table, 0x4003n, word]))).toBe(expected)
  })

  test.each([['S1', s1, WO, 'read write execute privileged user'], ['S2', s2, WO, 'write user'], ['S1', s1, NX, 'read write user'], ['S2', s2, NX, 'read write user']])(
    '%s as mapped', (_what, format, access, expected) => {
      const { table, memory } = setUp(format)
      table.mapPages(0n, 0n, MB2, 1, access)
      expect(granted(walkAt(table, memory.walker, 0n))).toBe(expected)
    })
})

describe('break before make', () => {
  /** Tables at two places, empty. */
  const emptied = (answers: (start: bigint, end: bigint) => boolean): ReturnType<typeof setUp> => {
    const setting = setUp(s1, { breakBeforeMake: answers })
    for (const iova of [MB2, 3n * MB2]) {
      setting.table.mapPages(iova, 0n, KB4, 1, RW)
      setting.table.unmapPages(iova, KB4, 1, setting.gather)
    }
    return setting
  }

  test('the entry is cleared, ordered and flushed before the block is stored, and then its tables are free', () => {
    const story: string[] = []
    const { table, memory } = emptied((start, end) => {
      story.push(`flush 0x${start.toString(16)}-0x${end.toString(16)}`)
      expect(walkAt(table, memory.walker, start)).toMatchObject({ status: ABSENT, level: 2 })
      return true
    })
    memory.events.observe((event: HardwareEvent) =>
      story.push(event.kind === 'store' ? `store ${event.after.map((word) => (word & 0xfffn).toString(16)).join()}` : event.kind))
    expect(table.mapPages(0n, 0n, MB2, 4, RW)).toEqual({ mapped: 4n * MB2 })
    expect(story).toEqual([
      'store f45',
      'store 0', 'order', 'flush 0x200000-0x3fffff', 'free', 'store f45',
      'store f45',
      'store 0', 'order', 'flush 0x600000-0x7fffff', 'free', 'store f45',
    ])
    expect([gatherIsEmpty(table.replaced), table.replaced.freed]).toEqual([true, []])
    expect(memory.pages.live).toBe(table.tableCount)
  })

  test('where the flush does not complete the map ends there, and the tables stay out of use', () => {
    const { table, memory } = emptied((start) => start < 2n * MB2)
    const { mapped, error } = table.mapPages(0n, 0n, MB2, 4, RW)
    expect([mapped, errorCode(error)]).toEqual([3n * MB2, 'EIO'])
    expect(walkAt(table, memory.walker, 3n * MB2)).toMatchObject({ status: ABSENT, level: 2 })
    expect(table.replaced.freed.length).toBe(1)
    expect(memory.pages.live).toBe(table.tableCount + 1)
    table.free()
    expect(memory.pages.live).toBe(0)
  })

  test('a live page is found before anything is broken', () => {
    const { table } = emptied(() => { throw new Error('nothing may be flushed') })
    table.mapPages(MB2 + KB4, 0n, KB4, 1, RW)
    expect(table.mapPages(MB2, 0n, MB2, 1, RW).mapped).toBe(0n)
    expect(table.iovaToPhys(MB2 + KB4)).toBe(0n)
  })

  test('an unmap hands tables to the gather as elsewhere', () => {
    const { table, memory } = setUp(armStage2({ granuleShift: 16, inputBits: 46, addressBits: 48 }), { breakBeforeMake: () => true })
    const gather = createGather()
    table.mapPages(0n, 0n, 0x1_0000n, 8192, RW)
    expect(table.unmapPages(0n, 0x2000_0000n, 1, gather)).toBe(0x2000_0000n)
    expect([gather.freed.length, memory.pages.live - 256]).toEqual([1, 16])
  })
})

