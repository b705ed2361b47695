// Captures that are not as they must be: an answer, or one sentence that names the place. Never a hang.
import { describe, expect, test } from 'vitest'
import { decode, encode } from '@iommu/bits'
import { rootTableAddress } from '@iommu/driver-intel-vtd/registers'
import { contextEntry, pasidDirectoryEntry, pasidEntry, scalableContextEntry, scalableRootEntry } from '@iommu/driver-intel-vtd/tables'
import { secondStageEntry } from '@iommu/page-table'
import { inspect, InputError, readCapture, walkAnswer, walkCapture } from '../src/index.js'
import type { CaptureFiles } from '../src/index.js'
import { filesOf, OWN } from './recorded.js'

const files = filesOf(`${OWN}intel-7.3.4-legacy-edu-vfio`)
const complaint = async (change: Partial<CaptureFiles>): Promise<string> => {
  try {
    inspect(await readCapture({ ...files, ...change }))
  } catch (error) {
    if (error instanceof InputError) return error.message
    throw error
  }
  return 'nothing'
}

const json = (text: string, change: (value: Record<string, unknown>) => void): string => {
  const value = JSON.parse(text) as Record<string, unknown>
  change(value)
  return JSON.stringify(value)
}

describe('files', () => {
  test.each<[string, Partial<CaptureFiles>, string]>([
    ['no JSON', { meta: 'garbage' }, 'meta.json, line 1, column 1: expected a JSON value, found "garbage"'],
    ['empty', { meta: '' }, 'meta.json, line 1, column 1: expected a JSON value, found the end of the file'],
    [
      'cut off',
      { meta: '{\n "platform": "int' },
      'meta.json, line 2, column 18: expected a closing quote, found the end of the file',
    ],
    [
      'a comma too many',
      { meta: '{"platform": "intel",}' },
      'meta.json, line 1, column 22: expected a member name in quotes, found "}"',
    ],
    ['something behind', { meta: '{} x' }, 'meta.json, line 1, column 4: expected the end of the file, found "x"'],
    ['a bad escape', { meta: '{"a": "\\q"}' }, 'expected a string whose escapes are right'],
    [
      'a member twice',
      { meta: '{"platform": "intel", "platform": "amd"}' },
      'meta.json, line 1, column 23: expected "platform" only once',
    ],
    ['very deep', { meta: '['.repeat(100_000) }, 'expected at most 64 levels'],
    ['a list', { meta: '[]' }, 'meta.json, top level: expected an object, found a list'],
    ['no platform', { meta: '{}' }, 'meta.json, platform: expected the name of a platform, found nothing'],
    [
      'another platform',
      { meta: '{"platform": "sparc", "devices": []}' },
      'meta.json, platform: expected one of "intel", "amd", "arm", "riscv", found "sparc"',
    ],
    ['no devices', { meta: '{"platform": "intel"}' }, 'meta.json, devices: expected a list, found nothing'],
    [
      'a device without a name',
      { meta: '{"platform": "intel", "devices": [{"bdf": "4"}]}' },
      'meta.json, devices[0].bdf: expected a device name such as "0000:00:04.0", found "4"',
    ],
    [
      'a wide requester id',
      { meta: '{"platform": "intel", "devices": [{"bdf": "00:04.0", "requesterId": "0x12345"}]}' },
      'meta.json, devices[0].requesterId: expected a number of 16 bits, found "0x12345"',
    ],
    [
      'a device twice',
      {
        meta: '{"platform": "intel", "devices": [{"bdf": "00:04.0", "requesterId": "0x20"}, {"bdf": "00:04.0", "requesterId": "0x20"}]}',
      },
      'meta.json, devices[1].bdf: expected each device once',
    ],
    [
      'no register',
      { registers: '{"registers": []}' },
      'registers.json, registers: expected a register named CAP, found none',
    ],
    [
      'a register twice',
      {
        registers: json(files.registers, (r) => {
          ;(r['registers'] as unknown[]).push((r['registers'] as unknown[])[0])
        }),
      },
      'expected each register once, found "VER"',
    ],
    [
      'a register that is no number',
      { registers: '{"registers": [{"name": "CAP", "bits": 64, "value": "0xzz"}]}' },
      'registers.json, registers[0].value: expected a number as a "0x..." text, found "0xzz"',
    ],
    [
      'a register too wide',
      { registers: '{"registers": [{"name": "GSTS", "bits": 32, "value": "0x100000000"}]}' },
      'registers.json, registers[0].value: expected a number of 32 bits',
    ],
    [
      'a register of odd width',
      { registers: '{"registers": [{"name": "GSTS", "bits": 16, "value": "0x1"}]}' },
      'registers.json, registers[0].bits: expected 32 or 64, found 16',
    ],
    [
      'another page size',
      { tables: '{"pageSize": 65536, "pages": {}, "zeroPages": []}' },
      'tables.json, pageSize: expected 4096, found 65536',
    ],
    [
      'an address inside a page',
      { tables: '{"pageSize": 4096, "pages": {"0x1008": 0}, "zeroPages": []}' },
      'tables.json, pages.0x1008: expected the address of a 4 KiB page, found "0x1008"',
    ],
    [
      'an offset that is text',
      { tables: '{"pageSize": 4096, "pages": {"0x1000": "0"}, "zeroPages": []}' },
      'tables.json, pages.0x1000: expected an offset in bytes, found "0"',
    ],
    [
      'a negative offset',
      { tables: '{"pageSize": 4096, "pages": {"0x1000": -1}, "zeroPages": []}' },
      'expected an offset in bytes, found -1',
    ],
    [
      'a page twice',
      { tables: '{"pageSize": 4096, "pages": {"0x1000": 0, "0x01000": 0}, "zeroPages": []}' },
      'tables.json, pages.0x01000: expected each page once, found "0x01000" again',
    ],
    [
      'a page that is zero too',
      { tables: '{"pageSize": 4096, "pages": {"0x1000": 0}, "zeroPages": ["0x1000"]}' },
      'tables.json, zeroPages[0]: expected each page once, found "0x1000"',
    ],
    ['tables.bin cut off', { bytes: files.bytes.subarray(0, 5000) }, '(tables.bin has 5000 bytes), found 4096'],
    ['tables.bin empty', { bytes: new Uint8Array(0) }, 'expected an offset below 0 (tables.bin has 0 bytes)'],
    ['names of the caller', { meta: '', names: { meta: '/tmp/x/meta.json' } }, '/tmp/x/meta.json, line 1, column 1'],
  ])('%s', async (_what, change, message) => expect(await complaint(change)).toContain(message))
})

/** A capture made here: a few pages of words. */
const made = (
  pages: Readonly<Record<string, Readonly<Record<number, bigint>>>>,
  registers: Readonly<Record<string, string>>,
): CaptureFiles => {
  const names = Object.keys(pages)
  const bytes = new Uint8Array(names.length * 4096)
  const view = new DataView(bytes.buffer)
  names.forEach((name, page) => {
    for (const [index, word] of Object.entries(pages[name] ?? {}))
      view.setBigUint64(page * 4096 + Number(index) * 8, word, true)
  })
  return {
    meta: '{"platform": "intel", "devices": [{"bdf": "0000:00:00.0", "requesterId": "0x0"}]}',
    registers: JSON.stringify({
      registers: Object.entries(registers).map(([name, value]) => ({ name, bits: name === 'GSTS' ? 32 : 64, value })),
    }),
    tables: JSON.stringify({
      pageSize: 4096,
      pages: Object.fromEntries(names.map((name, page) => [name, page * 4096])),
      zeroPages: [],
    }),
    bytes,
  }
}

const CAP = '0x80d2008c222f0606'
const LEGACY = { CAP, ECAP: '0x0000000000f00f5e', GSTS: '0xc7000000', RTADDR: '0x1000' }
const SCALABLE = {
  CAP,
  ECAP: '0x0000497880f00f5e',
  GSTS: '0xc7000000',
  RTADDR: `0x${(encode(rootTableAddress, { TTM: 1, RTA: 0x1000n })[0] as bigint).toString(16)}`,
}
const words = (list: readonly bigint[], at = 0): Record<number, bigint> =>
  Object.fromEntries(list.map((word, index) => [at + index, word]))
const read = { source: 0, iova: 0x1234n, access: 'read' } as const

describe('tables', () => {
  const context = (root: bigint): Record<number, bigint> =>
    words(encode(contextEntry, { P: 1, AW: 2, DID: 5, SSPTPTR: root }))
  const table = (to: bigint): bigint => encode(secondStageEntry, { R: 1, W: 1, ADDR: to })[0] as bigint

  test('a pointer out of the capture names the page', async () => {
    const capture = await readCapture(made({ '0x1000': { 0: 0x2001n }, '0x2000': context(0x9000n) }, LEGACY))
    expect(inspect(capture).devices[0]).toMatchObject({ effect: 'translated', domainId: 5 })
    const { steps, ...answer } = walkCapture(capture, read)
    expect(answer).toEqual({
      iova: '0x1234', access: 'read', outcome: 'unknown', pageEntries: 0,
      unknown: { missing: '0x9000', why: 'tables.json, page 0x9000: expected a recorded page, since a table points there, found none' },
    })
    expect(steps.map(({ entry, note }) => `${entry}: ${note}`)).toEqual(['vtd.root: bus 0x0: context table', 'vtd.context: second stage at 0x9000, 4-level, domain 5'])
    expect(walkAnswer({ ...answer, steps })).toBe('unknown: 0x9000 is missing from the source, and beyond it nothing is known')
  })

  test('a table that points to itself ends after as many levels as there are', async () => {
    const capture = await readCapture(
      made(
        { '0x1000': { 0: 0x2001n }, '0x2000': context(0x3000n), '0x3000': { 0: table(0x3000n), 1: table(0x3000n) } },
        LEGACY,
      ),
    )
    const result = walkCapture(capture, read)
    expect(result).toMatchObject({ outcome: 'translated', address: '0x3234' })
    expect(result.steps).toHaveLength(6)
  })

  test('a root table, context table and page table in one page', async () => {
    const capture = await readCapture(made({ '0x1000': { 0: 0x1001n, 1: 0n } }, LEGACY))
    expect(inspect(capture).devices[0]).toMatchObject({ effect: 'invalid' })
  })

  test('a PASID directory that points to itself claims very many PASIDs, and they are counted', async () => {
    const own = encode(pasidDirectoryEntry, { P: 1, SMPTBLPTR: 0x4000n })[0] as bigint
    const directory = Object.fromEntries(Array.from({ length: 512 }, (_, index) => [index, own]))
    const pages = Object.fromEntries(
      Array.from({ length: 32 }, (_, index) => [`0x${(0x4000 + index * 4096).toString(16)}`, directory]),
    )
    const capture = await readCapture(
      made(
        {
          '0x1000': words(encode(scalableRootEntry, { LP: 1, LCTP: 0x2000n })),
          '0x2000': words(encode(scalableContextEntry, { P: 1, PDTS: 7, PASIDDIRPTR: 0x4000n })),
          ...pages,
        },
        SCALABLE,
      ),
    )
    const [device] = inspect(capture).devices
    expect(device?.pasids).toHaveLength(4096)
    expect((device?.pasidsLeftOut ?? 0) + 4096).toBe(2 ** 20 - 1)
  })

  test('an entry with reserved bits is invalid, and says which entry', async () => {
    const capture = await readCapture(
      made({ '0x1000': { 0: 0x2001n }, '0x2000': { ...context(0x3000n), 0: 0xff1n } }, LEGACY),
    )
    expect(inspect(capture).devices[0]).toMatchObject({
      effect: 'invalid',
      why: expect.stringContaining('Context entry at 0x2000'),
    })
    expect(walkCapture(capture, read)).toMatchObject({ outcome: 'blocked', fault: { code: 0x0b } })
  })
})

describe('registers that decide alone', () => {
  const nothing = { '0x1000': {} }
  test('translation off: DMA passes', async () => {
    const capture = await readCapture(made(nothing, { ...LEGACY, GSTS: '0x0' }))
    expect(inspect(capture)).toMatchObject({
      mode: 'off',
      devices: [{ effect: 'identity', why: expect.stringContaining('translation is off') }],
    })
    expect(walkCapture(capture, read)).toMatchObject({ outcome: 'translated', address: '0x1234' })
  })

  test('abort all DMA', async () => {
    const capture = await readCapture(made(nothing, { ...LEGACY, RTADDR: '0x1c00' }))
    expect(inspect(capture)).toMatchObject({ mode: 'abort', devices: [{ effect: 'blocked' }] })
    expect(walkCapture(capture, read)).toMatchObject({ outcome: 'blocked', fault: { code: 0x33 } })
  })

  test('a reserved table mode', async () => {
    const capture = await readCapture(made(nothing, { ...LEGACY, RTADDR: '0x1800' }))
    expect(inspect(capture)).toMatchObject({ mode: 'reserved', devices: [{ effect: 'invalid' }] })
  })
})

describe('PASIDs', () => {
  const entry = (values: Partial<Parameters<typeof encode<typeof pasidEntry.fields>>[1]>): bigint[] =>
    encode(pasidEntry, { P: 1, AW: 2, DID: 7, ...values })
  const tables = (pasidEnable: number, pasid5: readonly bigint[]): CaptureFiles =>
    made(
      {
        '0x1000': words(encode(scalableRootEntry, { LP: 1, LCTP: 0x2000n })),
        '0x2000': words(encode(scalableContextEntry, { P: 1, PASIDE: pasidEnable, PASIDDIRPTR: 0x3000n })),
        '0x3000': words(encode(pasidDirectoryEntry, { P: 1, SMPTBLPTR: 0x4000n })),
        '0x4000': words(pasid5, 40),
      },
      SCALABLE,
    )

  test('an entry of its own while the device is blocked', async () => {
    const capture = await readCapture(tables(1, entry({ PGTT: 4 })))
    expect(inspect(capture).devices[0]).toMatchObject({
      effect: 'blocked',
      pasids: [{ pasid: 5, effect: 'identity', domainId: 7 }],
    })
    expect(walkCapture(capture, { ...read, pasid: 5 })).toMatchObject({ outcome: 'translated', address: '0x1234' })
    expect(walkCapture(capture, { ...read, pasid: 6 })).toMatchObject({ outcome: 'blocked', fault: { code: 0x59 } })
    expect(walkCapture(capture, { ...read, pasid: 0x9000 })).toMatchObject({
      outcome: 'blocked',
      fault: { code: 0x46 },
    })
    expect(walkCapture(capture, { ...read, pasid: 5 }).caution).toBeUndefined()
  })

  test('PASIDE=0 is walked past, and both answers say so', async () => {
    const capture = await readCapture(tables(0, entry({ PGTT: 4 })))
    expect(inspect(capture).devices[0]?.caution).toContain('PASIDE=0')
    const result = walkCapture(capture, { ...read, pasid: 5 })
    expect(result).toMatchObject({ outcome: 'translated', caution: expect.stringContaining('0x45') })
    expect(result.steps.map((step) => step.entry)).toEqual([
      'vtd.sm-root',
      'vtd.sm-context',
      'vtd.pasid-dir',
      'vtd.pasid',
    ])
  })

  test('nested entries are named, and not walked', async () => {
    const ecap = `0x${(0x0000497880f00f5en | (1n << 26n)).toString(16)}`
    const files = tables(1, entry({ PGTT: 3, SSPTPTR: 0x5000n, FSPTPTR: 0x6000n }))
    const capture = await readCapture({ ...files, registers: files.registers.replace(SCALABLE.ECAP, ecap) })
    expect(inspect(capture).devices[0]?.pasids[0]).toMatchObject({
      effect: 'translated',
      domainId: 7,
      why: expect.stringContaining('nested'),
    })
    const { outcome, unknown, caution, steps } = walkCapture(capture, { ...read, pasid: 5 })
    expect([outcome, unknown?.missing, steps.at(-1)?.entry]).toEqual(['unknown', undefined, 'vtd.pasid'])
    expect(unknown?.why).toContain('nested translation, which this version does not walk')
    expect(caution).toBeUndefined()
  })

  test('the words of an entry are those that the capture holds', async () => {
    const capture = await readCapture(tables(1, entry({ PGTT: 2, SSPTPTR: 0x9000n })))
    expect(
      decode(
        pasidEntry,
        Array.from({ length: 8 }, (_, index) => capture.view.load64(0x4140n + BigInt(index * 8))),
      ).SSPTPTR,
    ).toBe(0x9000n)
  })
})
