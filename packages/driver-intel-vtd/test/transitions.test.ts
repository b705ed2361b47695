// What a switch stores and flushes, step by step, as literal words.
import { describe, expect, test } from 'vitest'
import { spellPlan } from '../../../tools/driver-tests/spell.js'
import { absent } from '../src/devices/state.js'
import { identityState, pagingState } from '../src/domains/words.js'
import { capabilityWords, defaultProfile } from '../src/model/index.js'
import { programming } from '../src/programming/index.js'
import { coveringMask, deviceTlb, flushContext, flushDevicePages, flushPages, flushPasid, flushScalableContext } from '../src/programming/invalidate.js'
import { readCapabilities } from '../src/tables/index.js'

// 01:02.0 with ATS and a queue depth of 31, on a unit with 4 levels at the most, as in the worked sequence.
const { cap, ecap } = capabilityWords({ ...defaultProfile, levels: [3, 4] })
const capabilities = readCapabilities(cap, ecap)
const caching = { ...capabilities, cachingMode: true }
const facts = { scalable: true, capabilities, ats: true }
const tlbs = [{ source: 0x110, queueDepth: 31 }]

const secondStage = pagingState(facts, { stage: 'second', levels: 4, root: 0x1_2345_6000n, domainId: 5, forceSnoop: false })
const firstStage = pagingState(facts, { stage: 'first', levels: 4, root: 0x1_3000_0000n, domainId: 6, forceSnoop: false })
const identity = identityState(facts)
const blocked = absent(8)

const planned = (from: typeof blocked, to: typeof blocked, on = capabilities, pasid = 0, deviceTlbs = tlbs): string[] =>
  spellPlan(programming.planEntry(from.words, to.words, programming.flushPasid({ pasid, old: from.tag, next: to.tag, deviceTlbs }, on)))

describe('a PASID entry', () => {
  test('second stage to blocked to identity: the worked sequence', () => {
    expect(planned(secondStage, blocked)).toEqual([
      'q0 0x123456088', 'order', 'write-back',
      '0x50017 0x0', '0x500e2 0x0', '0x110001f0003 0x7ffffffffffff001',
      'q1 0x0', 'q0 0x0', 'write-back',
    ])
    expect(planned(blocked, identity)).toEqual(['q1 0x800001', 'order', 'q0 0x109', 'write-back'])
  })
  test('first stage to second stage goes through absent, P last', () => {
    expect(planned(firstStage, secondStage, capabilities, 0, [])).toEqual([
      'q0 0x48', 'order', 'write-back', '0x60017 0x0', '0x60026 0x0',
      'q1 0x800005', 'q2 0x0', 'order', 'q0 0x123456089', 'write-back',
    ])
  })
  test('blocked to paging in caching mode is flushed after it came', () => {
    expect(planned(blocked, firstStage, caching).slice(-2)).toEqual(['0x60017 0x0', '0x60026 0x0'])
    expect(planned(blocked, secondStage, caching).slice(-2)).toEqual(['0x50017 0x0', '0x500e2 0x0'])
  })
  test('a write buffer is flushed after what only adds', () => {
    expect(planned(blocked, identity, { ...capabilities, writeBufferFlush: true }).at(-1)).toBe('flush-write-buffer')
  })
  test('a PASID\'s device TLB is told in the form with PASID', () => {
    expect(planned(identity, blocked, capabilities, 0x123)).toContain('0x123011001f8 0x7ffffffffffff800')
  })
  test('over itself is nothing', () => expect(planned(identity, identity)).toEqual([]))
  test('never is replaced in place: whatever changes, P is 0 while other words are stored', () => {
    const states = [secondStage, firstStage, identity, blocked]
    for (const from of states) {
      for (const to of states) {
        const now = [...from.words]
        const flushes = programming.flushPasid({ pasid: 0, old: from.tag, next: to.tag, deviceTlbs: [] }, capabilities)
        for (const step of programming.planEntry(from.words, to.words, flushes)) {
          if (step.do !== 'store') continue
          if (step.index > 0) expect((now[0] as bigint) & 1n).toBe(0n)
          now[step.index] = step.value
        }
        expect(now).toEqual(to.words)
      }
    }
  })
})

describe('a context entry in legacy mode', () => {
  const legacy = { scalable: false, capabilities, ats: false }
  const paging = pagingState(legacy, { stage: 'second', levels: 4, root: 0x1_2345_6000n, domainId: 5, forceSnoop: false })
  const steps = (from: typeof blocked, to: typeof blocked, on = capabilities): string[] => spellPlan(programming.planEntry(from.words, to.words,
    programming.flushContext({ source: 0x110, oldDomainId: from.tag?.domainId, newDomainId: to.tag?.domainId, deviceTlbs: [] }, on)))
  test('paging to identity', () => {
    expect(steps(paging, identityState(legacy))).toEqual([
      'q0 0x123456000', 'order', 'write-back', '0x11000050031 0x0', '0x500e2 0x0',
      'q1 0x102', 'order', 'q0 0x9', 'write-back',
    ])
  })
  test('blocked to paging in caching mode', () => {
    expect(steps(absent(2), paging, caching).slice(-2)).toEqual(['0x11000000031 0x0', '0x500e2 0x0'])
  })
  test('ATS is in TT', () => {
    expect(pagingState({ ...legacy, ats: true }, { stage: 'second', levels: 3, root: 0x1000n, domainId: 5, forceSnoop: false }).words).toEqual([0x1005n, 0x501n])
  })
})

describe('flushes around a change', () => {
  const FORGET_ENTRY = [0x110_0005_0031n, 0n]
  const FORGET_ABSENT = [0x110_0000_0031n, 0n]
  const buffered = { ...capabilities, writeBufferFlush: true }
  const everything = { ...buffered, cachingMode: true }
  const nothing = { removed: [], added: [], writeBuffer: false }
  const FORGET_TLB = [0x110_001f_0003n, 0x7fff_ffff_ffff_f001n]
  test('of a context entry: what goes is forgotten, what comes is pushed out, or forgotten as absent', () => {
    const facts = { source: 0x110, oldDomainId: undefined, newDomainId: undefined, deviceTlbs: tlbs }
    expect(flushContext(facts, buffered)).toEqual(nothing)
    expect(flushContext({ ...facts, oldDomainId: 5 }, buffered)).toEqual({ ...nothing, removed: [[FORGET_ENTRY], [[0x5_00e2n, 0n]], [FORGET_TLB]] })
    expect(flushContext({ ...facts, newDomainId: 5 }, capabilities)).toEqual(nothing)
    expect(flushContext({ ...facts, newDomainId: 5 }, buffered)).toEqual({ ...nothing, writeBuffer: true })
    expect(flushContext({ ...facts, newDomainId: 5 }, everything)).toEqual({ ...nothing, added: [[FORGET_ABSENT], [[0x5_00e2n, 0n]]] })
    expect(flushContext(facts, everything)).toEqual(nothing)
  })
  test('of a PASID entry: the same, by its PASID', () => {
    const facts = { pasid: 7, old: undefined, next: undefined, deviceTlbs: [] }
    const tag = { domainId: 5, secondStage: false }
    const forgotten = [[[0x7_0005_0017n, 0n]], [[0x7_0005_0026n, 0n]]]
    expect(flushPasid(facts, buffered)).toEqual(nothing)
    expect(flushPasid({ ...facts, old: tag }, buffered)).toEqual({ ...nothing, removed: [...forgotten, []] })
    expect(flushPasid({ ...facts, next: tag }, buffered)).toEqual({ ...nothing, writeBuffer: true })
    expect(flushPasid({ ...facts, next: tag }, everything)).toEqual({ ...nothing, added: forgotten })
    expect(flushPasid(facts, everything)).toEqual(nothing)
  })
  test('of a context entry in scalable mode, which has no domain of its own', () => {
    const removed = [[FORGET_ABSENT]]
    expect(flushScalableContext(0x110, capabilities)).toEqual({ removed, added: [], writeBuffer: false })
    expect(flushScalableContext(0x110, buffered)).toEqual({ removed, added: [], writeBuffer: true })
    expect(flushScalableContext(0x110, everything)).toEqual({ removed, added: [[FORGET_ABSENT], [[0xe2n, 0n]]], writeBuffer: false })
  })
})

describe('flushes of pages', () => {
  test('cover both ends with one aligned power of two', () => {
    expect([coveringMask(0x1000n, 0x1fffn, 18), coveringMask(0x1000n, 0x2fffn, 18), coveringMask(0x20_0000n, 0x3f_ffffn, 18)]).toEqual([0, 2, 9])
    expect(coveringMask(0n, 1n << 40n, 18)).toBeUndefined()
  })
  test('take the page form within the unit\'s mask, and everything under the tag beyond it', () => {
    expect(flushPages({ domainId: 5 }, 0x20_0000n, 0x3f_ffffn, true, capabilities)).toEqual([[0x500f2n, 0x200049n]])
    expect(flushPages({ domainId: 6, pasid: 0 }, 0x20_0000n, 0x3f_ffffn, false, capabilities)).toEqual([[0x60036n, 0x200009n]])
    expect(flushPages({ domainId: 5 }, 0n, 1n << 40n, true, capabilities)).toEqual([[0x500e2n, 0n]])
    // A mask of 18 is the most that the unit takes.
    expect(flushPages({ domainId: 5 }, 0n, (1n << 30n) - 1n, true, capabilities)).toEqual([[0x5_00f2n, 0x52n]])
    expect(flushPages({ domainId: 5 }, 0n, 0xfffn, true, { ...capabilities, pageSelective: false })).toEqual([[0x500e2n, 0n]])
  })
  test('tell a device TLB the size in the address', () => {
    const device = { source: 0x110, queueDepth: 31 }
    expect(flushDevicePages(device, 0, 0x5000n, 0x5fffn)).toEqual([0x110001f0003n, 0x5000n])
    expect(flushDevicePages(device, 0, 0x1_0000n, 0x1_ffffn)).toEqual([0x110001f0003n, 0x17001n])
    expect(deviceTlb(device, 0)).toEqual([0x110001f0003n, 0x7fff_ffff_ffff_f001n])
    expect(flushDevicePages(device, 0, 0n, (1n << 64n) - 1n)).toEqual(deviceTlb(device, 0))
  })
})
