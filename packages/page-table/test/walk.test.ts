// The walk of hardware: what each entry of the way decides, with tables written by hand.
import { PhysicalMemory, addresses } from '@iommu/hardware'
import { describe, expect, test } from 'vitest'
import { ABSENT, LEAF, RESERVED, UNREADABLE, createWalkResult, firstStage, secondStage, walk, walkingOf } from '../src/index.js'
import type { Format, WalkResult } from '../src/index.js'
import { GB1, KB4, MB2, RO, RW, WO, firstStage4, secondStage4, setUp, walkAt } from './setting.js'

/** The words are the first entries of tables at 0x1000, 0x2000 and so on, root first. */
const walkBy = (format: Format, words: readonly bigint[], iova = 0n): WalkResult => {
  const by = (flat: boolean): WalkResult => {
    const memory = new PhysicalMemory({ bytes: 0x10_0000n, tables: { start: 0n, end: 0n }, flat })
    words.forEach((word, at) => memory.store64(BigInt(at + 1) * KB4, word))
    const result = createWalkResult()
    addresses.split(iova)
    walk(format, memory.walker, 1, addresses.low, addresses.high, result)
    return result
  }
  expect(by(true), 'memory that is one array').toEqual(by(false))
  return by(false)
}

const ss = secondStage({ levels: 4, leafShifts: [12, 21], addressBits: 39, snoopControl: false })
const snooping = secondStage({ levels: 4, leafShifts: [12, 21, 30], addressBits: 39, snoopControl: true })
const fs = firstStage({ levels: 4, leafShifts: [12, 21, 30], addressBits: 39, noExecute: true })
const withoutXd = firstStage({ levels: 4, leafShifts: [12, 21, 30], addressBits: 39, noExecute: false })

describe('where it ends', () => {
  test.each([
    ['a 4 KiB leaf', ss, [0x2003n, 0x3003n, 0x4003n, 0x7_0003n], LEAF, 1],
    ['a 2 MiB leaf', ss, [0x2003n, 0x3003n, 0x60_0083n], LEAF, 2],
    ['a 1 GiB leaf', snooping, [0x2003n, 0x8000_0083n], LEAF, 3],
    ['an absent root entry', ss, [0n], ABSENT, 4],
    ['an absent leaf', ss, [0x2003n, 0x3003n, 0x4003n, 0n], ABSENT, 1],
    ['second stage: no R and no W is absent whatever else', ss, [0x2003n, 0x3003n, 0xffff_ffff_ffff_fffcn], ABSENT, 2],
    ['first stage: no P is absent whatever else is set', fs, [0x2027n, 0xffff_ffff_ffff_fffen], ABSENT, 3],
    ['an address beyond the width in a table', ss, [0x2003n, 0x80_0000_3003n], RESERVED, 3],
    ['an address beyond the width in a leaf', ss, [0x2003n, 0x3003n, 0x4003n, 0x80_0000_0003n], RESERVED, 1],
    ['PS in the root', ss, [0x2083n], RESERVED, 4],
    ['PS where the hardware has no 1 GiB leaves', ss, [0x2003n, 0x8000_0083n], RESERVED, 3],
    ['low address bits of a 2 MiB leaf', ss, [0x2003n, 0x3003n, 0x60_1083n], RESERVED, 2],
    ['SNP without snoop control', ss, [0x2003n, 0x3003n, 0x4003n, 0x7_0803n], RESERVED, 1],
    ['SNP with snoop control', snooping, [0x2003n, 0x3003n, 0x4003n, 0x7_0803n], LEAF, 1],
    ['SNP in a table', snooping, [0x2003n, 0x3803n], RESERVED, 3],
    ['ignored bits of a second stage', ss,
      [0xfff0_0000_0000_2443n, 0x3003n, 0x4003n, 0x7ff0_0000_0007_0743n], LEAF, 1],
    ['PAT of a large first-stage leaf', fs, [0x2027n, 0x3027n, 0x60_10e7n], LEAF, 2],
    ['PAT of a small first-stage leaf', fs, [0x2027n, 0x3027n, 0x4027n, 0x7_00e7n], LEAF, 1],
    ['a table that is not memory', ss, [0x2003n, 0x10_0003n], UNREADABLE, 2],
  ])('%s', (_what, format, words, status, level) => {
    const result = walkBy(format, words)
    expect([result.status, result.level]).toEqual([status, level])
    if (status !== LEAF) {
      expect(result).toMatchObject({ frame: 0, read: false, write: false, execute: false, user: false, snoop: false })
    }
    if (status !== UNREADABLE) expect(addresses.join(result.low, result.high)).toBe(words.at(-1))
  })

  test('a root pointer that is not memory is unreadable at the root\'s level', () => {
    const result = createWalkResult()
    walk(ss, new PhysicalMemory({ bytes: 0x10_0000n }).walker, 0x100, 0, 0, result)
    expect([result.status, result.level, result.tableFrame]).toEqual([UNREADABLE, 4, 0x100])
  })

  test('a concatenated root is unreadable from where it is not memory', () => {
    const memory = new PhysicalMemory({ bytes: 0x2000n, tables: { start: 0n, end: 0n } })
    const result = createWalkResult()
    const wide = { ...ss, rootBits: 10, inputBits: 49 }
    const statusAt = (iova: bigint): number => {
      addresses.split(iova)
      walk(wide, memory.walker, 1, addresses.low, addresses.high, result)
      return result.status
    }
    expect([statusAt(511n << 39n), statusAt(512n << 39n)]).toEqual([ABSENT, UNREADABLE])
  })

  test('it says where the entry lies', () => {
    const { table, memory } = setUp(secondStage4)
    table.mapPages(0x12_3456_7000n, 0n, KB4, 1, RW)
    const { tableFrame, index } = walkAt(table, memory.walker, 0x12_3456_7000n)
    expect(index).toBe(0x167)
    expect(memory.load64(addresses.frameAddress(tableFrame) + BigInt(index * 8))).toBe(3n)
  })

  test('PAT is no part of a large page\'s address', () => {
    const { frame, physicalLow } = walkBy(fs, [0x2027n, 0x3027n, 0x60_10e7n], 0x1234n)
    expect([frame, physicalLow]).toEqual([0x600, 0x60_1234])
  })
})

describe('what all levels grant together', () => {
  const granted = ({ read, write, execute, user }: WalkResult): string =>
    [read && 'read', write && 'write', execute && 'execute', user && 'user'].filter(Boolean).join(' ')

  test.each([
    ['second stage: all', ss, [0x2003n, 0x3003n, 0x4003n, 0x3n], 'read write execute user'],
    ['second stage: a read-only table', ss, [0x2003n, 0x3001n, 0x4003n, 0x3n], 'read execute user'],
    ['second stage: a write-only leaf', ss, [0x2003n, 0x3003n, 0x4003n, 0x2n], 'write user'],
    ['second stage: nothing in common', ss, [0x2003n, 0x3001n, 0x4003n, 0x2n], 'user'],
    ['first stage: all', fs, [0x2027n, 0x3027n, 0x4027n, 0x67n], 'read write execute user'],
    ['first stage: a read-only root entry', fs, [0x2025n, 0x3027n, 0x4027n, 0x67n], 'read execute user'],
    ['first stage: a supervisor table', fs, [0x2027n, 0x3023n, 0x4027n, 0x67n], 'read write execute'],
    ['first stage: XD in a leaf', fs, [0x2027n, 0x3027n, 0x4027n, 0x67n | 1n << 63n], 'read write user'],
    ['first stage: XD in a table', fs, [0x2027n | 1n << 63n, 0x3027n, 0x4027n, 0x67n], 'read write user'],
    ['first stage: XD where it is not used', withoutXd,
      [0x2027n, 0x3027n, 0x4027n, 0x67n | 1n << 63n], 'read write execute user'],
  ])('%s', (_what, format, words, expected) => {
    expect(granted(walkBy(format, words))).toBe(expected)
  })

  test.each([
    ['second stage', secondStage4, RO, 'read execute user'],
    ['second stage', secondStage4, WO, 'write user'],
    ['first stage', firstStage4, RO, 'read execute user'],
    ['first stage', firstStage4, WO, 'read write execute user'],
    ['first stage', firstStage4, { ...RW, noExecute: true }, 'read write user'],
  ])('%s as mapped', (_what, format, access, expected) => {
    const { table, memory } = setUp(format)
    table.mapPages(0n, 0n, MB2, 1, access)
    expect(granted(walkAt(table, memory.walker, 0x1234n))).toBe(expected)
  })
})

describe('a walk that begins at a kept table pointer', () => {
  const { table, memory } = setUp(firstStage4)
  table.mapPages(3n * GB1, MB2, KB4, 2, RW)
  const levels: number[] = []
  const frames: number[] = []
  addresses.split(3n * GB1 + 0x1005n)
  const [low, high] = [addresses.low, addresses.high]
  walk(firstStage4, memory.walker, table.rootFrame, low, high, createWalkResult(), (level, frame) => {
    levels.push(level)
    frames.push(frame)
  })
  const everything = { grantedLow: -1, grantedHigh: -1 }

  test.each([4, 3, 2, 1])('ends as the whole walk does, from level %i', (level) => {
    const whole = createWalkResult()
    walk(firstStage4, memory.walker, table.rootFrame, low, high, whole)
    const result = createWalkResult()
    const seen: number[] = []
    const frame = frames[levels.indexOf(level)] as number
    walk(firstStage4, memory.walker, frame, low, high, result, (each) => seen.push(each), { level, ...everything })
    expect(result).toEqual(whole)
    expect(seen).toEqual(levels.slice(4 - level))
  })

  test('grants no more than the entries above it did', () => {
    const result = createWalkResult()
    walk(firstStage4, memory.walker, frames[3] as number, low, high, result, undefined,
      { level: 1, grantedLow: ~walkingOf(firstStage4).write.tableLow, grantedHigh: -1 ^ walkingOf(firstStage4).execute.tableHigh })
    expect([result.status, result.read, result.write, result.execute]).toEqual([LEAF, true, false, false])
  })
})

test('a visitor sees each entry as it is read, root first', () => {
  const seen: string[] = []
  const { table, memory } = setUp(secondStage4)
  table.mapPages(3n * GB1 + MB2, 4n * MB2, MB2, 1, RW)
  addresses.split(3n * GB1 + MB2)
  walk(table.format, memory.walker, table.rootFrame, addresses.low, addresses.high, createWalkResult(),
    (level, _frame, index, low) => seen.push(`${level}: ${index} ${(low & 0xfff).toString(16)}`))
  expect(seen).toEqual(['4: 0 3', '3: 3 3', '2: 1 83'])
})
