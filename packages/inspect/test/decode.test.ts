// Layouts against words whose field values Linux's and QEMU's own masks gave.
import { readFileSync } from 'node:fs'
import type { Entry } from '@iommu/bits'
import { describe, expect, test } from 'vitest'
import { decodeEntry, findEntry, listEntries, readWords, setFields } from '../src/index.js'
import type { DecodedField } from '../src/index.js'

interface OutsideField {
  readonly valueMask: string
  readonly alias?: readonly string[]
  readonly bits?: readonly (readonly [high: number, low: number])[]
  /** The reference's place, where it is wider than both sources or they disagree. */
  readonly referenceBits?: readonly [high: number, low: number]
  /** Overlaps other fields, or is put together from them. */
  readonly composite?: boolean
}
interface Vector {
  readonly id: string
  readonly entry: string
  readonly words: readonly string[]
  readonly fields: Readonly<Record<string, string>>
  readonly disagree?: Readonly<
    Record<string, { readonly linux: string; readonly qemu: string; readonly common?: string }>
  >
}
interface Outside {
  readonly entries: Readonly<
    Record<string, { readonly alias?: readonly string[]; readonly fields: Readonly<Record<string, OutsideField>> }>
  >
  readonly vectors: readonly Vector[]
}

// Vendors are loaded before, so that no test waits for it.
await listEntries()

const outsideOf = (vendor: string): Outside =>
  JSON.parse(readFileSync(new URL(`fixtures/decode-${vendor}.json`, import.meta.url), 'utf8')) as Outside

/** How many vectors there are, and what is put together in their fields and not printed so by us. */
const OUTSIDE: readonly (readonly [vendor: string, vectors: number, composites: readonly string[]])[] = [
  ['vtd', 116, []],
  ['amd', 133, [
    'amd.event.*.Flags', 'amd.event.io-page-fault.PASID', 'amd.event.page-tab-hardware-error.PASID', 'amd.ppr.Flags',
    'amd.dte.GCR3TRP parts',
  ]],
  ['smmuv3', 273, ['smmuv3.s1.Type', 'smmuv3.s2.Type', 'smmuv3.cmd.resume.Resp']],
]

const plain = (name: string): string => name.toLowerCase().replace(/[_\-. ]/g, '')

/** Our field for a name of the outside: by its name or one of ours, then by one of theirs, then by its place. */
const ours = (
  owner: Entry, name: string, declared: OutsideField | undefined, fields: readonly DecodedField[],
): DecodedField | undefined => {
  const own = (each: DecodedField): readonly string[] =>
    [each.name, ...(owner.fields[each.name]?.alias ?? [])].map(plain)
  const byName = [name, ...(declared?.alias ?? [])].flatMap((wanted) =>
    fields.filter((each) => own(each).includes(plain(wanted))))[0]
  const [[high, low] = [], ...more] = declared?.bits ?? []
  const inPlace = fields.find((each) => more.length === 0 && each.runs === undefined && each.high === high && each.low === low)
  return byName ?? inPlace
}

/** The value at a place of the words, as an address where the mask says that it is one. */
const valueAt = (words: readonly bigint[], [high, low]: readonly [number, number], mask: bigint): bigint => {
  const whole = words.reduce((sum, word, index) => sum | (word << BigInt(64 * index)), 0n)
  const scale = mask.toString(2).length - mask.toString(2).replace(/0+$/, '').length
  return BigInt.asUintN(high - low + 1, whole >> BigInt(low)) << BigInt(scale)
}

/** The general form of a name that several entries have. */
const composite = (entry: string, name: string): string =>
  name.includes('[') ? `${entry}.${name.slice(0, name.indexOf('['))} parts`
    : name === 'Flags' && entry.startsWith('amd.event.') ? 'amd.event.*.Flags' : `${entry}.${name}`

describe.each(OUTSIDE)('words from outside: %s', (vendor, count, composites) => {
  const outside = outsideOf(vendor)
  const left = new Set<string>()

  test('there are as many as the fixture says', () => expect(outside.vectors).toHaveLength(count))

  test.each(outside.vectors)('$id', async ({ entry, words, fields: expected, disagree = {} }) => {
    const owner = await findEntry(entry)
    const read = readWords(owner, words).words
    const { fields } = decodeEntry(owner, read)
    const declaredOf = (name: string): OutsideField | undefined => outside.entries[entry]?.fields[name]
    const printed = (name: string): bigint | undefined => {
      const found = ours(owner, name, declaredOf(name), fields)
      if (found !== undefined) return BigInt(found.value)
      // Parts of a field have no declaration of their own.
      if (declaredOf(name)?.composite !== true && !name.includes('[')) throw new Error(`${entry} has no field for ${name}`)
      left.add(composite(entry, name))
      return undefined
    }
    for (const [name, value] of Object.entries(expected)) {
      const mask = BigInt(declaredOf(name)?.valueMask ?? -1)
      const found = printed(name)
      if (found !== undefined) expect([name, found & mask]).toEqual([name, BigInt(value)])
    }
    // Where they disagree, in width or place: one of the two, or the manual's place.
    for (const [name, { linux, qemu }] of Object.entries(disagree)) {
      const { referenceBits, valueMask = '-1' } = declaredOf(name) ?? {}
      const manual = referenceBits === undefined ? [] : [valueAt(read, referenceBits, BigInt(valueMask))]
      expect([BigInt(linux), BigInt(qemu), ...manual]).toContain(printed(name))
    }
  })

  test('all else is compared', () => expect([...left].sort()).toEqual([...composites].sort()))

  test('every name and every alias of the outside finds a layout', async () => {
    for (const [name, { alias = [] }] of Object.entries(outside.entries)) {
      for (const each of [name, ...alias.filter((other) => !(other in outside.entries))])
        expect((await findEntry(each)).name).toBe(name)
    }
  })

  if (vendor === 'vtd') test('two zero words behind a 128-bit descriptor change nothing', async () => {
    const padded = outside.vectors.filter(({ entry }) => entry.startsWith('vtd.qi.'))
    for (const { entry, words } of padded) {
      const owner = await findEntry(entry)
      expect(readWords(owner, [...words, '0', '0'])).toEqual(readWords(owner, words))
    }
    expect(padded.length).toBeGreaterThan(40)
  })
})

describe('names of entries', () => {
  test.each([
    ['vtd.pasid', 'vtd.pasid'],
    ['VTD.PASID', 'vtd.pasid'],
    ['pasid', 'vtd.pasid'],
    ['vtd.sm_context', 'vtd.sm-context'],
    ['vtd.scalable-root', 'vtd.sm-root'],
    ['vtd.qi.pc', 'vtd.qi.pasid-cache'],
    ['vtd.gsts', 'vtd.gsts'],
  ])('%s is %s', async (name, found) => expect((await findEntry(name)).name).toBe(found))

  test('an unknown one is answered with the nearest', async () => {
    await expect(findEntry('vtd.pasit')).rejects.toThrow(
      'the arguments, the name of the entry: expected a known one (did you mean vtd.pasid?), found "vtd.pasit"',
    )
    await expect(findEntry('amd.dte-of-something-else')).rejects.toThrow('expected one such as vtd.pasid')
  })

  test('every layout is there once, and its name has a vendor', async () => {
    const names = (await listEntries()).map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    expect(names.every((name) => /^(vtd|amd|smmuv3|riscv)\./.test(name))).toBe(true)
  })
})

const pasid = await findEntry('vtd.pasid')

describe('words as people paste them', () => {
  const low = [0x1038a5089n, 0x800002n, 0n, 0n, 0n, 0n, 0n, 0n]

  test.each([
    ['low word first', ['0x1038a5089', '0x800002']],
    ['in one argument', ['0x1038a5089 800002']],
    ['high word first', ['0x0:0x800002:0x1038a5089']],
    ['with underscores and capitals', ['0X1_038A_5089', '80_0002']],
    ['with commas', ['0x1038a5089,', '0x800002']],
  ])('%s', (_how, texts) => expect(readWords(pasid, texts).words).toEqual(low))

  test('how many were given, and in which order', () => {
    expect(readWords(pasid, ['0:0:1'])).toMatchObject({ given: 3, order: 'high first' })
    expect(readWords(pasid, ['1', '0'])).toMatchObject({ given: 2, order: 'low first' })
    expect(readWords(pasid, ['1'])).toMatchObject({ given: 1, order: 'single' })
  })

  test.each([
    ['vtd.pasid', [], 'the words, word 1: expected up to 8 words of vtd.pasid, found none'],
    ['vtd.pasid', ['1', 'xyz'], 'the words, word 2: expected hexadecimal digits, found "xyz"'],
    ['vtd.pasid', ['0x10000000000000000'], 'the words, word 1: expected at most 64 bits, found "0x10000000000000000"'],
    ['vtd.gsts', ['0x100000000'], 'the words, word 1: expected at most 32 bits, found "0x100000000"'],
    [
      'vtd.pasid-dir',
      ['1', '2'],
      'the words, word 2: expected at most 1 words of 64 bits in vtd.pasid-dir, found 2 words',
    ],
    [
      'vtd.qi.iotlb',
      ['1', '2', '3', '0'],
      'the words, word 3: expected at most 2 words of 64 bits in vtd.qi.iotlb, found 4 words',
    ],
    [
      'vtd.pasid',
      ['1:2', '3'],
      'the words, their order: expected spaces (low word first) or colons (high word first), found both',
    ],
    ['vtd.pasid', ['1::2'], 'the words, word 2: expected hexadecimal digits, found ""'],
  ])('%s %j is refused', async (name, texts, message) => {
    const owner = await findEntry(name)
    expect(() => readWords(owner, texts)).toThrow(message)
  })
})

describe('fields set by name', () => {
  test('numbers, addresses, meanings and other names', () => {
    expect(
      setFields(pasid, ['P=1', 'pgtt=second-stage', 'AW=2', 'SLPTPTR=0x1038a5000', 'DID=2', 'PWSNP=1']).slice(0, 2),
    ).toEqual([0x1038a5089n, 0x800002n])
  })

  test('other bits stay', () =>
    expect(setFields(pasid, ['P=0'], [0xf9fn, 1n, 2n, 3n, 4n, 5n, 6n, 7n])).toEqual([
      0xf9en,
      1n,
      2n,
      3n,
      4n,
      5n,
      6n,
      7n,
    ]))

  test.each([
    ['Q=1', 'the arguments, a field of vtd.pasid: expected a known one'],
    ['PGT=1', 'did you mean PGTT?'],
    ['P', 'the arguments, a field to set: expected FIELD=value, found "P"'],
    ['P=2', 'the arguments, the value of vtd.pasid.P: expected at most 1 bits, found 0x2'],
    ['PGTT=third', 'expected a number or "first stage", "second stage", "nested", "pass-through", found "third"'],
    ['SSPTPTR=0x1001', 'expected 52 bits, aligned to 0x1000, found 0x1001'],
  ])('%s is refused', (setting, message) => expect(() => setFields(pasid, [setting])).toThrow(message))
})
