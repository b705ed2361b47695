// Places: where a field's bits lie in an entry's 32-bit halves. Models read and write the same entries millions of times,
// and numbers are far cheaper than bigints, so whatever can be done in halves is.
import { wordCount } from './entry.js'
import type { Entry } from './entry.js'
import type { Field } from './field.js'
import { join } from './words.js'
import type { Words } from './words.js'

/** A number of up to 32 bits in one run that meets two halves at most. */
interface NumberPlace {
  readonly kind: 'number'
  /** The half in which it begins, and its first bit there. */
  readonly half: number
  readonly shift: number
  /** Ones over the value. */
  readonly mask: number
  /** Whether it goes on in the next half. */
  readonly crosses: boolean
}

/** An address or wide value within one 64-bit word, whose bits lie where they do in the value. */
interface WordPlace {
  readonly kind: 'word'
  /** The lower one of its two halves. */
  readonly half: number
  readonly maskLow: number
  readonly maskHigh: number
}

/** Everything else, which goes by the entry as one number. */
interface AnyPlace { readonly kind: 'any' }

export type Place = { readonly name: string; readonly field: Field } & (NumberPlace | WordPlace | AnyPlace)

/** An entry as encoding and decoding know it, with room for its words. */
export interface Layout {
  readonly places: readonly Place[]
  readonly byName: ReadonlyMap<string, Place>
  /** The words at hand, little-endian, as 64 bits and as 32; the entry's bit n is bit n % 32 of half n / 32. */
  readonly wide: BigUint64Array
  readonly halves: Uint32Array
}

const HALF = 32

const placeOf = (name: string, field: Field): Place => {
  const [high, low] = field.runs[0] as readonly [number, number]
  const half = Math.floor(low / HALF)
  const shift = low % HALF
  if (field.runs.length === 1 && field.scale === 0 && (field.kind === 'bit' || field.kind === 'number') && field.width <= HALF) {
    const mask = field.width === HALF ? 0xffff_ffff : 2 ** field.width - 1
    return { name, field, kind: 'number', half, shift, mask, crosses: shift + field.width > HALF }
  }
  const word = Math.floor(low / 64)
  if (field.runs.length === 1 && field.scale === low % 64 && Math.floor(high / 64) === word && (field.kind === 'address' || field.kind === 'wide')) {
    const mask = BigInt.asUintN(64, ((1n << BigInt(field.width)) - 1n) << BigInt(field.scale))
    return { name, field, kind: 'word', half: word * 2, maskLow: Number(mask & 0xffff_ffffn), maskHigh: Number(mask >> 32n) }
  }
  return { name, field, kind: 'any' }
}

const layouts = new WeakMap<Entry, Layout>()

/** Worked out once per entry. */
export const layoutOf = (owner: Entry): Layout => {
  let known = layouts.get(owner)
  if (known === undefined) {
    const places = Object.entries(owner.fields).map(([name, field]) => placeOf(name, field))
    const wide = new BigUint64Array(Math.ceil(owner.bits / 64))
    known = { places, byName: new Map(places.map((each) => [each.name, each])), wide, halves: new Uint32Array(wide.buffer) }
    layouts.set(owner, known)
  }
  return known
}

/** Puts an entry's words into its layout. Throws RangeError where `words` does not fit. */
export const load = (owner: Entry, { wide, halves }: Layout, words: Words): void => {
  const count = wordCount(owner)
  let fits = words.length === count
  for (let index = 0; fits && index < count; index++) {
    const word = words[index] as bigint
    if (owner.wordBits === 64) {
      wide[index] = word
      fits = wide[index] === word
    } else {
      halves[index] = Number(word)
      fits = word >= 0n && word <= 0xffff_ffffn
    }
  }
  // `join` names what is wrong; it is only asked where something is.
  if (!fits) join(owner, words)
}

/** The words in the layout. */
export const store = (owner: Entry, { wide, halves }: Layout): bigint[] => {
  const count = wordCount(owner)
  const words: bigint[] = []
  for (let index = 0; index < count; index++) words.push(owner.wordBits === 64 ? wide[index] as bigint : BigInt(halves[index] as number))
  return words
}
