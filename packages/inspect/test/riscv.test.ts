// The RISC-V IOMMU: words of the specification's reference model, and what that model made of them.
import { readFileSync } from 'node:fs'
import { encode } from '@iommu/bits'
import { faultCauses } from '@iommu/driver-riscv/queues'
import { capability } from '@iommu/driver-riscv/registers'
import { describe, expect, test } from 'vitest'
import { decodeEntry, explain, findEntry, inspect, InputError, planChange, readCapture, readWords, reproduce, walkCapture } from '../src/index.js'
import type { Capture, Decoded } from '../src/index.js'

interface Worked {
  readonly what: string
  readonly entry: string
  readonly words: readonly string[]
  readonly fields: Readonly<Record<string, string>>
}

// Words that were computed apart from this project and decoded again by the reference model's structures: see the driver's fixtures.
const worked = JSON.parse(readFileSync(new URL('../../driver-riscv/test/fixtures/worked.json', import.meta.url), 'utf8')) as readonly Worked[]

const decoded = async (entry: string, words: readonly string[]): Promise<Decoded> => {
  const owner = await findEntry(entry)
  return decodeEntry(owner, readWords(owner, words).words)
}

describe('entries', () => {
  test.each(worked.map((each) => [each.what, each] as const))('%s', async (_what, { entry, words, fields }) => {
    const { fields: all, reserved } = await decoded(entry, words)
    expect(Object.fromEntries(all.filter(({ value }) => value !== '0x0').map(({ name, value }) => [name, value]))).toEqual(fields)
    expect(reserved).toEqual([])
  })

  test('under the names that people use', async () => {
    for (const [name, found] of [
      ['riscv.device-context', 'riscv.dc'], ['risc-v.PDTE', 'riscv.pdt'], ['riscv.sv48', 'riscv.pte'], ['riscv.cqb', 'riscv.queue-base'],
      ['riscv.cmd.iofence', 'riscv.cmd.iofence-c'], ['riscv:fq', 'riscv.fault'],
    ] as const) {
      expect((await findEntry(name.replace(':', '.'))).name).toBe(found)
    }
  })

  test('words, fields, and fields behind their word', async () => {
    const topic = async (name: string): Promise<unknown> => (await explain(name)).items[0]
    expect(await topic('riscv.dc.tc')).toMatchObject({ kind: 'field', name: 'riscv.dc.tc', bits: [[63, 0]], fields: expect.arrayContaining(['V', 'PDTV', 'SXL']) })
    expect(await topic('riscv.pc.fsc')).toMatchObject({ bits: [[127, 64]], fields: ['FSC_PPN', 'FSC_MODE'] })
    expect(await topic('riscv.dc.MSI_ADDR_MASK')).toMatchObject({ bits: [[383, 320]] })
    expect(await topic('riscv.dc.ta.PSCID')).toMatchObject({ name: 'riscv.dc.PSCID', bits: [[159, 140]] })
    expect(await topic('riscv.dc.pdtp.PPN')).toMatchObject({ name: 'riscv.dc.FSC_PPN' })
    await expect(explain('riscv.dc.nothing')).rejects.toThrow(InputError)
  })
})

describe('causes', () => {
  test('every cause has a meaning, and says what follows', async () => {
    for (const [code, { meaning }] of faultCauses) {
      const [item] = (await explain(`riscv:${code}`)).items
      expect(item).toMatchObject({ vendor: 'riscv', code, meaning, so: expect.any(String) })
    }
    expect((await explain('riscv cause 999')).items[0]).not.toHaveProperty('meaning')
    expect((await explain('0x102')).items).toMatchObject([{ vendor: 'riscv', code: 258 }])
  })
})

const [capabilities] = encode(capability, {
  version: 0x10, Sv39: 1, Sv48: 1, Sv57: 1, Sv39x4: 1, Sv48x4: 1, PAS: 56, PD8: 1, PD17: 1, PD20: 1, AMO_HWAD: 1,
}) as [bigint]

/** What is at each address; every other word of a page that is named is zero. */
type Memory = Readonly<Record<string, string>>

const PAGE = 4096
/** Example 1 and 2 of the worked ones: a directory of three levels at 0x8_1000_0000. Contexts are of the base format. */
const DIRECTORY: Memory = { '0x810000000': '0x204000401', '0x810001010': '0x204000801', '0x810002200': '0x0' }
const CONTEXT = 0x8_1000_2200n

const captureOf = (memory: Memory, registers: Readonly<Record<string, string>> = {}): Promise<Capture> => {
  const all = { ...DIRECTORY, ...memory }
  const frames = [...new Set(Object.keys(all).map((address) => BigInt(address) / BigInt(PAGE)))]
  const bytes = new Uint8Array(frames.length * PAGE)
  const view = new DataView(bytes.buffer)
  for (const [address, word] of Object.entries(all)) {
    view.setBigUint64(frames.indexOf(BigInt(address) / BigInt(PAGE)) * PAGE + Number(BigInt(address) % BigInt(PAGE)), BigInt(word), true)
  }
  const named = { capabilities: `0x${capabilities.toString(16)}`, fctl: '0x0', ddtp: '0x204000004', ...registers }
  return readCapture({
    meta: JSON.stringify({ platform: 'riscv', devices: [{ bdf: '0000:01:02.0', requesterId: '0x110' }] }),
    registers: JSON.stringify({ registers: Object.entries(named).map(([name, value]) => ({ name, bits: 64, value })) }),
    tables: JSON.stringify({ pageSize: PAGE, pages: Object.fromEntries(frames.map((frame, index) => [`0x${(frame * BigInt(PAGE)).toString(16)}`, index * PAGE])), zeroPages: [] }),
    bytes,
  })
}

/** A device context in words. */
const context = (...words: readonly string[]): Memory => Object.fromEntries(words.map((word, index) => [`0x${(CONTEXT + BigInt(index * 8)).toString(16)}`, word]))

const DPE = ['0x221', '0x0', '0x0', '0x1000000000840000'] as const
const ask = { source: 0x110, iova: 0x20_0000n } as const

describe('recorded tables', () => {
  // Outcomes of the reference model for these words (device 0x0110, address 0x20_0000), by its own run.
  test.each([
    ['blocked, write', context('0x0'), {}, { access: 'write' }, 258],
    ['identity with PASID 5', context('0x1'), {}, { access: 'read', pasid: 5 }, 260],
    ['off', {}, { ddtp: '0x0' }, { access: 'read' }, 256],
    ['process context 0 not valid', { ...context(...DPE), '0x840000000': '0x0' }, {}, { access: 'write' }, 266],
    ['process context of PASID 0x24 not valid', { ...context(...DPE), '0x840000240': '0x0' }, {}, { access: 'read', pasid: 0x24 }, 266],
    ['PASID 300 under PD8', { ...context(...DPE), '0x840000000': '0x0' }, {}, { access: 'write', pasid: 300 }, 260],
    ['second stage empty', { ...context('0x81', '0x9000700000830000'), '0x830000000': '0x0' }, {}, { access: 'write' }, 23],
    ['root of a nested first stage not mapped', { ...context('0x1', '0x8000700000830000', '0x5000', '0x8000000000000007'), '0x830000000': '0x0' }, {}, { access: 'write' }, 23],
  ] as const)('%s: refused as the reference model refuses it', async (_what, memory, registers, question, code) => {
    const { outcome, fault } = walkCapture(await captureOf(memory, registers), { ...ask, ...question })
    expect({ outcome, code: fault?.code }).toEqual({ outcome: 'blocked', code })
  })

  test('identity passes, and is said to be', async () => {
    const capture = await captureOf(context('0x1'))
    expect(walkCapture(capture, { ...ask, access: 'write' })).toMatchObject({ outcome: 'translated', address: '0x200000', tag: 'bare', pageEntries: 0 })
    expect(inspect(capture)).toMatchObject({
      platform: 'riscv', mode: '3-level', rootTable: '0x810000000', rootTitle: 'device directory', devices: [{ effect: 'identity', pasids: [] }],
    })
  })

  // Examples 5, 17 and 21 of the worked ones, with Sv39.
  const paging = {
    ...context('0x1', '0x0', '0x5000', '0x8000000000823456'), '0x823456000': '0x208d15c01', '0x823457008': '0x2100800d7',
  }

  test('a paging domain, entry by entry', async () => {
    const capture = await captureOf(paging)
    const { steps, ...result } = walkCapture(capture, { ...ask, iova: 0x20_3456n, access: 'write' })
    expect(result).toEqual({
      iova: '0x203456', access: 'write', outcome: 'translated', address: '0x840203456', permissions: { read: true, write: true },
      pageSize: '0x200000', tag: 'PSCID 5', pageEntries: 2,
    })
    expect(steps.map(({ entry, address }) => `${entry} ${address}`)).toEqual([
      'riscv.ddt 0x810000000', 'riscv.ddt 0x810001010', 'riscv.dc-base 0x810002200', 'riscv.pte 0x823456000', 'riscv.pte 0x823457008',
    ])
    expect(walkCapture(capture, { ...ask, iova: 0x40_0000n, access: 'read' })).toMatchObject({ outcome: 'blocked', fault: { code: 13 } })
    expect(inspect(capture).devices).toMatchObject([{ effect: 'translated', domainId: 5, why: expect.stringContaining('Device context, base format at 0x810002200: first stage at 0x823456000, 3-level, PSCID 5') }])
  })

  // Examples 14 to 16.
  test('PASIDs behind a process directory', async () => {
    const capture = await captureOf({
      ...context(...DPE), '0x840000000': '0x1', '0x840000050': '0x9001', '0x840000058': '0x9000000000824000', '0x840000230': '0x9007', '0x840000238': '0x8000000000824000',
    })
    expect(inspect(capture).devices).toMatchObject([{
      effect: 'identity', pasids: [{ pasid: 5, effect: 'translated', domainId: 9 }, { pasid: 0x23, effect: 'translated', domainId: 9 }],
    }])
  })

  test('a process directory of two levels that leads to itself', async () => {
    const capture = await captureOf({ ...context('0x21', '0x0', '0x0', '0x2000000000840000'), '0x840000000': '0x210000001' })
    expect(inspect(capture).devices).toMatchObject([{
      // A pointer is no context: its address lies in reserved bits.
      effect: 'identity', pasids: [{ pasid: 0, effect: 'invalid', why: expect.stringContaining('(cause 267)') }],
    }])
  })

  test('a context that hardware refuses, and a device beyond the directory', async () => {
    expect(inspect(await captureOf(context('0x1001'))).devices).toMatchObject([{ effect: 'invalid', why: expect.stringContaining('(cause 259)') }])
    expect(inspect(await captureOf({}, { ddtp: '0x204000002' })).devices).toMatchObject([{ effect: 'blocked', why: expect.stringContaining('beyond a 1-level directory') }])
    expect(inspect(await captureOf({}, { ddtp: '0x1' })).devices).toMatchObject([{ effect: 'identity' }])
    expect(inspect(await captureOf({}, { ddtp: '0x0' }))).toMatchObject({ mode: 'off', devices: [{ effect: 'blocked' }] })
  })

  // Examples 47 and 48.
  test('faults that nobody had read yet', async () => {
    const records = ['0x0001100c00000102', '0x0', '0x00000000deadb000', '0x0', '0x000110090002300d', '0x0', '0x00000000deadb000', '0x0']
    const memory = Object.fromEntries(records.map((word, index) => [`0x${(0x8_7000_0000 + index * 8).toString(16)}`, word]))
    const { faults } = inspect(await captureOf(memory, { fqb: '0x21c000001', fqh: '0x0', fqt: '0x2' }))
    expect(faults).toEqual([
      { device: '0000:01:02.0', access: 'write', address: '0xdeadb000', code: 258, name: 'a device directory entry is not valid' },
      { device: '0000:01:02.0', pasid: 0x23, access: 'read', address: '0xdeadb000', code: 13, name: 'first stage: nothing mapped, or no permission to read' },
    ])
  })

  test('what is not walked is refused, and says so', async () => {
    await expect(captureOf({}, { ddtp: '0x7' }).then(inspect)).rejects.toThrow('registers.json, ddtp: expected a mode up to 4, found 0x7')
    await expect(captureOf({}, { fctl: '0x1' }).then(inspect)).rejects.toThrow('BE is 1, which this version does not walk')
    const msi = capabilities | (1n << 22n)
    // The extended format: the device is split 9, 9 and 6 bits, and example 11 has an MSI page table.
    const guests = await captureOf({
      '0x810000000': '0x204000401', '0x810001020': '0x204000801', '0x810002400': '0x1', '0x810002408': '0x8000700000830000', '0x810002420': '0x1000000000850000',
      '0x810002428': '0xff', '0x810002430': '0x28000',
    }, { capabilities: `0x${msi.toString(16)}` })
    const refused = walkCapture(guests, { ...ask, access: 'write' })
    expect([refused.outcome, refused.steps.at(-1)?.entry]).toEqual(['unknown', 'riscv.dc'])
    expect(refused.unknown?.why).toContain('device context at 0x810002400: expected no MSI page table')
    expect(() => inspect(guests)).toThrow('no MSI page table')
    expect(() => reproduce(guests)).toThrow('expected one whose entries are compared with the driver\'s, found "riscv"')
    expect(walkCapture(await captureOf({ ...context('0x1', '0x0', '0x5000', '0x8000000000999999') }), { ...ask, access: 'read' }))
      .toMatchObject({ outcome: 'unknown', unknown: { missing: '0x999999000' } })
  })
})

describe('changes', () => {
  // The worked sequence: paging to identity, by the word that decides, without an invalid context in between.
  test('from paging to identity is hitless', async () => {
    const dc = await findEntry('riscv.dc-base')
    const words = (text: string): readonly bigint[] => readWords(dc, [text]).words
    const plan = await planChange(dc, words('0x1 0x0 0x5000 0xa000000000823456'), words('0x1'), { source: 0x110, pasid: 0 })
    expect(plan).toMatchObject({ hitless: true, syncs: 2 })
    expect(plan.stores.map(({ index, words: stored, live }) => [index, stored, live])).toEqual([
      [3, ['0x0000000000000000'], true], [2, ['0x0000000000000000'], true],
    ])
    expect(plan.invalidations.map(({ words: stored }) => stored)).toEqual([
      ['0x0001100200000003', '0x0000000000000000'], ['0x0000000000003002', '0x0000000000000000'],
      ['0x0001100200000003', '0x0000000000000000'], ['0x0000000000003002', '0x0000000000000000'],
    ])
  })

  test('a process context, by device and PASID', async () => {
    const pc = await findEntry('riscv.pc')
    const plan = await planChange(pc, [0x9001n, 0x9000000000824000n], [0n, 0n], { source: 0x110, pasid: 0x23 })
    expect(plan.invalidations[0]).toMatchObject({ entry: 'riscv.cmd.iodir-inval-pdt', words: ['0x0001100200023083', '0x0000000000000000'] })
  })
})
