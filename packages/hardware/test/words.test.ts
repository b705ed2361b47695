// Memory word by word and in runs, flat and in chunks: the same contents, whatever door they came through.
import { describe, expect, test } from 'vitest'
import { PhysicalMemory } from '../src/index.js'

const wordsOf = (memory: PhysicalMemory, frame: number, count: number): bigint[] =>
  Array.from({ length: count }, (_, index) => memory.load64(BigInt(frame) * 4096n + BigInt(index) * 8n))

describe.each([['chunks', false], ['flat', true]] as const)('memory in %s', (_name, flat) => {
  const memory = (): PhysicalMemory => new PhysicalMemory({ bytes: 0x40_0000n, flat })

  test.each([1, 2, 3, 4, 5, 7, 8, 9, 511])('a fill of %i words goes up by its step and carries', (count) => {
    for (const step of [0, 0x1000, 0x20_0000, 0x4000_0000]) {
      const filled = memory()
      filled.fillPairs(3, 1, count, 0xffff_0003 | 0, 5, step)
      expect(wordsOf(filled, 3, count + 2)).toEqual([
        0n, ...Array.from({ length: count }, (_, each) => 0x5_ffff_0003n + BigInt(step) * BigInt(each)), 0n,
      ])
    }
  })

  test('a fill that is observed stores the same words one by one', () => {
    const [plain, observed] = [memory(), memory()]
    let stores = 0
    observed.events.observe(({ kind }) => { if (kind === 'store') stores++ })
    for (const each of [plain, observed]) each.fillPairs(3, 1, 9, 0xffff_0003 | 0, 5, 0x4000)
    expect(stores).toBe(9)
    expect(wordsOf(observed, 3, 12)).toEqual(wordsOf(plain, 3, 12))
  })

  test.each([1, 16, 32, 33, 500])('%i words are cleared, and none beside them', (count) => {
    const cleared = memory()
    cleared.fillPairs(3, 0, 512, -1, -1, 0)
    cleared.clearPairs(3, 5, count)
    expect([cleared.areClear(3, 5, count, -1), cleared.areClear(3, 4, 1, -1), cleared.areClear(3, 5 + count, 1, -1)])
      .toEqual([true, false, false])
  })

  test('a run of words with a bit set in the lower half ends at the first without one', () => {
    const some = memory()
    some.storePair(3, 0, 1, 0)
    some.storePair(3, 1, 2, 0)
    some.storePair(3, 2, 3, 0)
    some.storePair(3, 3, 0, 3)
    expect([some.countSet(3, 0, 8, 3), some.countSet(3, 0, 8, 1), some.countSet(3, 0, 2, 3), some.countSet(3, 3, 8, 3)]).toEqual([3, 1, 2, 0])
    expect(some.countSet(40, 0, 8, 3)).toBe(0)
  })

  test('what has not been written is zero, and beyond the end there is nothing', () => {
    const empty = memory()
    expect([empty.load64(0x3f_fff8n), empty.walker.load64(0n), empty.walker.has(0x3ff), empty.walker.has(0x400)])
      .toEqual([0n, 0n, true, false])
    expect(() => empty.load64(0x40_0000n)).toThrow(RangeError)
    expect(() => { empty.storePair(0x400, 0, 1, 0) }).toThrow(RangeError)
    expect(() => { empty.walker.loadPair(2 ** 40, 0) }).toThrow(RangeError)
  })

  test('what has not been written back is not seen by a walker that does not snoop', () => {
    const distant = new PhysicalMemory({ bytes: 0x40_0000n, flat, coherent: false })
    distant.store64(0x3000n, 7n)
    expect([distant.walker.load64(0x3000n), distant.snooped.load64(0x3000n)]).toEqual([0n, 7n])
    distant.writeBack(0x3000n, 8)
    expect(distant.walker.load64(0x3000n)).toBe(7n)
  })
})

test('flat memory has its limit', () => {
  expect(() => new PhysicalMemory({ bytes: 0x8000_1000n, flat: true })).toThrow(RangeError)
})
