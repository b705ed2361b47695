// Decode: words to values.
import type { Entry, Fields, FieldValue, Values } from './entry.js'
import type { Field } from './field.js'
import { join, takeRun } from './words.js'
import type { Words } from './words.js'

const readField = (whole: bigint, { kind, runs, scale }: Field): number | bigint => {
  let value = 0n
  for (const run of runs) value = (value << BigInt(run[0] - run[1] + 1)) | takeRun(whole, run)
  return kind === 'bit' || kind === 'number' ? Number(value) : value << BigInt(scale)
}

/** All fields of the entry. Reserved and ignored bits do not matter. */
export const decode = <F extends Fields>(owner: Entry<F>, words: Words): Values<F> => {
  const whole = join(owner, words)
  const values: Record<string, number | bigint> = {}
  for (const [name, declared] of Object.entries(owner.fields)) values[name] = readField(whole, declared)
  return values as Values<F>
}

/** One field of the entry. */
export const decodeField = <F extends Fields, N extends keyof F & string>(
  owner: Entry<F>, words: Words, name: N,
): FieldValue<F[N]['kind']> => readField(join(owner, words), owner.fields[name] as Field) as FieldValue<F[N]['kind']>
