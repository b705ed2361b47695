// Fields: where a value lies in an entry, as the manual prints it (high bit, low bit), and what it means.

/** A run of bits, both ends inclusive, counted over the whole entry from bit 0 of word 0. */
export type Run = readonly [high: number, low: number]

/** Who outside of this project says that a field lies where it is declared. */
export type Source = 'linux' | 'qemu' | 'capture' | 'spec'

/**
 * `bit` and `number` decode to a number (up to 52 bits), `address` to a byte address, `wide` to a bigint of any
 * width.
 */
export type FieldKind = 'bit' | 'number' | 'address' | 'wide'

/** What a field says beyond its place. */
export interface Notes {
  /** Names of values: `{ 1: 'first stage' }`. */
  readonly meanings?: Readonly<Record<number, string>>
  /** Where the manual describes it, if elsewhere than its entry: "vtd:9.6". */
  readonly section?: string
  /** Overrides the entry's list. Empty: nothing outside confirms it. */
  readonly confirmedBy?: readonly Source[]
  /** Other names in use, for people who search. */
  readonly alias?: readonly string[]
}

export interface Field<K extends FieldKind = FieldKind> extends Notes {
  readonly kind: K
  readonly title: string
  /** Where the value's bits lie, its most significant part first. */
  readonly runs: readonly Run[]
  /** The value is the bits shifted left by this many. 0 for everything but addresses. */
  readonly scale: number
  /** Number of bits in all runs. */
  readonly width: number
}

const declare = <K extends FieldKind>(
  kind: K, runs: readonly Run[], title: string, scale: number, notes: Notes,
): Field<K> => {
  for (const [high, low] of runs) {
    if (!Number.isInteger(high) || !Number.isInteger(low) || low < 0 || high < low) {
      throw new RangeError(`field "${title}": bits ${high}:${low} are not a range, high bit first`)
    }
  }
  const width = runs.reduce((sum, [high, low]) => sum + high - low + 1, 0)
  if ((kind === 'bit' || kind === 'number') && width > 52) {
    throw new RangeError(`field "${title}": ${width} bits do not fit a number; declare it wide or an address`)
  }
  return Object.freeze({ ...notes, kind, title, runs, scale, width })
}

/** One bit. */
export const bit = /* @__NO_SIDE_EFFECTS__ */ (at: number, title: string, notes: Notes = {}): Field<'bit'> =>
  declare('bit', [[at, at]], title, 0, notes)

/** A number of up to 52 bits; `meanings` names its values. */
export const field = /* @__NO_SIDE_EFFECTS__ */ (
  high: number, low: number, title: string, meanings?: Readonly<Record<number, string>>, notes: Notes = {},
): Field<'number'> => declare('number', [[high, low]], title, 0, meanings ? { ...notes, meanings } : notes)

/** A number whose bits lie in several runs, its most significant part first. */
export const split = /* @__NO_SIDE_EFFECTS__ */ (runs: readonly Run[], title: string, notes: Notes = {}): Field<'number'> =>
  declare('number', runs, title, 0, notes)

/** A byte address. `scale` is the address bit that the lowest stored bit stands for; by default its place in its word. */
export const address = /* @__NO_SIDE_EFFECTS__ */ (
  high: number, low: number, title: string, notes: Notes & { readonly scale?: number } = {},
): Field<'address'> => {
  const { scale = low % 64, ...rest } = notes
  return declare('address', [[high, low]], title, scale, rest)
}

/** A byte address whose bits lie in several runs, its most significant part first. */
export const splitAddress = /* @__NO_SIDE_EFFECTS__ */ (
  runs: readonly Run[], title: string, scale: number, notes: Notes = {},
): Field<'address'> => declare('address', runs, title, scale, notes)

/** A value too wide for a number. */
export const wide = /* @__NO_SIDE_EFFECTS__ */ (high: number, low: number, title: string, notes: Notes = {}): Field<'wide'> =>
  declare('wide', [[high, low]], title, 0, notes)
