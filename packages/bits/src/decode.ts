// Decode: words to values.
import type { Entry, Fields, FieldValue, Values } from './entry.js'
import type { Field } from './field.js'
import { layoutOf, load } from './places.js'
import type { Layout, Place } from './places.js'
import { join, takeRun } from './words.js'
import type { Words } from './words.js'

const scratch = new BigUint64Array(1)
const scratchHalves = new Uint32Array(scratch.buffer)

const readRuns = (owner: Entry, words: Words, { runs, kind, scale }: Field): number | bigint => {
  const whole = join(owner, words)
  let value = 0n
  for (const run of runs) value = (value << BigInt(run[0] - run[1] + 1)) | takeRun(whole, run)
  return kind === 'bit' || kind === 'number' ? Number(value) : value << BigInt(scale)
}

const read = (owner: Entry, words: Words, { halves }: Layout, place: Place): number | bigint => {
  switch (place.kind) {
    case 'number': {
      const low = (halves[place.half] as number) >>> place.shift
      const bits = place.crosses ? low | ((halves[place.half + 1] as number) << (32 - place.shift)) : low
      return (bits & place.mask) >>> 0
    }
    case 'word':
      scratchHalves[0] = (halves[place.half] as number) & place.maskLow
      scratchHalves[1] = (halves[place.half + 1] as number) & place.maskHigh
      return scratch[0] as bigint
    case 'any':
      return readRuns(owner, words, place.field)
  }
}

/** All fields of the entry. Reserved and ignored bits do not matter. Throws RangeError where `words` does not fit. */
export const decode = <F extends Fields>(owner: Entry<F>, words: Words): Values<F> => {
  const layout = layoutOf(owner)
  load(owner, layout, words)
  const values: Record<string, number | bigint> = {}
  for (const place of layout.places) values[place.name] = read(owner, words, layout, place)
  return values as Values<F>
}

/** One field of the entry. Throws RangeError where `words` does not fit, or the entry has no such field. */
export const decodeField = <F extends Fields, N extends keyof F & string>(
  owner: Entry<F>, words: Words, name: N,
): FieldValue<F[N]['kind']> => {
  const layout = layoutOf(owner)
  load(owner, layout, words)
  const place = layout.byName.get(name)
  if (place === undefined) throw new RangeError(`${owner.name} has no field ${name}`)
  return read(owner, words, layout, place) as FieldValue<F[N]['kind']>
}

/**
 * Reads one number of a 64-bit entry from its two 32-bit halves: for hardware that looks at an entry which a walk has read.
 * Throws RangeError where the entry has no such field, or it does not lie in one half.
 */
export const fieldOfHalves = /* @__NO_SIDE_EFFECTS__ */ <F extends Fields, N extends keyof F & string>(
  owner: Entry<F>, name: N,
): ((low: number, high: number) => number) => {
  const place = layoutOf(owner).byName.get(name)
  if (owner.bits !== 64 || place === undefined || place.kind !== 'number' || place.crosses) {
    throw new RangeError(`${owner.name}: ${name} is no number in one half of 64 bits`)
  }
  const { half, shift, mask } = place
  return half === 0 ? (low) => (low >>> shift) & mask : (_low, high) => (high >>> shift) & mask
}
