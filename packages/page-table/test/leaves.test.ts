// The list of all leaves, over sound tables and over broken ones.
import { PhysicalMemory } from '@iommu/hardware'
import { describe, expect, test } from 'vitest'
import { leaves } from '../src/index.js'
import type { BrokenEntry } from '../src/index.js'
import { GB1, KB4, MB2, RO, RW, firstStage4, secondStage4, setUp } from './setting.js'

test('every leaf in order of address, with its words', () => {
  const { table, memory } = setUp(secondStage4)
  table.mapPages(5n * GB1, GB1, GB1, 1, RO)
  table.mapPages(MB2, 4n * MB2, MB2, 1, RW)
  table.mapPages(0x5000n, 0x9000n, KB4, 2, { read: false, write: true })
  const listed = [...leaves(secondStage4, memory.walker, table.rootFrame)]
  expect(listed.map((leaf) =>
    [leaf.iova, leaf.physical, leaf.pageSize, leaf.level, leaf.read, leaf.write, leaf.words[0]])).toEqual([
    [0x5000n, 0x9000n, KB4, 1, false, true, 0x9002n],
    [0x6000n, 0xa000n, KB4, 1, false, true, 0xa002n],
    [MB2, 4n * MB2, MB2, 2, true, true, 0x80_0083n],
    [5n * GB1, GB1, GB1, 3, true, false, 0x4000_0081n],
  ])
})

test('an empty tree has none', () => {
  const { table, memory } = setUp(firstStage4)
  expect([...leaves(firstStage4, memory.walker, table.rootFrame)]).toEqual([])
})

test('what a first stage has in the upper half is listed under its canonical address', () => {
  const { table, memory } = setUp(firstStage4)
  table.mapPages(0n, GB1, GB1, 1, { ...RW, noExecute: true })
  memory.store64(table.root + 256n * 8n, memory.load64(table.root))
  const listed = [...leaves(firstStage4, memory.walker, table.rootFrame)]
  expect(listed.map(({ iova }) => iova)).toEqual([0n, 0xffff_8000_0000_0000n])
  expect(listed.map(({ execute, user }) => [execute, user])).toEqual([[false, true], [false, true]])
})

describe('broken tables', () => {
  const broken = (): PhysicalMemory => {
    const memory = new PhysicalMemory({ bytes: 0x10_0000n, tables: { start: 0n, end: 0n } })
    memory.store64(0x1000n, 0x2003n)
    memory.store64(0x2000n, 0x3003n)
    memory.store64(0x2008n, 0x7000_0003n)
    memory.store64(0x2010n, 0x803n)
    memory.store64(0x3000n, 0x83n)
    return memory
  }

  test('end the list with a RangeError that says where', () => {
    const list = leaves(secondStage4, broken().walker, 1)
    expect(list.next().value).toMatchObject({ iova: 0n, pageSize: MB2 })
    expect(() => list.next()).toThrow(
      new RangeError('the level 2 table for 0x40000000 lies at 0x70000000, which is not memory'))
  })

  test('or are reported and passed over, as the caller chooses', () => {
    const found: BrokenEntry[] = []
    const list = [...leaves(secondStage4, broken().walker, 1, { onBroken: (each) => found.push(each) })]
    expect(list.map(({ iova }) => iova)).toEqual([0n])
    expect(found).toEqual([
      { why: 'unreadable', iova: GB1, level: 2, address: 0x7000_0000n },
      { why: 'reserved', iova: 2n * GB1, level: 3, address: 0x2010n, words: [0x803n] },
    ])
  })

  test('a table that points to itself is followed as often as there are levels', () => {
    const memory = new PhysicalMemory({ bytes: 0x10_0000n })
    memory.store64(0x1000n, 0x1003n)
    memory.store64(0x1ff8n, 0x9003n)
    expect([...leaves(secondStage4, memory.walker, 1)].map(({ iova, physical }) => [iova, physical])).toEqual([
      [0n, 0x1000n],
      [0x1f_f000n, 0x9000n],
    ])
  })

  test('so is one that is everywhere in itself, and a caller can stop', () => {
    const memory = new PhysicalMemory({ bytes: 0x10_0000n })
    memory.fillPairs(1, 0, 512, 0x1003, 0, 0)
    let count = 0
    for (const { physical } of leaves(secondStage4, memory.walker, 1)) {
      expect(physical).toBe(0x1000n)
      if (++count === 1000) break
    }
    expect(count).toBe(1000)
  })
})
