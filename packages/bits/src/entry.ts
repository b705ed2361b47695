// An entry: a table entry, descriptor or register declared once, as fields that are proved to tile it.
import type { Field, FieldKind, Run, Source } from './field.js'

export type Fields = Readonly<Record<string, Field>>

/** What the manual says of an entry besides its fields. */
export interface EntryOptions {
  readonly title: string
  /** Size in bits: 32 to 512, a multiple of the word size. */
  readonly bits: number
  /** Size of the words in which it is stored and printed; 64 where absent. */
  readonly wordBits?: 32 | 64
  /** Order of the bytes of a word in memory; 'little' where absent. */
  readonly byteOrder?: 'little' | 'big'
  /** "vtd:9.6" */
  readonly section: string
  /** Who outside confirms the fields' places; a field may say otherwise for itself. */
  readonly confirmedBy: readonly Source[]
  /** Bits that must be zero. */
  readonly reserved?: readonly Run[]
  /** Bits that hardware ignores and software may use. */
  readonly ignored?: readonly Run[]
}

export interface Entry<F extends Fields = Fields> {
  /** "vtd.pasid" */
  readonly name: string
  readonly title: string
  readonly bits: number
  readonly wordBits: 32 | 64
  readonly byteOrder: 'little' | 'big'
  readonly section: string
  readonly confirmedBy: readonly Source[]
  readonly fields: F
  readonly reserved: readonly Run[]
  readonly ignored: readonly Run[]
}

/** What decoding a field gives. */
export type FieldValue<K extends FieldKind> = K extends 'bit' | 'number' ? number : bigint

/** What decoding an entry gives: numbers for bits and numbers, bigints for addresses and wide values. */
export type Values<F extends Fields> = { [Name in keyof F]: FieldValue<F[Name]['kind']> }

const spell = ([high, low]: Run): string => (high === low ? `${low}` : `${high}:${low}`)

/** The proof: every bit of the entry belongs to exactly one field or range. */
const proveTiling = (name: string, bits: number, parts: readonly (readonly [what: string, run: Run])[]): void => {
  const sorted = [...parts].sort((a, b) => a[1][1] - b[1][1])
  let next = 0
  let before = 'the start'
  for (const [what, run] of sorted) {
    const [high, low] = run
    if (!(high >= low && low >= 0)) throw new RangeError(`${name}: ${what} has no bits (${high}:${low})`)
    if (low < next) throw new RangeError(`${name}: ${what} (bits ${spell(run)}) overlaps ${before}`)
    if (low > next) throw new RangeError(`${name}: bits ${spell([low - 1, next])} between ${before} and ${what} are not declared`)
    next = high + 1
    before = what
  }
  if (next < bits) throw new RangeError(`${name}: bits ${spell([bits - 1, next])} after ${before} are not declared`)
  if (next > bits) throw new RangeError(`${name}: ${before} ends at bit ${next - 1}, beyond the entry's ${bits} bits`)
}

/**
 * Declares an entry. Throws RangeError where fields, reserved and ignored ranges do not tile it exactly:
 * a gap, an overlap, or a bit beyond its end.
 */
export const entry = /* @__NO_SIDE_EFFECTS__ */ <const F extends Fields>(name: string, options: EntryOptions, fields: F): Entry<F> => {
  const { title, bits, wordBits = 64, byteOrder = 'little', section, confirmedBy, reserved = [], ignored = [] } = options
  if (bits < 8 || bits > 512 || bits % wordBits !== 0) {
    throw new RangeError(`${name}: ${bits} bits are not whole ${wordBits}-bit words up to 512 bits`)
  }
  proveTiling(name, bits, [
    ...Object.entries(fields).flatMap(([key, { runs }]) => runs.map((run) => [`field ${key}`, run] as const)),
    ...reserved.map((run) => ['a reserved range', run] as const),
    ...ignored.map((run) => ['an ignored range', run] as const),
  ])
  return Object.freeze({ name, title, bits, wordBits, byteOrder, section, confirmedBy, fields, reserved, ignored })
}

/** How many words the entry has. */
export const wordCount = ({ bits, wordBits }: Entry): number => bits / wordBits

/** How many bytes the entry takes in memory. */
export const byteLength = ({ bits }: Entry): number => bits / 8

/** Who confirms the place of one field. Empty: nobody outside does. */
export const confirmation = (owner: Entry, name: string): readonly Source[] =>
  owner.fields[name]?.confirmedBy ?? owner.confirmedBy
