// Layouts against words whose field values Linux's and QEMU's own masks gave.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { decodeEntry, entries, findEntry, readWords, setFields } from '../src/index.js'
import type { DecodedField } from '../src/index.js'

interface OutsideField {
  readonly valueMask: string
  readonly alias?: readonly string[]
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

const outside = JSON.parse(readFileSync(new URL('fixtures/decode-vtd.json', import.meta.url), 'utf8')) as Outside

const plain = (name: string): string => name.toLowerCase().replace(/[_\-. ]/g, '')

/** Our field for a name of the outside: by its name or one of ours, then by one of theirs. */
const ours = (entry: string, name: string, fields: readonly DecodedField[]): DecodedField | undefined => {
  const aliases = outside.entries[entry]?.fields[name]?.alias ?? []
  const own = (each: DecodedField): readonly string[] =>
    [each.name, ...(findEntry(entry).fields[each.name]?.alias ?? [])].map(plain)
  return [name, ...aliases].flatMap((wanted) => fields.filter((each) => own(each).includes(plain(wanted))))[0]
}

describe('words from outside', () => {
  test('there are as many as the fixture says', () => expect(outside.vectors).toHaveLength(116))

  test.each(outside.vectors)('$id', ({ entry, words, fields: expected, disagree = {} }) => {
    const { fields } = decodeEntry(findEntry(entry), readWords(findEntry(entry), words).words)
    const printed = (name: string): bigint => {
      const found = ours(entry, name, fields)
      if (found === undefined) throw new Error(`${entry} has no field for ${name}`)
      return BigInt(found.value)
    }
    const mask = (name: string): bigint => BigInt(outside.entries[entry]?.fields[name]?.valueMask ?? -1)
    const decoded = Object.keys(expected).map((name) => [name, printed(name) & mask(name)])
    expect(decoded).toEqual(Object.entries(expected).map(([name, value]) => [name, BigInt(value)]))
    // VT-d has one disagreement, in width: what both read must agree, the rest as one of the two has it.
    for (const [name, { linux, qemu, common = '0x0' }] of Object.entries(disagree)) {
      expect(printed(name) & BigInt(common)).toBe(BigInt(common))
      expect([BigInt(linux), BigInt(qemu)]).toContain(printed(name))
    }
  })

  test('every name and every alias of the outside finds a layout', () => {
    for (const [name, { alias = [] }] of Object.entries(outside.entries)) {
      for (const each of [name, ...alias.filter((other) => !(other in outside.entries))])
        expect(findEntry(each).name).toBe(name)
    }
  })

  test('two zero words behind a 128-bit descriptor change nothing', () => {
    const padded = outside.vectors.filter(({ entry }) => entry.startsWith('vtd.qi.'))
    for (const { entry, words } of padded) {
      const owner = findEntry(entry)
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
  ])('%s is %s', (name, found) => expect(findEntry(name).name).toBe(found))

  test('an unknown one is answered with the nearest', () => {
    expect(() => findEntry('vtd.pasit')).toThrow(
      'the arguments, the name of the entry: expected a known one (did you mean vtd.pasid?), found "vtd.pasit"',
    )
    expect(() => findEntry('amd.dte-of-something-else')).toThrow('expected one such as vtd.pasid')
  })

  test('every layout is there once, and its name has a vendor', () => {
    const names = entries.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    expect(names.every((name) => name.startsWith('vtd.'))).toBe(true)
  })
})

describe('words as people paste them', () => {
  const pasid = findEntry('vtd.pasid')
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
  ])('%s %j is refused', (name, texts, message) => expect(() => readWords(findEntry(name), texts)).toThrow(message))
})

describe('fields set by name', () => {
  const pasid = findEntry('vtd.pasid')

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
