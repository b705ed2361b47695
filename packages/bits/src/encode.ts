// Encode: values to words.
import type { Entry, Fields, Values } from './entry.js'
import type { Field, Run } from './field.js'
import { layoutOf, load, store } from './places.js'
import type { Layout, Place } from './places.js'
import { cut, join, maskOf } from './words.js'
import type { Words } from './words.js'

const scratch = new BigUint64Array(1)
const scratchHalves = new Uint32Array(scratch.buffer)

const hex = (value: bigint): string => `0x${value.toString(16)}`

const spread = (where: string, { runs, scale, width }: Field, value: number | bigint): bigint => {
  const asked = BigInt(value)
  const unscaled = asked >> BigInt(scale)
  if (asked < 0n || unscaled >> BigInt(width) !== 0n) {
    throw new RangeError(`${where}: ${hex(asked)} does not fit ${width} bits${scale > 0 ? ` above bit ${scale}` : ''}`)
  }
  if (unscaled << BigInt(scale) !== asked) {
    throw new RangeError(`${where}: ${hex(asked)} is not aligned to ${hex(1n << BigInt(scale))}`)
  }
  let left = unscaled
  let bits = 0n
  for (const [high, low] of [...runs].reverse() as Run[]) {
    const size = BigInt(high - low + 1)
    bits |= (left & ((1n << size) - 1n)) << BigInt(low)
    left >>= size
  }
  return bits
}

/** Writes a value by the entry as one number: what lies anywhere, and what does not fit, which throws RangeError. */
const writeRuns = (owner: Entry, layout: Layout, { name, field }: Place, value: number | bigint): void => {
  const whole = join(owner, store(owner, layout)) & ~maskOf(field.runs)
  load(owner, layout, cut(owner, whole | spread(`${owner.name}.${name}`, field, value)))
}

const write = (owner: Entry, layout: Layout, place: Place, value: number | bigint): void => {
  const { halves } = layout
  if (place.kind === 'number' && typeof value === 'number' && (value & place.mask) >>> 0 === value) {
    const { half, shift, mask } = place
    halves[half] = ((halves[half] as number) & ~(mask << shift)) | (value << shift)
    if (place.crosses) {
      const above = 32 - shift
      halves[half + 1] = ((halves[half + 1] as number) & ~(mask >>> above)) | (value >>> above)
    }
    return
  }
  if (place.kind === 'word' && typeof value === 'bigint') {
    const { half, maskLow, maskHigh } = place
    scratch[0] = value
    const low = scratchHalves[0] as number
    const high = scratchHalves[1] as number
    if (scratch[0] === value && (low & ~maskLow) === 0 && (high & ~maskHigh) === 0) {
      halves[half] = ((halves[half] as number) & ~maskLow) | low
      halves[half + 1] = ((halves[half + 1] as number) & ~maskHigh) | high
      return
    }
  }
  writeRuns(owner, layout, place, value)
}

/**
 * Words with the given fields, all other bits as in `base` (zero where absent). Throws RangeError for a name that
 * the entry does not have, and for a value that does not fit or is not aligned.
 */
export const encode = <F extends Fields>(owner: Entry<F>, values: Partial<Values<F>>, base?: Words): bigint[] => {
  const layout = layoutOf(owner)
  if (base === undefined) layout.wide.fill(0n)
  else load(owner, layout, base)
  for (const name of Object.keys(values)) {
    const value: number | bigint | undefined = values[name]
    if (value === undefined) continue
    const place = layout.byName.get(name)
    if (place === undefined) throw new RangeError(`${owner.name} has no field ${name}`)
    write(owner, layout, place, value)
  }
  return store(owner, layout)
}
