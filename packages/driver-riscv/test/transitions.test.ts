// What a switch stores and flushes, step by step, as literal words.
import { describe, expect, test } from 'vitest'
import { coveringShift } from '@iommu/hardware'
import { spellPlan } from '../../../tools/driver-tests/spell.js'
import { invalid } from '../src/devices/state.js'
import type { PointState } from '../src/devices/state.js'
import { directoryState, identityState, pagingState } from '../src/domains/words.js'
import { programming } from '../src/programming/index.js'
import { flushAll, flushDeviceTlb, flushPages, flushTag, forgetDevice } from '../src/programming/invalidate.js'
import { usedOfDevice, usedOfProcess } from '../src/programming/plan.js'
import type { Used } from '../src/programming/plan.js'

// 01:02.0, as in the worked sequence.
const DID = 0x110
const device = { point: 'device', ats: false, contextWords: 4 } as const
const process = { point: 'process', ats: false, contextWords: 4 } as const
const table = { secondStage: false, levels: 5, root: 0x8_2345_6000n, id: 5 } as const
const other = { secondStage: false, levels: 4, root: 0x8_2400_0000n, id: 9 } as const
const stage = { secondStage: true, levels: 4, root: 0x8_3000_0000n, id: 7 } as const

const onDevice = (from: PointState, to: PointState, tlbs: readonly number[] = []): string[] =>
  spellPlan(programming.planEntry(from, to, programming.flushDevice(DID, tlbs), usedOfDevice))
const onProcess = (from: PointState, to: PointState, tlbs: readonly number[] = []): string[] =>
  spellPlan(programming.planEntry(from, to, programming.flushProcess([DID], 0x23, tlbs), usedOfProcess))

const FORGET = '0x1100200000003 0x0'
const FORGET_PROCESS = '0x1100200023083 0x0'

describe('a device context', () => {
  const [blocked, identity] = [invalid(4), identityState(device)]
  const [paging, next, second] = [table, other, stage].map((each) => pagingState(device, each)) as [PointState, PointState, PointState]
  test('paging to identity: the worked sequence', () => {
    expect(onDevice(paging, identity)).toEqual(['q3 0x0', 'order', FORGET, 'q2 0x0', 'order', FORGET])
  })
  test('identity to paging: what identity does not use first, then the word that switches', () => {
    expect(onDevice(identity, paging)).toEqual(['q2 0x5000', 'order', FORGET, 'q3 0xa000000000823456', 'order', FORGET])
  })
  test('blocked to paging: drained before V, and nothing after', () => {
    expect(onDevice(blocked, paging)).toEqual(['q2 0x5000', 'q3 0xa000000000823456', 'order', FORGET, 'q0 0x1', 'order'])
  })
  test('paging to blocked: V goes, the rest is cleared afterwards', () => {
    expect(onDevice(paging, blocked)).toEqual(['q0 0x0', 'order', FORGET, 'q2 0x0', 'q3 0x0'])
  })
  test('paging to paging changes two words, and goes through V = 0', () => {
    expect(onDevice(paging, next)).toEqual([
      'q0 0x0', 'order', FORGET, 'q2 0x9000', 'q3 0x9000000000824000', 'order', FORGET, 'q0 0x1', 'order',
    ])
  })
  test('first stage to second stage too', () => {
    expect(onDevice(paging, second)).toEqual([
      'q0 0x0', 'order', FORGET, 'q1 0x9000700000830000', 'q2 0x0', 'q3 0x0', 'order', FORGET, 'q0 0x1', 'order',
    ])
  })
  test('identity to second stage is one word', () => expect(onDevice(identity, second)).toEqual(['q1 0x9000700000830000', 'order', FORGET]))
  test('a device\'s own TLB is told after the context is forgotten', () => {
    expect(onDevice(paging, identity, [DID]).slice(0, 4)).toEqual(['q3 0x0', 'order', FORGET, '0x1100000000004 0x7ffffffffffff800'])
  })
  test('of process contexts', () => {
    expect(directoryState({ root: 0x8_4000_0000n, levels: 3, ats: true, words: 8 })).toEqual([0x223n, 0n, 0n, 0x3000_0000_0084_0000n, 0n, 0n, 0n, 0n])
  })
})

describe('a process context', () => {
  const [blocked, identity] = [invalid(2), identityState(process)]
  const [paging, next] = [table, other].map((each) => pagingState(process, each)) as [PointState, PointState]
  test('identity to paging: V and PSCID share a word, and the PSCID is not looked at yet', () => {
    expect(onProcess(identity, paging)).toEqual(['q0 0x5001', 'order', FORGET_PROCESS, 'q1 0xa000000000823456', 'order', FORGET_PROCESS])
  })
  test('paging to blocked, with a TLB in the device', () => {
    expect(onProcess(paging, blocked, [DID])).toEqual(['q0 0x0', 'order', FORGET_PROCESS, '0x1100100023004 0x7ffffffffffff800', 'q1 0x0'])
  })
  test('paging to paging', () => {
    expect(onProcess(paging, next)).toEqual([
      'q0 0x5000', 'order', FORGET_PROCESS, 'q1 0x9000000000824000', 'order', FORGET_PROCESS, 'q0 0x9001', 'order',
    ])
  })
})

describe('what hardware uses', () => {
  // Word 1 is iohgatp: PPN 43:0, GSCID 59:44, MODE 63:60; word 2 has PSCID 31:12; word 3 fsc: PPN 43:0, MODE 63:60.
  const [root, id] = [(1n << 44n) - 1n, 0xffff_f000n]
  test('of a device context: of a bare stage its mode alone, and with process contexts no identifier', () => {
    expect(usedOfDevice([0n, 0n, 0n, 0n])).toEqual([1n, 0n, 0n, 0n])
    const [, bare, noId, noRoot] = usedOfDevice([1n, 0n, 0n, 0n]) as [bigint, bigint, bigint, bigint]
    expect([bare, noId & id, noRoot]).toEqual([0xfn << 60n, 0n, 0xfn << 60n])
    expect(usedOfDevice([1n, 8n << 60n, 0n, 0n])[1]).toBe((1n << 64n) - 1n)
    const [, , tagged, rooted] = usedOfDevice([1n, 0n, 0n, 8n << 60n]) as [bigint, bigint, bigint, bigint]
    expect([tagged & id, rooted]).toEqual([id, (0xfn << 60n) | root])
    const [, , shared, directory] = usedOfDevice([0x21n, 0n, 0n, 1n << 60n]) as [bigint, bigint, bigint, bigint]
    expect([shared & id, directory]).toEqual([0n, (0xfn << 60n) | root])
  })
  test('of a process context: V, ENS and SUM, and of a stage that is not bare everything', () => {
    expect([usedOfProcess([0n, 0n]), usedOfProcess([1n, 0n])]).toEqual([[1n, 0n], [7n, 0xfn << 60n]])
    expect(usedOfProcess([1n, 8n << 60n])).toEqual([7n | id, (0xfn << 60n) | root])
  })
})

describe('every pair', () => {
  const kinds: readonly (readonly [string, Used, readonly PointState[]])[] = [
    ['device contexts', usedOfDevice, [invalid(4), identityState(device), ...[table, other, stage].map((each) => pagingState(device, each))]],
    ['process contexts', usedOfProcess, [invalid(2), identityState(process), ...[table, other].map((each) => pagingState(process, each))]],
  ]
  test.each(kinds)('of %s ends in the words asked for, and keeps V to and from identity', (_name, used, states) => {
    for (const from of states) {
      for (const to of states) {
        const now = [...from]
        let cleared = false
        for (const step of programming.planEntry(from, to, { context: [forgetDevice(DID)], removed: [] }, used)) {
          if (step.do === 'store') now[step.index] = step.value
          cleared ||= ((now[0] as bigint) & 1n) === 0n
        }
        expect(now).toEqual(to)
        // Both valid: to and from identity one word decides; between two tables root and identifier are in two.
        const identity = states[1]
        if (from === to || from === states[0] || to === states[0]) continue
        expect(cleared).toBe(from !== identity && to !== identity)
      }
    }
  })
})

describe('flushes of pages', () => {
  const leaves = { ranges: false, nonLeaf: false }
  const both = { ranges: true, nonLeaf: true }
  test('one command for each leaf, of the size that was unmapped', () => {
    expect(flushPages({ id: 5, secondStage: false }, 0x20_0000n, 0x20_0fffn, 0x1000n, true, leaves)).toEqual([[0x1_0000_5401n, 0x8_0000n]])
    expect(flushPages({ id: 5, secondStage: false }, 0x20_0000n, 0x20_2fffn, 0x1000n, true, leaves)).toHaveLength(3)
    expect(flushPages({ id: 5, secondStage: false }, 0x20_0000n, 0x5f_ffffn, 0x20_0000n, true, leaves)).toHaveLength(2)
    expect(flushPages({ id: 7, secondStage: true }, 0x20_0000n, 0x20_0fffn, 0x1000n, true, leaves)).toEqual([[0x7002_0000_0481n, 0x8_0000n]])
  })
  test('everything under the identifier where there are too many, or where a table was freed', () => {
    expect(flushPages({ id: 5, secondStage: false }, 0n, 0x20_0fffn, 0x1000n, true, leaves)).toEqual([[0x1_0000_5001n, 0n]])
    expect(flushPages({ id: 7, secondStage: true }, 0x20_0000n, 0x3f_ffffn, 0x1000n, false, leaves)).toEqual([[0x7002_0000_0081n, 0n]])
  })
  test('one command for a range, and for what leads to it, where the unit has them', () => {
    expect(flushPages({ id: 5, secondStage: false }, 0x20_0000n, 0x3f_ffffn, 0x1000n, true, both)).toEqual([[0x1_0000_5401n, 0xb_fe00n]])
    expect(flushPages({ id: 5, secondStage: false }, 0x20_0000n, 0x3f_ffffn, 0x1000n, false, both)).toEqual([[0x5_0000_5401n, 0xb_fe00n]])
  })
  test('of device TLBs', () => {
    expect(flushDeviceTlb(DID, 0, { start: 0x5000n, end: 0x5fffn })).toEqual([0x1_1000_0000_0004n, 0x5000n])
    expect(flushDeviceTlb(DID, 0, { start: 0x1_0000n, end: 0x1_ffffn })).toEqual([0x1_1000_0000_0004n, 0x1_7800n])
    expect(flushDeviceTlb(DID, 0x23)).toEqual([0x1_1001_0002_3004n, 0x7fff_ffff_ffff_f800n])
    expect([coveringShift(0x1000n, 0x1fffn), coveringShift(0x1000n, 0x2fffn), coveringShift(0n, (1n << 64n) - 1n)]).toEqual([12, 14, 64])
  })
  test('of everything, at the start', () => {
    expect([forgetDevice(), ...flushAll(), flushTag({ id: 5, secondStage: false })]).toEqual([[3n, 0n], [1n, 0n], [0x81n, 0n], [0x1_0000_5001n, 0n]])
  })
})
