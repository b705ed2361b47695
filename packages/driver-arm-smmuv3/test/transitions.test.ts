// What a switch stores and flushes, step by step, as literal words.
import { encode } from '@iommu/bits'
import { describe, expect, test } from 'vitest'
import { hex } from '../../../tools/driver-tests/spell.js'
import { planContext, planStream } from '../src/programming/plan.js'
import type { Command, PlanStep } from '../src/programming/plan.js'
import { flushDevice, flushDevicePages, flushPages, flushTag, flushWholeDevice, syncContext, syncStream } from '../src/programming/invalidate.js'
import { contextDescriptor, readCapabilities, streamEntry } from '../src/tables/index.js'
import { defaultProfile, identificationWords } from '../src/model/index.js'

const spell = (steps: readonly PlanStep[]): string => steps.flatMap((step) =>
  (step.do === 'store' ? [`q${step.index}=${hex(step.value)}`] : step.do === 'invalidate' ? ['SYNC'] : [])).join(' ')

type Stream = Partial<Parameters<typeof encode<(typeof streamEntry)['fields']>>[1]>
const ste = (values: Stream): bigint[] => encode(streamEntry, values)
const cdTable: Stream = {
  V: 1, Config: 5, S1Fmt: 2, S1ContextPtr: 0x1_4000_0000n, S1CDMax: 16, S1DSS: 2, S1CIR: 1, S1COR: 1, S1CSH: 3, EATS: 1,
}
const secondStage = (S2VMID: number, more: Stream = {}): Stream => ({
  V: 1, Config: 6, EATS: 1, SHCFG: 1, S2VMID, S2T0SZ: 16, S2SL0: 2, S2IR0: 1, S2OR0: 1, S2SH0: 3, S2PS: 5, S2AA64: 1, S2PTW: 1, S2R: 1,
  S2TTB: 0x1_2345_6000n, ...more,
})
const zero = ste({})
const abort = ste({ V: 1 })
const bypass = ste({ V: 1, Config: 4, SHCFG: 1 })
const stage1 = ste(cdTable)
const passing = ste({ ...cdTable, S1DSS: 1, SHCFG: 1 })
const terminating = ste({ ...cdTable, S1DSS: 0 })

describe('a stream table entry', () => {
  // Worked out apart from this project, with every sync count of Linux's KUnit test.
  test.each([
    ['abort to bypass', abort, bypass, 'q1=0x100000000000 SYNC q0=0x9 SYNC'],
    ['bypass to abort', bypass, abort, 'q0=0x1 SYNC q1=0x0 SYNC'],
    ['CD table to abort', stage1, abort, 'q0=0x1 SYNC q1=0x0 SYNC'],
    ['abort to CD table', abort, stage1, 'q1=0x100000d6 SYNC q0=0x800000014000002b SYNC'],
    ['CD table to bypass', stage1, bypass, 'q1=0x1000100000d6 SYNC q0=0x9 SYNC q1=0x100000000000 SYNC'],
    ['bypass to CD table', bypass, stage1, 'q1=0x1000100000d6 SYNC q0=0x800000014000002b SYNC q1=0x100000d6 SYNC'],
    ['SSID 0 to bypass', stage1, passing, 'q1=0x1000100000d5 SYNC'],
    ['bypass to SSID 0', passing, stage1, 'q1=0x100000d6 SYNC'],
    ['S1DSS bypass to bypass', passing, bypass, 'q0=0x9 SYNC q1=0x100000000000 SYNC'],
    ['bypass to S1DSS bypass', bypass, passing, 'q1=0x1000100000d5 SYNC q0=0x800000014000002b SYNC'],
    ['stage 2 to abort', ste(secondStage(5)), abort, 'q0=0x1 SYNC q1=0x0 q2=0x0 q3=0x0 SYNC'],
    ['abort to stage 2', abort, ste(secondStage(5)), 'q1=0x100010000000 q2=0x44d359000000005 q3=0x123456000 SYNC q0=0xd SYNC'],
    ['stage 2 to bypass', ste(secondStage(5)), bypass, 'q0=0x9 SYNC q1=0x100000000000 q2=0x0 q3=0x0 SYNC'],
    ['stage 1 to stage 2 with VMID 0', stage1, ste(secondStage(0)),
      'q1=0x1000100000d6 q2=0x44d359000000000 q3=0x123456000 SYNC q0=0xd SYNC q1=0x100010000000 SYNC'],
    ['stage 1 to stage 2 with VMID 5', stage1, ste(secondStage(5)),
      'q0=0x0 SYNC q1=0x100010000000 q2=0x44d359000000005 q3=0x123456000 SYNC q0=0xd SYNC'],
    ['stage 2 with VMID 5 to stage 1', ste(secondStage(5)), stage1, 'q0=0x0 SYNC q1=0x100000d6 q2=0x0 q3=0x0 SYNC q0=0x800000014000002b SYNC'],
    ['pointer and S1DSS at once', stage1, ste({ ...cdTable, S1ContextPtr: 0x1_5000_0000n, S1DSS: 1, SHCFG: 1 }),
      'q0=0x0 SYNC q1=0x1000100000d5 SYNC q0=0x800000015000002b SYNC'],
    ['terminate to abort', terminating, abort, 'q0=0x1 SYNC q1=0x0 SYNC'],
    ['SSID 0 to terminate', stage1, terminating, 'q1=0x100000d4 SYNC'],
    ['stage 2 to another', ste(secondStage(5)), ste(secondStage(9, { S2TTB: 0x1_3300_0000n })),
      'q0=0x0 SYNC q2=0x44d359000000009 q3=0x133000000 SYNC q0=0xd SYNC'],
    ['of an entry that is not valid nothing is used', ste({ ...secondStage(5), V: 0 }), bypass, 'q1=0x100000000000 q2=0x0 q3=0x0 SYNC q0=0x9 SYNC'],
    ['nothing to bypass', zero, bypass, 'q1=0x100000000000 SYNC q0=0x9 SYNC'],
    ['bypass to itself', bypass, bypass, ''],
  ])('%s', (_what, from, to, steps) => expect(spell(planStream(from, to, []))).toBe(steps))

  test('is settled in memory before hardware is told', () => {
    expect(planStream(abort, bypass, syncStream(0x110)).map((step) => step.do)).toEqual([
      'store', 'order', 'write-back', 'invalidate', 'store', 'order', 'write-back', 'invalidate',
    ])
  })
})

const context = (ASID: number, TTB0: bigint): bigint[] => encode(contextDescriptor, {
  T0SZ: 16, IR0: 1, OR0: 1, SH0: 3, EPD1: 1, V: 1, IPS: 5, AA64: 1, R: 1, A: 1, ASET: 1, ASID, TTB0, MAIR: 0xf404_ff44n,
})

describe('a context descriptor', () => {
  const one = context(3, 0x1_2345_6000n)
  const none = encode(contextDescriptor, {})
  const ended = encode(contextDescriptor, { EPD0: 1, EPD1: 1, V: 1, IPS: 5, AA64: 1, A: 1, ASET: 1, ASID: 3, MAIR: 0xf404_ff44n })
  test.each([
    ['absent to stage 1', none, one, 'q1=0x123456000 q3=0xf404ff44 SYNC q0=0x3e205c0003510 SYNC'],
    ['stage 1 to absent', one, none, 'q0=0x0 SYNC q1=0x0 q3=0x0 SYNC'],
    ['another ASID', one, context(9, 0x1_2345_6000n), 'q0=0x9e205c0003510 SYNC'],
    ['another table', one, context(3, 0x1_3300_0000n), 'q1=0x133000000 SYNC'],
    ['another ASID and table', one, context(9, 0x1_3300_0000n), 'q0=0x0 SYNC q1=0x133000000 SYNC q0=0x9e205c0003510 SYNC'],
    ['a process that ends', one, ended, 'q0=0x3c205c0004000 SYNC q1=0x0 SYNC'],
    ['and comes back', ended, one, 'q1=0x123456000 SYNC q0=0x3e205c0003510 SYNC'],
  ])('%s', (_what, from, to, steps) => expect(spell(planContext(from, to, []))).toBe(steps))
})

const lines = (commands: readonly Command[]): string[] => commands.map((words) => hex(...words))
const capabilities = readCapabilities(identificationWords(defaultProfile))
const pages = (start: bigint, end: bigint, pageSize = 0x1000n, leavesOnly = true) => ({ start, end, pageSize, leavesOnly })

describe('flushes', () => {
  test('of entries', () => {
    expect(lines(syncStream(0x110))).toEqual(['0x11000000003 0x1'])
    expect(lines(syncContext([0x110, 0x111], 5))).toEqual(['0x11000005005 0x1', '0x11100005005 0x1'])
  })
  test('of everything under a tag', () => {
    expect(lines([...flushTag({ stage: 1, id: 3 }), ...flushTag({ stage: 2, id: 5 })])).toEqual(['0x3000000000011 0x0', '0x500000028 0x0'])
  })
  test('of pages, as ranges: five bits of the count at a time', () => {
    const of = (start: bigint, end: bigint, leavesOnly = true): string[] =>
      lines(flushPages({ stage: 1, id: 3 }, pages(start, end, 0x1000n, leavesOnly), 12, capabilities))
    expect(of(0x20_0000n, 0x20_0fffn)).toEqual(['0x3000000000012 0x200001'])
    expect(of(0x20_0000n, 0x3f_ffffn)).toEqual(['0x3000000900012 0x200401'])
    // 515 pages: 3, then 16 * 2^5.
    expect(of(0x20_0000n, 0x40_2fffn, false)).toEqual(['0x3000000002012 0x200400', '0x3000000900012 0x203400'])
    expect(lines(flushPages({ stage: 2, id: 5 }, pages(0x20_0000n, 0x20_0fffn), 12, capabilities))).toEqual(['0x50000002a 0x200001'])
    expect(lines(flushPages({ stage: 1, id: 3 }, pages(0x10_0000n, 0x13_ffffn, 0x1_0000n), 16, capabilities))).toEqual(['0x3000000200012 0x100c01'])
  })
  test('of pages one by one where there are no ranges, and of everything where they are too many', () => {
    const single = { ...capabilities, rangeInvalidation: false }
    expect(lines(flushPages({ stage: 1, id: 3 }, pages(0x20_0000n, 0x20_1fffn), 12, single))).toEqual(['0x3000000000012 0x200001', '0x3000000000012 0x201001'])
    expect(lines(flushPages({ stage: 1, id: 3 }, pages(0x20_0000n, 0x5f_ffffn, 0x20_0000n), 12, single))).toHaveLength(2)
    expect(flushPages({ stage: 1, id: 3 }, pages(0n, 0x1f_ffffn), 12, single)).toHaveLength(512)
    expect(lines(flushPages({ stage: 1, id: 3 }, pages(0n, 0x20_0fffn), 12, single))).toEqual(['0x3000000000011 0x0'])
    expect(lines(flushPages({ stage: 1, id: 3 }, pages(0n, 0x3fff_ffffn), 12, single))).toEqual(['0x3000000000011 0x0'])
  })
  test('of a device\'s own TLB', () => {
    expect(lines([flushDevice(0x110, 0), flushDevice(0x110, 5), flushWholeDevice(0x110)])).toEqual([
      '0x11000000040 0x34', '0x11000005840 0x34', '0x11000000240 0x34',
    ])
    expect(lines([flushDevicePages(0x110, 5, 0x1_0000n, 0x1_ffffn), flushDevicePages(0x110, 0, 0x5000n, 0x5fffn)])).toEqual([
      '0x11000005840 0x10004', '0x11000000040 0x5000',
    ])
    // 2^63 bytes are 2^51 pages, and the most that can be said; the size that says everything has no address.
    expect(lines([flushDevicePages(0x110, 0, 0n, (1n << 63n) - 1n), flushDevicePages(0x110, 0, 1n << 63n, (1n << 64n) - 1n)]))
      .toEqual(['0x11000000040 0x33', '0x11000000040 0x8000000000000033'])
    expect(flushDevicePages(0x110, 5, 0x5000n, (1n << 64n) - 1n)).toEqual(flushDevice(0x110, 5))
  })
})
