// Decode: an entry's words as the `iommu.decode/1` object, and values given by name back to words.
import { describe, encode } from '@iommu/bits'
import type { Entry, Field, Run, Words } from '@iommu/bits'
import { InputError, quoted } from './input-error.js'
import { nearest } from './nearest.js'

export interface DecodedField {
  readonly name: string
  readonly title: string
  readonly high: number
  readonly low: number
  /** Where the bits of a split field lie, most significant part first. */
  readonly runs?: readonly Run[]
  readonly value: string
  readonly meaning?: string
  /** Whether the declaration names values and this is none of them. */
  readonly unknown?: true
  readonly section: string
  /** Who outside of this project says that the field lies there; empty: nobody. */
  readonly confirmedBy: readonly string[]
}

export interface Decoded {
  readonly schema: 'iommu.decode/1'
  readonly entry: string
  readonly title: string
  readonly section: string
  readonly words: readonly string[]
  readonly fields: readonly DecodedField[]
  /** Reserved ranges that are not zero. */
  readonly reserved: readonly { readonly high: number; readonly low: number; readonly value: string }[]
}

const hex = (value: number | bigint): string => `0x${value.toString(16)}`

/** Throws RangeError where the words do not fit the entry. */
export const decodeEntry = (owner: Entry, words: Words): Decoded => {
  const { rows, reserved } = describe(owner, words)
  return {
    schema: 'iommu.decode/1',
    entry: owner.name,
    title: owner.title,
    section: owner.section,
    words: words.map((word) => `0x${word.toString(16).padStart(owner.wordBits / 4, '0')}`),
    fields: rows.map(({ name, title, high, low, runs, value, meaning, unknown, section, confirmedBy }) => ({
      name, title, high, low, ...(runs.length > 1 ? { runs } : {}), value: hex(value),
      ...(meaning === undefined ? {} : { meaning }), ...(unknown ? { unknown } : {}), section, confirmedBy,
    })),
    reserved: reserved.map(({ high, low, value }) => ({ high, low, value: hex(value) })),
  }
}

/** A field by its name or another name in use; capitals do not matter. Throws InputError with the nearest name. */
export const findField = (owner: Entry, name: string): readonly [name: string, field: Field] => {
  const wanted = name.toLowerCase()
  const all = Object.entries(owner.fields)
  const found = all.find(([each]) => each.toLowerCase() === wanted)
    ?? all.find(([, { alias }]) => alias?.some((each) => each.toLowerCase() === wanted))
  if (found !== undefined) return found
  const near = nearest(name, all.map(([each]) => each))
  throw new InputError({
    file: 'the arguments',
    place: `a field of ${owner.name}`,
    expected:
      near === undefined ? `one of ${all.map(([each]) => each).join(', ')}` : `a known one (did you mean ${near}?)`,
    found: quoted(name),
  })
}

const readValue = (owner: Entry, name: string, { meanings }: Field, text: string): bigint => {
  const plain = text.trim().replaceAll('_', '')
  if (/^(0x[0-9a-f]+|\d+)$/i.test(plain)) return BigInt(plain)
  const words = text.trim().toLowerCase().replaceAll('-', ' ')
  const meant = Object.entries(meanings ?? {}).find(
    ([, meaning]) => meaning.toLowerCase().replaceAll('-', ' ') === words,
  )
  if (meant !== undefined) return BigInt(meant[0])
  const names = Object.values(meanings ?? {}).map((each) => `"${each}"`)
  throw new InputError({
    file: 'the arguments',
    place: `the value of ${owner.name}.${name}`,
    expected: names.length === 0 ? 'a number, 0x... or decimal' : `a number or ${names.join(', ')}`,
    found: quoted(text),
  })
}

/**
 * Words with fields set as in "P=1" or "PGTT=second stage", all other bits as in `base` (zero where absent). Throws
 * InputError for names and values that do not fit.
 */
export const setFields = (owner: Entry, settings: readonly string[], base?: Words): bigint[] => {
  let words = base
  const already = new Set<string>()
  for (const setting of settings) {
    const at = setting.indexOf('=')
    if (at < 1) {
      throw new InputError({
        file: 'the arguments',
        place: 'a field to set',
        expected: 'FIELD=value',
        found: quoted(setting),
      })
    }
    const [name, field] = findField(owner, setting.slice(0, at).trim())
    if (already.has(name)) throw new InputError({ file: 'the arguments', place: `the value of ${owner.name}.${name}`, expected: 'one', found: `a second, ${quoted(setting)}` })
    already.add(name)
    const value = readValue(owner, name, field, setting.slice(at + 1))
    const wide = field.kind === 'address' || field.kind === 'wide'
    try {
      words = encode(owner, { [name]: wide || value > BigInt(Number.MAX_SAFE_INTEGER) ? value : Number(value) }, words)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      throw new InputError({
        file: 'the arguments',
        place: `the value of ${owner.name}.${name}`,
        expected:
          field.scale > 0
            ? `${field.width} bits, aligned to ${hex(1n << BigInt(field.scale))}`
            : `at most ${field.width} bits`,
        found: hex(value),
      })
    }
  }
  return encode(owner, {}, words)
}
