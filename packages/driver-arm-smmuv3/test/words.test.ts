// The words of each state of a stream, as worked out by hand, and of what leads to entries.
import { describe, expect, test } from 'vitest'
import { armStage2 } from '@iommu/page-table'
import { levelOneContextWords, levelOneStreamWords, streamWords } from '../src/domains/words.js'
import type { StreamFacts } from '../src/domains/words.js'
import type { PointState } from '../src/devices/state.js'

const capabilities = { attributeOverride: true, stalls: 'never', outputBits: 48 } as const
const facts: StreamFacts = { capabilities, ats: true, contexts: { address: 0x1_4000_0000n, max: 16, leaves: true } }
const [blocked, bypass]: readonly PointState[] = [{ kind: 'blocked' }, { kind: 'bypass' }]
const stage1: PointState = { kind: 'stage 1', context: [] }
const stage2: PointState = {
  kind: 'stage 2', format: armStage2({ granuleShift: 12, inputBits: 48, addressBits: 48 }), root: 0x1_2345_6000n, vmid: 5,
}
const large: PointState = {
  kind: 'stage 2', format: armStage2({ granuleShift: 16, inputBits: 40, addressBits: 40 }), root: 0x1_2345_0000n, vmid: 5,
}

describe('a stream', () => {
  // V 0, Config 3:1, S1Fmt 5:4, S1CDMax 63:59; word 1: S1DSS 1:0, S1STALLD 27, EATS 29:28, SHCFG 45:44; word 2: S2S 57.
  test.each<[string, StreamFacts, PointState, boolean, bigint[]]>([
    ['blocked', facts, blocked as PointState, false, [0x1n]],
    ['blocked, with PASIDs', facts, blocked as PointState, true, [0x8000_0001_4000_002bn, 0x1000_00d4n]],
    ['bypass', facts, bypass as PointState, false, [0x9n, 0x1000_0000_0000n]],
    ['bypass, without a way to leave attributes alone', { ...facts, capabilities: { ...capabilities, attributeOverride: false } }, bypass as PointState, false, [0x9n]],
    ['bypass, with PASIDs', facts, bypass as PointState, true, [0x8000_0001_4000_002bn, 0x1000_1000_00d5n]],
    ['the same, without a way to leave attributes alone', { ...facts, capabilities: { ...capabilities, attributeOverride: false } }, bypass as PointState, true,
      [0x8000_0001_4000_002bn, 0x1000_00d5n]],
    ['stage 1', facts, stage1, false, [0x8000_0001_4000_002bn, 0x1000_00d6n]],
    ['stage 1, a linear table, no ATS', { ...facts, ats: false, contexts: { address: 0x1_4000_0000n, max: 1, leaves: false } }, stage1, false,
      [0x800_0001_4000_000bn, 0xd6n]],
    ['stage 1, stalls can be disabled', { ...facts, capabilities: { ...capabilities, stalls: 'optional' } }, stage1, false, [0x8000_0001_4000_002bn, 0x1800_00d6n]],
    ['stage 1, everything stalls', { ...facts, capabilities: { ...capabilities, stalls: 'always' } }, stage1, false, [0x8000_0001_4000_002bn, 0x1000_00d6n]],
    ['stage 2', facts, stage2, false, [0xdn, 0x1000_1000_0000n, 0x44d_3590_0000_0005n, 0x1_2345_6000n]],
    ['stage 2, no ATS', { ...facts, ats: false }, stage2, false, [0xdn, 0x1000_0000_0000n, 0x44d_3590_0000_0005n, 0x1_2345_6000n]],
    ['stage 2, everything stalls: ATS is not allowed', { ...facts, capabilities: { ...capabilities, stalls: 'always' } }, stage2, false,
      [0xdn, 0x1000_0000_0000n, 0x64d_3590_0000_0005n, 0x1_2345_6000n]],
    ['stage 2, 64 KiB pages, 40 bits: two levels', { ...facts, capabilities: { ...capabilities, outputBits: 40 } }, large, false,
      [0xdn, 0x1000_1000_0000n, 0x44a_7558_0000_0005n, 0x1_2345_0000n]],
  ])('%s', (_what, given, state, pasids, words) => {
    expect(streamWords(given, state, pasids)).toEqual([...words, ...Array.from({ length: 8 - words.length }, () => 0n)])
  })
  test('cannot have contexts without a CD table', () => {
    expect(() => streamWords({ ...facts, contexts: undefined }, stage1, false)).toThrow(new RangeError('a stream without a CD table cannot have contexts'))
  })
})

test('descriptors of level 1: Span counts from 1', () => {
  expect([levelOneStreamWords(0x4454_0000n, 8), levelOneContextWords(0x4454_0000n)]).toEqual([[0x4454_0009n], [0x4454_0001n]])
})
