// Input that nobody writes by accident: logs of a megabyte without a line end, tables that lead to themselves.
import { encode } from '@iommu/bits'
import { control, deviceTableBase } from '@iommu/driver-amd-vi/registers'
import { deviceTableEntry, gcr3Entry } from '@iommu/driver-amd-vi/tables'
import { control0, streamTableBase, streamTableConfig } from '@iommu/driver-arm-smmuv3/registers'
import { contextDescriptor, levelOneContext, levelOneStream, streamEntry } from '@iommu/driver-arm-smmuv3/tables'
import { describe, expect, test } from 'vitest'
import { explainLog, inspect, InputError, readCapture, reproduce, walkCapture } from '../src/index.js'
import type { CaptureFiles } from '../src/index.js'

const MEGABYTE = 2 ** 20
const NOT_WALKED = { why: expect.stringContaining('nested translation, which this version does not walk') }

describe('a log takes time in proportion to its length', () => {
  const repeated = (text: string): string => text.repeat(Math.ceil(MEGABYTE / text.length))

  test.each([
    'AMD-Vi: ', 'AMD-Vi: Event logged [IO_PAGE_FAULT ', 'arm-smmu-v3 ', 'arm-smmu-v3 x: event 0x10 received: ', '0x0000000000000000 ',
    '[DMA Read PASID 0x', 'Request device [[[', '[fault reason ', 'f', 'iommu ', 'DMAR ', 'arm-smmu y ', 'event: F_TRANSLATION client: ',
    'dmar_fault: 1', '\t', 'device=', 'DTE[0]: ',
  ])('one line of %j', { timeout: 30_000 }, async (text) => {
    for (const before of ['', 'DMAR: ', 'AMD-Vi: ', 'arm-smmu-v3 x: ']) {
      const { items } = await explainLog(before + repeated(text))
      expect(items.length).toBeLessThan(2)
    }
  })

  test('very many faults of one device', { timeout: 60_000 }, async () => {
    const lines = Array.from({ length: 10_000 }, (_, index) => index).flatMap((index) => [
      `DMAR: [DMA Read NO_PASID] Request device [03:00.0] fault addr 0x${index.toString(16)}000 [fault reason 0x06] x`,
      `AMD-Vi: Event logged [IO_PAGE_FAULT device=04:00.0 domain=0x0001 address=0x${index.toString(16)}000 flags=0x0020]`,
    ])
    const { devices } = await explainLog(lines.join('\n'))
    expect(devices.map(({ faults, distinct }) => [faults, distinct])).toEqual([[10_000, 10_000], [10_000, 10_000]])
  })

  test('events that never end', { timeout: 60_000 }, async () => {
    const { items } = await explainLog('arm-smmu-v3 x: event 0x10 received:\n'.repeat(10_000))
    expect(items).toMatchObject([{ count: 10_000, reading: expect.stringContaining('missing') }])
  })
})

type Pages = Readonly<Record<string, Readonly<Record<number, bigint>>>>

/** A capture made here: a few pages of words. */
const made = (platform: string, registers: Readonly<Record<string, bigint>>, pages: Pages): CaptureFiles => {
  const names = Object.keys(pages)
  const bytes = new Uint8Array(names.length * 4096)
  const view = new DataView(bytes.buffer)
  names.forEach((name, page) => {
    for (const [index, word] of Object.entries(pages[name] ?? {})) view.setBigUint64(page * 4096 + Number(index) * 8, word, true)
  })
  return {
    meta: JSON.stringify({ platform, devices: [{ bdf: '0000:00:00.0', requesterId: '0x0' }] }),
    registers: JSON.stringify({
      registers: Object.entries(registers).map(([name, value]) => ({ name, bits: 64, value: `0x${value.toString(16)}` })),
    }),
    tables: JSON.stringify({ pageSize: 4096, pages: Object.fromEntries(names.map((name, page) => [name, page * 4096])), zeroPages: [] }),
    bytes,
  }
}

const words = (list: readonly bigint[]): Record<number, bigint> => Object.fromEntries(list.map((word, index) => [index, word]))
const [word] = [([first]: readonly bigint[]): bigint => first as bigint]

const amd = (
  entry: readonly bigint[], pages: Pages = {}, enable: Parameters<typeof encode<typeof control.fields>>[1] = { IommuEn: 1, GTEn: 1 },
): CaptureFiles =>
  made('amd', {
    CONTROL: word(encode(control, enable)), DEVTAB_BASE: word(encode(deviceTableBase, { Base: 0x1000n })),
    // Guest tables, three GCR3 levels, PASIDs of 20 bits, GIOSup.
    EFR: (1n << 4n) | (2n << 10n) | (2n << 14n) | (19n << 32n) | (1n << 48n),
  }, { '0x1000': words(entry), ...pages })

describe('AMD-Vi tables', () => {
  const read = { source: 0, iova: 0x1234n, access: 'read' } as const
  const guest = { V: 1, TV: 1, GV: 1, IR: 1, IW: 1, DomainID: 7, GCR3TRP: 0x2000n } as const

  test('translation off, an entry that is not valid, and one without translation', async () => {
    const off = await readCapture(amd([0n, 0n, 0n, 0n], {}, {}))
    expect(inspect(off)).toMatchObject({ mode: 'off', devices: [{ effect: 'identity', why: expect.stringContaining('IommuEn') }] })
    expect(reproduce(off).entries).toEqual([])
    expect(inspect(await readCapture(amd([0n, 0n, 0n, 0n]))).devices[0]).toMatchObject({ effect: 'identity', why: expect.stringContaining('not valid') })
    expect(inspect(await readCapture(amd(encode(deviceTableEntry, { V: 1 })))).devices[0]).toMatchObject({ effect: 'blocked' })
    expect(inspect(await readCapture(amd(encode(deviceTableEntry, { V: 1, TV: 1 })))).devices[0])
      .toMatchObject({ effect: 'blocked', why: expect.stringContaining('IR, IW') })
  })

  test('PASIDs behind a GCR3 table, with and without GIoV', async () => {
    const pages = { '0x2000': { 0: word(encode(gcr3Entry, { V: 1, ADDR: 0x3000n })), 5: word(encode(gcr3Entry, { V: 1, ADDR: 0x4000n })) }, '0x3000': {}, '0x4000': {} }
    const passing = await readCapture(amd(encode(deviceTableEntry, guest), pages))
    expect(inspect(passing).devices[0]).toMatchObject({ effect: 'identity', pasids: [{ pasid: 0, effect: 'translated' }, { pasid: 5, effect: 'translated', domainId: 7 }] })
    expect(walkCapture(passing, { ...read, pasid: 6 })).toMatchObject({ outcome: 'blocked', fault: { code: 2 } })
    const translated = await readCapture(amd(encode(deviceTableEntry, { ...guest, GIoV: 1 }), pages))
    expect(inspect(translated).devices[0]).toMatchObject({ effect: 'translated', pasids: [{ pasid: 5 }] })
    expect(reproduce(translated)).toMatchObject({ totals: { equal: 3, explained: 0, different: 0 } })
  })

  test('a GCR3 table that leads to itself claims very many PASIDs, and they are counted', { timeout: 60_000 }, async () => {
    const self = word(encode(gcr3Entry, { V: 1, ADDR: 0x2000n }))
    const capture = await readCapture(amd(encode(deviceTableEntry, { ...guest, GLX: 1 }), { '0x2000': words(Array.from({ length: 512 }, () => self)) }))
    const [device] = inspect(capture).devices
    expect((device?.pasids.length ?? 0) + (device?.pasidsLeftOut ?? 0)).toBe(2 ** 18)
    expect(reproduce(capture).totals.different).toBeGreaterThan(0)
  })

  test('an entry that hardware refuses, one beyond the table, and nested translation', async () => {
    expect(inspect(await readCapture(amd([0x7dn, 0n, 0n, 0n]))).devices[0]).toMatchObject({ effect: 'invalid', why: expect.stringContaining('ILLEGAL_DEV_TABLE_ENTRY') })
    const nested = await readCapture(amd(encode(deviceTableEntry, { ...guest, Mode: 3, HostPTRoot: 0x3000n, GIoV: 1 }), { '0x2000': {} }))
    expect(walkCapture(nested, read)).toMatchObject({ outcome: 'unknown', unknown: NOT_WALKED, steps: [{ entry: 'amd.dte' }] })
    expect(reproduce(nested).entries[0]).toMatchObject({ verdict: 'different', ours: [], note: 'the driver has no nested translation' })
    const lost = await readCapture(amd(encode(deviceTableEntry, { V: 1, TV: 1, Mode: 3, IR: 1, IW: 1, HostPTRoot: 0x9000n, DomainID: 1 })))
    expect(walkCapture(lost, read)).toMatchObject({ outcome: 'unknown', unknown: { missing: '0x9000' }, steps: [{ entry: 'amd.dte', note: expect.stringContaining('host tables at 0x9000') }] })
    expect(reproduce(lost).entries[0]?.note).toBe('leads to 0x9000, which was not recorded')
  })
})

/** The identification registers of a recorded SMMU, with SSIDs of 8 bits and CD tables of two levels besides. */
const IDENTIFICATION = { IDR0: 0x0d44101bn | (1n << 19n), IDR1: 0x02730010n | (8n << 6n), IDR3: 0x1414n, IDR5: 0x74n, CR2: 6n, GBPA: 0x1000n }

const arm = (first: readonly bigint[], pages: Pages = {}, split = 0, enabled = 1): CaptureFiles =>
  made('arm', {
    ...IDENTIFICATION, CR0: word(encode(control0, { SMMUEN: enabled })), STRTAB_BASE: word(encode(streamTableBase, { ADDR: 0x1000n })),
    STRTAB_BASE_CFG: word(encode(streamTableConfig, { LOG2SIZE: 6, FMT: split === 0 ? 0 : 1, SPLIT: split })),
  }, { '0x1000': words(first), ...pages })

describe('SMMUv3 tables', () => {
  const read = { source: 0, iova: 0x1234n, access: 'read' } as const
  const context = encode(contextDescriptor, { V: 1, T0SZ: 16, EPD1: 1, AA64: 1, A: 1, R: 1, ASID: 3, IPS: 5, TTB0: 0x3000n })
  const stage1 = { V: 1, Config: 5, S1ContextPtr: 0x2000n } as const

  test('translation off passes, or aborts where GBPA says so', async () => {
    expect(inspect(await readCapture(arm([], {}, 0, 0)))).toMatchObject({ mode: 'off', devices: [{ effect: 'identity' }] })
    const files = arm([], {}, 0, 0)
    const aborts = await readCapture({ ...files, registers: files.registers.replace('"value":"0x1000"', '"value":"0x100000"') })
    expect(inspect(aborts)).toMatchObject({ mode: 'abort', devices: [{ effect: 'blocked' }] })
    expect(walkCapture(aborts, read)).toEqual({ iova: '0x1234', access: 'read', outcome: 'blocked', steps: [], pageEntries: 0 })
  })

  test('a stream that nobody set: an invalid entry, an empty descriptor of level 1', async () => {
    expect(inspect(await readCapture(arm([]))).devices[0]).toMatchObject({ effect: 'blocked', why: expect.stringContaining('C_BAD_STE') })
    const empty = await readCapture(arm(encode(levelOneStream, {}), {}, 8))
    expect(inspect(empty).devices[0]).toMatchObject({ effect: 'blocked', why: expect.stringContaining('C_BAD_STREAMID') })
    expect(reproduce(empty).entries.map(({ entry, verdict }) => [entry, verdict])).toEqual([['smmuv3.l1std', 'equal']])
  })

  test('SSIDs, and requests without one by S1DSS', async () => {
    const pages = { '0x2000': { ...words(context), ...Object.fromEntries(context.map((each, index) => [24 + index, each])) }, '0x3000': {} }
    const ask = async (S1DSS: number): Promise<unknown> =>
      inspect(await readCapture(arm(encode(streamEntry, { ...stage1, S1CDMax: 3, S1DSS }), pages))).devices[0]
    expect(await ask(0)).toMatchObject({ effect: 'blocked', pasids: [{ pasid: 0 }, { pasid: 3, effect: 'translated', domainId: 3 }] })
    expect(await ask(1)).toMatchObject({ effect: 'identity', pasids: [{ pasid: 0 }, { pasid: 3 }] })
    expect(await ask(2)).toMatchObject({ effect: 'translated', domainId: 3, pasids: [{ pasid: 3 }] })
  })

  test('leaves of contexts that are all the same one are read once', async () => {
    const leaf = word(encode(levelOneContext, { V: 1, L2Ptr: 0x2000n }))
    const files = arm(encode(streamEntry, { ...stage1, S1ContextPtr: 0x4000n, S1Fmt: 1, S1CDMax: 8, S1DSS: 2 }), { '0x2000': words(context), '0x4000': words([leaf, leaf, leaf, leaf]) })
    const [device] = inspect(await readCapture(files)).devices
    expect(device).toMatchObject({ effect: 'translated', domainId: 3, pasids: [{ pasid: 64 }, { pasid: 128 }, { pasid: 192 }] })
  })

  test('an entry that hardware refuses, nested translation, and a page that is missing', async () => {
    const illegal = await readCapture(arm(encode(streamEntry, { ...stage1, S1STALLD: 1 }), { '0x2000': words(context) }))
    expect(inspect(illegal).devices[0]).toMatchObject({ effect: 'invalid', why: expect.stringContaining('C_BAD_STE') })
    const nested = await readCapture(arm(encode(streamEntry, { ...stage1, Config: 7 })))
    expect(inspect(nested).devices[0]).toMatchObject({ effect: 'translated', why: expect.stringContaining('not modelled') })
    expect(walkCapture(nested, read)).toMatchObject({ outcome: 'unknown', unknown: NOT_WALKED, steps: [{ entry: 'smmuv3.ste' }] })
    // The context's address is the second stage's to translate: memory that is missing there is not what is missing.
    const unmapped = await readCapture(arm(encode(streamEntry, { ...stage1, Config: 7, S1ContextPtr: 0x2000n }), { '0x2000': words(context) }))
    expect(walkCapture(unmapped, read)).toEqual({ ...walkCapture(nested, read), steps: [expect.objectContaining({ entry: 'smmuv3.ste' })] })
    const lost = await readCapture(arm(encode(streamEntry, stage1)))
    expect(() => inspect(lost)).toThrow(InputError)
    expect(walkCapture(lost, read)).toMatchObject({ outcome: 'unknown', unknown: { missing: '0x2000' }, steps: [{ entry: 'smmuv3.ste' }] })
    expect(reproduce(lost).entries[0]).toMatchObject({ verdict: 'different', note: 'leads to 0x2000, which was not recorded' })
  })
})
