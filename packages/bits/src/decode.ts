// Decode: words to values.
import { wordCount } from './entry.js'
import type { Entry, Fields, FieldValue, Values } from './entry.js'
import type { Field } from './field.js'
import { join, takeRun } from './words.js'
import type { Words } from './words.js'

/** A field that lies in one word, as decoding wants it: the common case, without joining the words. */
interface Slot {
  readonly name: string
  readonly field: Field
  /** Index of its word, or -1 where it crosses words or has several runs. */
  readonly word: number
  readonly shift: bigint
  readonly isNumber: boolean
  readonly scale: bigint
}

const slots = new WeakMap<Entry, ReadonlyMap<string, Slot>>()

/** Worked out once per entry: models decode the same layouts millions of times. */
const slotsOf = (owner: Entry): ReadonlyMap<string, Slot> => {
  let known = slots.get(owner)
  if (known === undefined) {
    known = new Map(Object.entries(owner.fields).map(([name, field]) => {
      const [high, low] = field.runs[0] as readonly [number, number]
      const word = Math.floor(low / owner.wordBits)
      const whole = field.runs.length === 1 && Math.floor(high / owner.wordBits) === word
      const isNumber = field.kind === 'bit' || field.kind === 'number'
      return [name, {
        name, field, isNumber, word: whole ? word : -1, shift: BigInt(low % owner.wordBits), scale: BigInt(field.scale),
      }]
    }))
    slots.set(owner, known)
  }
  return known
}

const readRuns = (owner: Entry, words: Words, { runs }: Field): bigint => {
  const whole = join(owner, words)
  let value = 0n
  for (const run of runs) value = (value << BigInt(run[0] - run[1] + 1)) | takeRun(whole, run)
  return value
}

const readSlot = (owner: Entry, words: Words, { field, word, shift, isNumber, scale }: Slot): number | bigint => {
  const value = word < 0 ? readRuns(owner, words, field) : BigInt.asUintN(field.width, (words[word] as bigint) >> shift)
  if (isNumber) return Number(value)
  return scale === 0n ? value : value << scale
}

const checkWords = (owner: Entry, words: Words): void => {
  // `join` names what is wrong; it is only asked where something is.
  const fits = words.length === wordCount(owner) && words.every((word) => BigInt.asUintN(owner.wordBits, word) === word)
  if (!fits) join(owner, words)
}

/** All fields of the entry. Reserved and ignored bits do not matter. Throws RangeError where `words` does not fit. */
export const decode = <F extends Fields>(owner: Entry<F>, words: Words): Values<F> => {
  checkWords(owner, words)
  const values: Record<string, number | bigint> = {}
  for (const slot of slotsOf(owner).values()) values[slot.name] = readSlot(owner, words, slot)
  return values as Values<F>
}

/** One field of the entry. Throws RangeError where `words` does not fit, or the entry has no such field. */
export const decodeField = <F extends Fields, N extends keyof F & string>(
  owner: Entry<F>, words: Words, name: N,
): FieldValue<F[N]['kind']> => {
  checkWords(owner, words)
  const slot = slotsOf(owner).get(name)
  if (slot === undefined) throw new RangeError(`${owner.name} has no field ${name}`)
  return readSlot(owner, words, slot) as FieldValue<F[N]['kind']>
}
