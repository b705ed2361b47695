// Encode: values to words.
import type { Entry, Fields, Values } from './entry.js'
import type { Field, Run } from './field.js'
import { cut, join, maskOf } from './words.js'
import type { Words } from './words.js'

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

/**
 * Words with the given fields, all other bits as in `base` (zero where absent). Throws RangeError for a name that
 * the entry does not have, and for a value that does not fit or is not aligned.
 */
export const encode = <F extends Fields>(owner: Entry<F>, values: Partial<Values<F>>, base?: Words): bigint[] => {
  let whole = base ? join(owner, base) : 0n
  for (const [name, value] of Object.entries(values) as [string, number | bigint | undefined][]) {
    if (value === undefined) continue
    const declared = Object.hasOwn(owner.fields, name) ? owner.fields[name] : undefined
    if (!declared) throw new RangeError(`${owner.name} has no field ${name}`)
    whole = (whole & ~maskOf(declared.runs)) | spread(`${owner.name}.${name}`, declared, value)
  }
  return cut(owner, whole)
}
