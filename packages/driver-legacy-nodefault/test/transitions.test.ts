// What each kind of hardware is told, step by step, as literal words: taking over, domains, switches, flushes and faults. Long, because
// each of six kinds is told something else.
import { describe, expect, test } from 'vitest'
import { hex } from '../../../tools/driver-tests/spell.js'
import { fslPamuPlanner } from '../src/programming/fsl-pamu.js'
import { msmPlanner } from '../src/programming/msm.js'
import { mtkV1Planner } from '../src/programming/mtk-v1.js'
import { omapPlanner } from '../src/programming/omap.js'
import { BLOCKED, IDENTITY } from '../src/programming/planner.js'
import type { Aim, ChangedPages, Planner } from '../src/programming/planner.js'
import { s390Planner } from '../src/programming/s390.js'
import type { Step } from '../src/programming/steps.js'
import { tegraSmmuPlanner } from '../src/programming/tegra-smmu.js'

const masked = (mask: bigint | undefined): string => (mask === undefined ? '' : ` of ${hex(mask)}`)
/** "register at offset: value of mask". */
const spell = (step: Step): string => {
  switch (step.do) {
    case 'write': return `${step.register} at ${hex(step.offset)}: ${hex(step.value)}${masked(step.mask)}`
    case 'store': return `memory at ${hex(step.address)}: ${hex(step.value)}${masked(step.mask)}`
    case 'call': return `${step.operation} ${hex(...step.args)}`
    case 'read': return `read ${step.register}`
    case 'wait': return `wait for ${hex(step.until)} in ${step.register}, or ${step.otherwise.map(spell).join(', ')}`
    default: return step.do
  }
}
const spelled = (steps: readonly Step[]): string[] => steps.map(spell)

const ground = { empty: 0x10_0000n, fixed: 0x20_0000n }
const TABLES: Aim = { at: 'tables', id: 3, root: 0x30_0000n }
const changed = (stream: number, more: Partial<ChangedPages> = {}): ChangedPages =>
  ({ id: 3, root: 0x30_0000n, streams: [stream], entries: [0x30_0040n, 0x30_0044n, 0x30_0080n], tables: false, ...more })
/** Two pages, whose ends are no page's. */
const range = { start: 0x1800n, end: 0x27ffn }

/** Registers by offset, as a reader of faults sees them. */
const faults = ({ readFaults }: Planner, values: Readonly<Record<number, bigint>>): { readonly faults: unknown; readonly clear: string[] } => {
  const { faults: found, clear } = readFaults({ read: (offset) => values[offset] ?? 0n }, ground)
  return { faults: found, clear: spelled(clear) }
}
const NONE = { faults: [], clear: [] }

describe('what each kind of hardware says of itself', () => {
  const pasid = 'one translation for each requester: nothing in the hardware knows PASIDs'
  const wholePages = 'entries have no permission bits: pages can only be mapped for reads and writes'
  const noReads = 'entries cannot forbid reads'
  test.each<[string, Planner, string, readonly string[], Readonly<Record<string, string>>]>([
    ['Qualcomm SMMUv0 (APQ8064)', msmPlanner, 'context bank', ['msm>msm'],
      { permissions: noReads, 'context banks': '24, of which one is kept closed and one open' }],
    ['OMAP MMU, one for each client', omapPlanner, 'domain', ['omap>omap'], { permissions: wholePages }],
    ['MediaTek M4U, first generation (MT2701)', mtkV1Planner, 'domain', [], {
      blocked: 'all ports share one table: to block one of them is to block all', permissions: wholePages,
      faults: 'an access that faults goes to a page put aside for it, and not to where it wanted',
    }],
    ['Freescale PAMU', fslPamuPlanner, 'domain', [], {
      paging: 'a device has one window, or up to 16 equal parts of it: there are no pages',
      'empty domain': 'the nearest thing to a paging domain, a window over everything, lets everything pass',
    }],
    ['s390 PCI function', s390Planner({ relaxed: true, refresh: false }), 'domain', [], { permissions: noReads }],
    ['Tegra30 SMMU', tegraSmmuPlanner, 'address space', ['tegra-smmu>tegra-smmu'], { 'address spaces': 'four, of which one is kept empty to block by' }],
  ])('%s', (hardware, { manifest, ids }, id, hitless, limits) => {
    expect([manifest.hardware, ids.what, manifest.hitless, manifest.limits]).toEqual([hardware, id, hitless, { pasid, ...limits }])
  })
  test('what it needs, and what it keeps', () => {
    const all = [msmPlanner, omapPlanner, mtkV1Planner, fslPamuPlanner, s390Planner({ relaxed: true, refresh: false }), tegraSmmuPlanner]
    expect(all.map(({ fixedBytes, coherent, keepsAbsent }) => [fixedBytes, coherent, keepsAbsent])).toEqual([
      [0, false, false], [0, false, false], [4096, true, false], [0x1_4000, true, false], [0, true, false], [0, false, true],
    ])
  })
})

describe('msm', () => {
  const { takeOver, open, close, aim, flush, obstacle } = msmPlanner
  const translate = (bank: number, root: string): string[] => {
    const at = (offset: number): string => hex(bank * 0x1000 + offset)
    return [
      `SCTLR.${bank} at ${at(0)}: 0x0`, `CBACR.${bank} at ${hex(0xff800 + bank * 4)}: 0x0`,
      `CONTEXTIDR.${bank} at ${at(8)}: 0x${bank}`, `ACTLR.${bank} at ${at(4)}: 0x37072`,
      `TTBCR.${bank} at ${at(0x18)}: 0x0`, `TTBR1.${bank} at ${at(0x14)}: 0x0`, `TTBR0.${bank} at ${at(0x10)}: ${root}`,
      `CTX_TLBIALL.${bank} at ${at(0x800)}: 0x0`, `SCTLR.${bank} at ${at(0)}: 0x7`,
    ]
  }
  test('is taken over with a bank that translates nothing, one that is off, and every machine id on the first', () => {
    const steps = spelled(takeOver(ground))
    expect(steps.slice(0, 12)).toEqual([
      ...translate(0, '0x100000'), 'SCTLR.1 at 0x1000: 0x0', 'M2VCBR.0 at 0xff000: 0xc00000', 'M2VCBR.1 at 0xff004: 0xc00000',
    ])
    expect([steps.length, steps.at(-1)]).toEqual([74, 'M2VCBR.63 at 0xff0fc: 0xc00000'])
  })
  test('a domain takes a bank, and leaves it empty', () => {
    expect(spelled(open(3, 0x30_0000n, ground))).toEqual(translate(3, '0x300000'))
    expect(spelled(close(3, 0x30_0000n, ground))).toEqual(['TTBR0.3 at 0x3010: 0x100000', 'CTX_TLBIALL.3 at 0x3800: 0x0'])
  })
  test('a switch is one write', () => {
    expect([BLOCKED, IDENTITY, TABLES].map((to) => spelled(aim(5, BLOCKED, to, ground)))).toEqual([
      ['M2VCBR.5 at 0xff014: 0xc00000'], ['M2VCBR.5 at 0xff014: 0xc00100'], ['M2VCBR.5 at 0xff014: 0xc00300'],
    ])
  })
  test('pages are flushed one by one under the bank\'s number', () => {
    expect(spelled(flush(changed(5)))).toEqual(['CTX_TLBIALL.3 at 0x3800: 0x0'])
    expect(spelled(flush(changed(5, { range })))).toEqual(['TLBIVA.3 at 0x3808: 0x1003', 'TLBIVA.3 at 0x3808: 0x2003'])
  })
  test('faults are each bank\'s own', () => {
    expect(faults(msmPlanner, {})).toEqual(NONE)
    expect(faults(msmPlanner, { 0x20: 2n, 0x28: 0x5000n, 0x3020: 8n, 0x3028: 0x6000n, 0x2020: 10n })).toEqual({
      faults: [
        { source: 0, code: 2, address: 0x5000n, meaning: 'Translation fault' },
        { source: 2, code: 10, address: 0n, meaning: undefined },
        { source: 3, code: 8, address: 0x6000n, meaning: 'Access permission fault' },
      ],
      clear: ['FSR.0 at 0x20: 0x4000000f', 'FSR.2 at 0x2020: 0x4000000f', 'FSR.3 at 0x3020: 0x4000000f'],
    })
  })
  test('has 64 machine ids', () => {
    expect([obstacle(63), obstacle(64)]).toEqual([undefined, { why: 'there is no such machine id', values: { mid: 64, mids: 64 } }])
  })
})

describe('omap', () => {
  const { takeOver, open, close, aim, flush, obstacle } = omapPlanner
  const translate = (instance: number, root: string): string[] => {
    const at = (offset: number): string => hex(instance * 0x100 + offset)
    return [
      `MMU${instance}_TTB at ${at(0x4c)}: ${root}`, `MMU${instance}_LOCK at ${at(0x50)}: 0x0`, `MMU${instance}_GFLUSH at ${at(0x60)}: 0x1`,
      `MMU${instance}_IRQENABLE at ${at(0x1c)}: 0x1e`, `MMU${instance}_CNTL at ${at(0x44)}: 0x6`,
    ]
  }
  test('is taken over with every instance on empty tables', () => {
    const steps = spelled(takeOver(ground))
    expect([steps.length, steps.slice(5, 10), steps.slice(-5)]).toEqual([320, translate(1, '0x100000'), translate(63, '0x100000')])
    expect([open(3, 0n, ground), close(3, 0n, ground)]).toEqual([[], []])
  })
  test('a switch to tables is the pointer, then a flush; identity is off, then a flush', () => {
    expect(spelled(aim(5, BLOCKED, TABLES, ground))).toEqual(translate(5, '0x300000'))
    expect(spelled(aim(5, TABLES, BLOCKED, ground))).toEqual(translate(5, '0x100000'))
    expect(spelled(aim(5, TABLES, IDENTITY, ground))).toEqual(['MMU5_CNTL at 0x544: 0x0', 'MMU5_LOCK at 0x550: 0x0', 'MMU5_GFLUSH at 0x560: 0x1'])
  })
  test('pages are flushed one by one on every instance', () => {
    expect(spelled(flush(changed(5, { streams: [5, 6] })))).toEqual([
      'MMU5_LOCK at 0x550: 0x0', 'MMU5_GFLUSH at 0x560: 0x1', 'MMU6_LOCK at 0x650: 0x0', 'MMU6_GFLUSH at 0x660: 0x1',
    ])
    expect(spelled(flush(changed(5, { range })))).toEqual([
      'MMU5_CAM at 0x558: 0x1006', 'MMU5_FLUSH_ENTRY at 0x564: 0x1', 'MMU5_CAM at 0x558: 0x2006', 'MMU5_FLUSH_ENTRY at 0x564: 0x1',
    ])
  })
  test('faults are each instance\'s own', () => {
    expect(faults(omapPlanner, {})).toEqual(NONE)
    expect(faults(omapPlanner, { 0x518: 2n, 0x548: 0x5000n, 0x618: 6n })).toEqual({
      faults: [
        { source: 5, code: 2, address: 0x5000n, meaning: 'Translation fault' }, { source: 6, code: 6, address: 0n, meaning: undefined },
      ],
      clear: ['MMU5_IRQSTATUS at 0x518: 0x2', 'MMU6_IRQSTATUS at 0x618: 0x6'],
    })
  })
  test('has 64 instances here', () => {
    expect([obstacle(63), obstacle(64)]).toEqual([undefined, { why: 'there is no such MMU instance', values: { instance: 64, instances: 64 } }])
  })
})

describe('mtk-v1', () => {
  const { takeOver, open, close, aim, flush, obstacle, groupOf } = mtkV1Planner
  const everything = ['INV_SEL at 0x5d8: 0x3', 'INVALIDATE at 0x5c0: 0x2']
  test('is taken over with a page for what faults', () => {
    expect(spelled(takeOver(ground))).toEqual([
      'CTRL at 0x210: 0x140', 'INT_CONTROL at 0x220: 0xff', 'IVRP_PADDR at 0x214: 0x200000', 'DCM at 0x5f0: 0x2',
    ])
    expect([open(3, 0n, ground), close(3, 0n, ground), groupOf?.(1), groupOf?.(40)]).toEqual([[], [], 'm4u', 'm4u'])
  })
  test('a switch sets the table of all, then the port', () => {
    expect(spelled(aim(9, IDENTITY, TABLES, ground))).toEqual(['PT_BASE at 0x0: 0x300000', ...everything, 'SECUR_CON.1 at 0x15c4: 0xe0 of 0xf0'])
    expect(spelled(aim(9, TABLES, IDENTITY, ground))).toEqual(['SECUR_CON.1 at 0x15c4: 0x60 of 0xf0'])
  })
  test('a range is flushed and waited for; where that never ends, everything', () => {
    expect(spelled(flush(changed(9)))).toEqual(everything)
    expect(spelled(flush(changed(9, { range })))).toEqual([
      'INV_SEL at 0x5d8: 0x3', 'INVLD_START at 0x5c4: 0x1000', 'INVLD_END at 0x5c8: 0x2000', 'INVALIDATE at 0x5c0: 0x1',
      `wait for 0xffffffff in CPE_DONE, or ${everything.join(', ')}`, 'CPE_DONE at 0x60c: 0x0',
    ])
  })
  test('a fault has an address and no port', () => {
    expect(faults(mtkV1Planner, {})).toEqual(NONE)
    const [clear] = ['INT_CONTROL at 0x220: 0x1000 of 0x1000']
    for (const [code, meaning] of [[1, 'Translation fault'], [3, undefined]] as const) {
      expect(faults(mtkV1Planner, { 0x224: BigInt(code), 0x228: 0x5000n })).toEqual({ faults: [{ code, address: 0x5000n, meaning }], clear: [clear] })
    }
  })
  test('has 44 ports', () => expect([obstacle(43), obstacle(44)]).toEqual([undefined, { why: 'there is no such port', values: { port: 44, ports: 44 } }]))
})

describe('fsl-pamu', () => {
  const { takeOver, open, close, aim, flush, obstacle } = fslPamuPlanner
  const shut = ['memory at 0x200144: 0x0 of 0x1', 'order']
  test('is taken over with its table, by halves, and nothing bypasses it', () => {
    const rest = ['PICS at 0xc1c: 0x4', 'PC at 0xc10: 0x40001011', 'PAMUBYPENR at 0x10604: 0x0 of 0x80000000']
    expect(spelled(takeOver(ground))).toEqual(['PPBAH at 0x0: 0x0', 'PPBAL at 0x4: 0x200000', 'PPLAH at 0x8: 0x0', 'PPLAL at 0xc: 0x214000', ...rest])
    expect(spelled(takeOver({ ...ground, fixed: 0x1_fff0_0000n })).slice(0, 4))
      .toEqual(['PPBAH at 0x0: 0x1', 'PPBAL at 0x4: 0xfff00000', 'PPLAH at 0x8: 0x1', 'PPLAL at 0xc: 0xfff14000'])
    expect([open(3, 0n, ground), close(3, 0n, ground), flush(changed(5))]).toEqual([[], [], []])
  })
  test('V goes first and comes last; everything that is not identity is V = 0', () => {
    expect(spelled(aim(5, IDENTITY, BLOCKED, ground))).toEqual(shut)
    expect(spelled(aim(5, IDENTITY, TABLES, ground))).toEqual(shut)
    expect(spelled(aim(5, BLOCKED, IDENTITY, ground))).toEqual([
      ...shut, 'memory at 0x200140: 0x0', 'memory at 0x200144: 0x8d8', 'memory at 0x200148: 0x80',
      ...['4c', '50', '54', '58', '5c'].map((at) => `memory at 0x2001${at}: 0x0`), 'order', 'memory at 0x200144: 0x1 of 0x1', 'order',
    ])
  })
  test('a violation is read where one is told, with an address in two halves', () => {
    // AVS1: bit 0 an access violation, bits 12:10 one of the LIODN, which bits 31:16 name; PICS bit 3 says that there is one.
    const [high, low] = [{ 0x58: 0x3n }, { 0x5c: 0x1234_5000n }]
    expect(faults(fslPamuPlanner, { 0x50: 0x20_0001n, ...high, ...low, 0xc1c: 4n })).toEqual(NONE)
    expect(faults(fslPamuPlanner, { 0x50: 0x20_0001n, ...high, ...low, 0xc1c: 8n })).toEqual({
      faults: [{ source: 0x20, code: 1, address: 0x3_1234_5000n, meaning: 'Access violation' }],
      clear: ['AVS1 at 0x50: 0x200001', 'PICS at 0xc1c: 0xc'],
    })
    expect(faults(fslPamuPlanner, { 0x50: 0x20_8400n, 0xc1c: 8n }).faults).toEqual([{ source: 0x20, code: 0x400, address: 0n, meaning: 'not in the primary table' }])
    expect(faults(fslPamuPlanner, { 0x50: 0x20_0800n, 0xc1c: 8n }).faults).toEqual([{ source: 0x20, code: 0x800, address: 0n, meaning: undefined }])
  })
  test('has a table of 1280 LIODNs', () => {
    expect(obstacle(0x4ff)).toBeUndefined()
    expect(obstacle(0x500)).toEqual({ why: 'the LIODN is beyond the table', values: { liodn: 0x500, liodns: 0x500 } })
  })
})

describe('s390', () => {
  const { takeOver, open, close, aim, flush, aperture, obstacle, readFaults } = s390Planner({ relaxed: true, refresh: false })
  const [register, deregister] = ['MPCIFC 0x8000000500000004 0x0 0x3ffffffffff', 'MPCIFC 0x8000000500000005 0x0 0x0 0x0']
  test('functions start without translation, and their errors are events', () => {
    expect([takeOver(ground), open(3, 0n, ground), close(3, 0n, ground), readFaults({ read: () => 1n }, ground)]).toEqual([[], [], [], NONE])
    expect([aperture, obstacle(0xfff), obstacle(0x1000)])
      .toEqual([{ start: 0n, end: 0x3ff_ffff_ffffn }, undefined, { why: 'there is no such function', values: { functionId: 0x1000 } }])
  })
  test('translation is taken away before another one is registered', () => {
    expect(spelled(aim(5, TABLES, BLOCKED, ground))).toEqual([deregister])
    expect(spelled(aim(5, BLOCKED, BLOCKED, ground))).toEqual([deregister])
    expect(spelled(aim(5, BLOCKED, IDENTITY, ground))).toEqual([`${register} 0x0`])
    expect(spelled(aim(5, BLOCKED, TABLES, ground))).toEqual([`${register} 0x300804`])
    expect(spelled(aim(5, IDENTITY, TABLES, ground))).toEqual([deregister, `${register} 0x300804`])
    expect(spelled(aim(5, TABLES, IDENTITY, ground))).toEqual([deregister, `${register} 0x0`])
  })
  test('pages are refreshed as one range, or all of them', () => {
    expect(spelled(flush(changed(5, { range })))).toEqual(['RPCIT 0x8000000500000000 0x1000 0x2000'])
    expect(spelled(flush(changed(5, { streams: [5, 6] })))).toEqual(['RPCIT 0x8000000500000000 0x0 0x40000000000', 'RPCIT 0x8000000600000000 0x0 0x40000000000'])
  })
  // The answer: condition code in bits 1:0, status in bits 15:8 (tables/s390.ts).
  test('what an answer means', () => {
    const [take, leave] = [aim(5, BLOCKED, TABLES, ground)[0], aim(5, TABLES, BLOCKED, ground)[0]]
    if (take?.do !== 'call' || leave?.do !== 'call') throw new Error('no calls')
    const [done, busy, unknown] = [0n, 2n, 3n]
    const error = (status: bigint): bigint => 1n | (status << 8n)
    expect([done, busy, unknown, error(16n)].map(take.judge)).toEqual(['done', 'again', 'refused', 'refused'])
    // Taking translation away must not fail: where there is none it is done, whatever else is said it is tried again.
    expect([done, busy, unknown, error(28n), error(44n), error(16n), busy | (28n << 8n)].map(leave.judge))
      .toEqual(['done', 'again', 'done', 'done', 'done', 'again', 'again'])
    expect([done, busy, error(16n), error(5n)].map(take.explain)).toEqual([
      'condition code 0 (done)', 'condition code 2 (busy)', 'condition code 1 (error, see the status), status 16 (insufficient resources)',
      'condition code 1 (error, see the status), status 5 (unknown)',
    ])
  })
  test('without relaxed translation there is no identity; a guest\'s maps have to be refreshed too', () => {
    const [strict, guest] = [s390Planner({ relaxed: false, refresh: false }), s390Planner({ relaxed: true, refresh: true })]
    expect([strict.manifest.identity.rid, strict.manifest.limits['identity'], strict.keepsAbsent])
      .toEqual([false, 'only functions with relaxed translation can pass addresses through', false])
    expect([guest.manifest.identity.rid, guest.manifest.limits['identity'], guest.keepsAbsent, guest.manifest.hardware])
      .toEqual([true, undefined, true, 's390 PCI function of a guest'])
  })
})

describe('tegra-smmu', () => {
  const { takeOver, open, close, aim, flush, obstacle } = tegraSmmuPlanner
  test('is taken over with caches on, an empty address space, and every group of clients on it', () => {
    const steps = spelled(takeOver(ground))
    expect(steps.slice(0, 8)).toEqual([
      'PTC_CONFIG at 0x18: 0x2000003f', 'TLB_CONFIG at 0x14: 0x20000010', 'PTC_FLUSH at 0x34: 0x0', 'TLB_FLUSH at 0x30: 0x0',
      'PTB_ASID at 0x1c: 0x0', 'PTB_DATA at 0x20: 0xe0000100', 'AFI_ASID at 0x238: 0x80000000', 'SMMU_CLIENTS_0 at 0x228: 0x4000 of 0x4000',
    ])
    expect(steps.slice(-2)).toEqual(['CONFIG at 0x10: 0x1', 'read CONFIG'])
    const groups = steps.filter((each) => each.includes('_ASID at') && !each.startsWith('PTB'))
    expect(groups.every((each) => each.endsWith(': 0x80000000'))).toBe(true)
    expect(groups.length).toBeGreaterThan(10)
  })
  test('a domain takes an address space, and leaves it empty', () => {
    expect(spelled(open(3, 0x30_0000n, ground)))
      .toEqual(['PTC_FLUSH at 0x34: 0x0', 'TLB_FLUSH at 0x30: 0xe0000000', 'PTB_ASID at 0x1c: 0x3', 'PTB_DATA at 0x20: 0xe0000300', 'read PTB_ASID'])
    expect(spelled(close(3, 0x30_0000n, ground)))
      .toEqual(['PTB_ASID at 0x1c: 0x3', 'PTB_DATA at 0x20: 0xe0000100', 'PTC_FLUSH at 0x34: 0x0', 'TLB_FLUSH at 0x30: 0xe0000000', 'read PTB_ASID'])
  })
  test('a switch is one write, and a read that makes it arrive', () => {
    expect([BLOCKED, IDENTITY, TABLES].map((to) => spelled(aim(0x20, BLOCKED, to, ground)))).toEqual([
      ['NV_ASID at 0x268: 0x80000000', 'read CONFIG'], ['NV_ASID at 0x268: 0x0', 'read CONFIG'], ['NV_ASID at 0x268: 0x80000003', 'read CONFIG'],
    ])
  })
  test('lines of entries, then groups of four pages, are flushed; all lines where a table went', () => {
    const three = { start: 0x3fffn, end: 0x8000n }
    const groups = ['TLB_FLUSH at 0x30: 0xe0000003', 'TLB_FLUSH at 0x30: 0xe0000007', 'TLB_FLUSH at 0x30: 0xe000000b', 'read PTB_ASID']
    expect(spelled(flush(changed(0x20)))).toEqual(['PTC_FLUSH at 0x34: 0x0', 'TLB_FLUSH at 0x30: 0xe0000000', 'read PTB_ASID'])
    expect(spelled(flush(changed(0x20, { range: three })))).toEqual(['PTC_FLUSH at 0x34: 0x300041', 'PTC_FLUSH at 0x34: 0x300081', ...groups])
    expect(spelled(flush(changed(0x20, { range: three, tables: true })))).toEqual(['PTC_FLUSH at 0x34: 0x0', ...groups])
  })
  test('a fault has a client, a direction and an address of 34 bits', () => {
    // Bit 10 of the interrupt status; TYPE 30:28, HIGH 21:20, WRITE 16, CLIENT 6:0.
    expect(faults(tegraSmmuPlanner, { 0x8: 0x6031_0020n, 0xc: 0x5000n, 0x0: 0x200n })).toEqual(NONE)
    expect(faults(tegraSmmuPlanner, { 0x8: 0x6031_0020n, 0xc: 0x5000n, 0x0: 0x400n })).toEqual({
      faults: [{ source: 0x20, access: 'write', code: 6, meaning: 'invalid SMMU page', address: 0x3_0000_5000n }], clear: ['INTSTATUS at 0x0: 0x400'],
    })
    expect(faults(tegraSmmuPlanner, { 0x8: 0x2000_0020n, 0xc: 0x5000n, 0x0: 0x400n }).faults)
      .toEqual([{ source: 0x20, access: 'read', code: 2, meaning: undefined, address: 0x5000n }])
  })
  test('a client that no group has is no device', () => {
    expect([obstacle(0x20), obstacle(0x26)]).toEqual([undefined, { why: 'no group of clients has this client', values: { client: 0x26 } }])
  })
})
