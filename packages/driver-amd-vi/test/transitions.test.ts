// What a switch stores and flushes, step by step, as literal words.
import { describe, expect, test } from 'vitest'
import { encode } from '@iommu/bits'
import { coveringShift } from '@iommu/hardware'
import { spellPlan } from '../../../tools/driver-tests/spell.js'
import { entryTag, entryWords, gcr3Words } from '../src/domains/words.js'
import type { Gcr3Facts, PointState, WordFacts } from '../src/domains/words.js'
import { flushDevicePages, flushEntry, flushPages, flushSlot, flushTag } from '../src/programming/invalidate.js'
import { planEntry, planSlot } from '../src/programming/plan.js'
import { deviceTableEntry } from '../src/tables/index.js'

const SOURCE = 0x110
const EMPTY = [0n, 0n, 0n, 0n]
const plain: WordFacts = { ats: false, gcr3: undefined }
const gcr3: Gcr3Facts = { root: 0x1_3000_0000n, levels: 1, domainId: 7, pasids: true, guestIo: true, pasidLevels: 4 }
const pasids: WordFacts = { ats: false, gcr3 }

const blocked: PointState = { kind: 'blocked' }
const identity: PointState = { kind: 'identity' }
const host: PointState = { kind: 'host', levels: 3, root: 0x1_2345_6000n, domainId: 5 }
const guest4: PointState = { kind: 'guest', levels: 4, root: 0x9000n }
const guest5: PointState = { kind: 'guest', levels: 5, root: 0xa000n }

const words = (state: PointState, facts: WordFacts): bigint[] => entryWords(state, facts, EMPTY)
const planned = (from: readonly bigint[], to: readonly bigint[], ats = false): string[] => spellPlan(planEntry(from, to, flushEntry({
  source: SOURCE, old: entryTag(from), deviceTlbs: ats ? [{ source: SOURCE, queueDepth: 0 }] : [], pasids: [],
})))

describe('words of each state, as worked out by hand', () => {
  test.each([
    ['blocked', blocked, plain, [0x1n, 0n, 0n, 0n]],
    ['identity', identity, plain, [0x6000_0000_0000_0003n, 1n, 0n, 0n]],
    ['identity, ATS', identity, { ...plain, ats: true }, [0x6000_0000_0000_0003n, 0x1_0000_0001n, 0n, 0n]],
    ['host tables', host, plain, [0x6000_0001_2345_6603n, 5n, 0n, 0n]],
    ['host tables of a device with PASIDs', host, pasids, [0x6000_0001_2345_6603n, 5n, 0n, 0n]],
    ['guest tables', guest4, pasids, [0x60c0_0000_0000_0003n, 0x1000_6000_0007n, 0n, 0n]],
    ['guest tables of 5 levels', guest5, pasids, [0x60c0_0000_0000_0003n, 0x1000_6000_0007n, 0x40_0000_0000_0000n, 0n]],
    ['blocked with room for PASIDs', blocked, pasids, [0x60c0_0000_0000_0003n, 0x1000_6000_0007n, 0n, 0n]],
    ['identity with room for PASIDs', identity, { ats: true, gcr3: { ...gcr3, levels: 2, domainId: 1 } }, [0x6180_0000_0000_0003n, 0x1001_6000_0001n, 0n, 0n]],
    ['blocked, PASIDs without GIoV', blocked, { ats: false, gcr3: { ...gcr3, guestIo: false } }, [0x1n, 0n, 0n, 0n]],
  ] as const)('%s', (_what, state, facts, expected) => expect(entryWords(state, facts, EMPTY)).toEqual(expected))
  test('GCR3 entries', () => expect([gcr3Words(0x1_3100_0000n), gcr3Words(undefined)]).toEqual([[0x1_3100_0001n], [0n]]))
})

describe('a device table entry', () => {
  test('blocked to host tables to identity: the worked sequence', () => {
    expect(planned(words(blocked, plain), words(host, plain))).toEqual([
      'order', 'q0 0x6000000123456603 0x5', '0x2000000000000110 0x0',
    ])
    expect(planned(words(host, plain), words(identity, plain))).toEqual([
      'order', 'q0 0x6000000000000003 0x1', '0x2000000000000110 0x0', '0x3000000500000000 0x7ffffffffffff003',
    ])
  })
  test('with ATS the device\'s TLB is told last', () => {
    expect(planned(words(host, plain), words(blocked, plain), true)).toEqual([
      'order', 'q0 0x1 0x0', '0x2000000000000110 0x0', '0x3000000500000000 0x7ffffffffffff003', '0x4000011020000110 0x7ffffffffffff001',
    ])
  })
  test('to 5-level guest tables the upper half goes first, from them it goes last', () => {
    expect(planned(words(host, pasids), words(guest5, pasids)).slice(0, 4)).toEqual([
      'order', 'q2 0x40000000000000 0x0', 'order', 'q0 0x60c0000000000003 0x100060000007',
    ])
    expect(planned(words(guest5, pasids), words(host, pasids)).slice(0, 4)).toEqual([
      'order', 'q0 0x6000000123456603 0x5', 'order', 'q2 0x0 0x0',
    ])
  })
  test('between guest tables of different depth it aborts, and is never 0', () => {
    expect(planned(words(guest4, pasids), words(guest5, pasids))).toEqual([
      'q0 0x1 0x0', '0x2000000000000110 0x0', 'q2 0x40000000000000 0x0', 'order', 'q0 0x60c0000000000003 0x100060000007',
      '0x2000000000000110 0x0',
    ])
  })
  test('over itself is nothing', () => expect(planned(words(host, plain), words(host, plain))).toEqual([]))
  test('keeps what is not DMA\'s, and V, whatever changes', () => {
    const platform = encode(deviceTableEntry, { SysMgt: 3, NMIPass: 1, IV: 1, IntTabRoot: 0x40n })
    const states = [blocked, identity, host, guest4, guest5]
    for (const from of states) {
      for (const to of states) {
        const now = entryWords(from, pasids, platform)
        for (const step of planEntry(now, entryWords(to, pasids, platform), { entry: [], behind: [] })) {
          if (step.do !== 'store') continue
          expect(step.values).toHaveLength(2)
          step.values.forEach((value, index) => { now[step.index + index] = value })
          expect([(now[0] as bigint) & 1n, (now[1] as bigint) & 0x300_0000_0000n]).toEqual([1n, 0x300_0000_0000n])
        }
        expect(now).toEqual(entryWords(to, pasids, platform))
      }
    }
  })
})

describe('an entry of a GCR3 table', () => {
  const flushes = flushSlot({ tag: { domainId: 7, pasid: 0x123 }, deviceTlbs: [{ source: SOURCE, queueDepth: 0 }] })
  test('is one store in place, then its pages, then the device\'s TLB', () => {
    expect(spellPlan(planSlot([0x1001n], [0x2001n], flushes))).toEqual([
      'order', 'q0 0x2001', '0x3000000700000123 0x7ffffffffffff007', '0x4023011020010110 0x7ffffffffffff005',
    ])
    expect(planSlot([0x1001n], [0x1001n], flushes)).toEqual([])
  })
})

describe('flushes of pages', () => {
  test('cover both ends with one aligned power of two', () => {
    expect([coveringShift(0x1000n, 0x1fffn), coveringShift(0x1000n, 0x2fffn), coveringShift(0x20_0000n, 0x3f_ffffn)]).toEqual([12, 14, 21])
  })
  test('say the size in the address', () => {
    expect(flushPages({ domainId: 5 }, 0x5000n, 0x5fffn, true)).toEqual([[0x3000_0005_0000_0000n, 0x5000n]])
    expect(flushPages({ domainId: 5 }, 0x1_0000n, 0x1_ffffn, true)).toEqual([[0x3000_0005_0000_0000n, 0x1_7001n]])
    expect(flushPages({ domainId: 5 }, 0x20_0000n, 0x3f_ffffn, false)).toEqual([[0x3000_0005_0000_0000n, 0x2f_f003n]])
    expect(flushPages({ domainId: 5 }, 0n, (1n << 64n) - 1n, false)).toEqual([flushTag({ domainId: 5 })])
    // 2^52 bytes can be said, and what is wider means everything.
    expect(flushPages({ domainId: 5 }, 0n, (1n << 52n) - 1n, true)).toEqual([[0x3000_0005_0000_0000n, 0x7_ffff_ffff_f001n]])
    expect(flushPages({ domainId: 5 }, 0n, (1n << 53n) - 1n, true)).toEqual([[0x3000_0005_0000_0000n, 0x7fff_ffff_ffff_f001n]])
    expect(flushTag({ domainId: 7, pasid: 0x123 })).toEqual([0x3000_0007_0000_0123n, 0x7fff_ffff_ffff_f007n])
  })
  test('tell a device TLB its PASID as Linux places it', () => {
    const tlb = { source: SOURCE, queueDepth: 0 }
    expect(flushDevicePages(tlb, 0x2345)).toEqual([0x4045_0110_2023_0110n, 0x7fff_ffff_ffff_f005n])
    expect(flushDevicePages(tlb, 0)).toEqual([0x4000_0110_2000_0110n, 0x7fff_ffff_ffff_f001n])
    expect(flushDevicePages({ ...tlb, queueDepth: 16 }, 0, { start: 0x5000n, end: 0x5fffn })).toEqual([0x4000_0110_1000_0110n, 0x5000n])
  })
})
