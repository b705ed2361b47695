// Masks: which bits of an entry are reserved, ignored or belong to given fields.
import type { Entry, Fields } from './entry.js'
import { cut, join, maskOf } from './words.js'
import type { Words } from './words.js'

/** Ones over all reserved bits. */
export const reservedMask = (owner: Entry): bigint[] => cut(owner, maskOf(owner.reserved))

/** Ones over the bits that hardware ignores. */
export const ignoredMask = (owner: Entry): bigint[] => cut(owner, maskOf(owner.ignored))

/** Ones over the named fields; over all fields where none is named. */
export const usedMask = <F extends Fields>(owner: Entry<F>, names?: readonly (keyof F & string)[]): bigint[] => {
  const chosen = names ?? Object.keys(owner.fields)
  return cut(owner, chosen.reduce((mask, name) => mask | maskOf(owner.fields[name]?.runs ?? []), 0n))
}

/** The words with every reserved bit that is set, and nothing else; all zero in a well-formed entry. */
export const reservedBits = (owner: Entry, words: Words): bigint[] =>
  cut(owner, join(owner, words) & maskOf(owner.reserved))

const reservedWords = new WeakMap<Entry, readonly bigint[]>()

/** Whether any reserved bit is set. */
export const breaksReserved = (owner: Entry, words: Words): boolean => {
  let mask = reservedWords.get(owner)
  if (mask === undefined) reservedWords.set(owner, (mask = reservedMask(owner)))
  for (let index = 0; index < mask.length; index++) {
    if (((words[index] as bigint) & (mask[index] as bigint)) !== 0n) return true
  }
  return false
}

/** Two signed 32-bit halves of one 64-bit word, as hot paths keep words. */
export interface Pair {
  readonly low: number
  readonly high: number
}

/** Splits a 64-bit word. `| 0`: V8 makes a double of -2^31 that comes from a bigint, and then of every field that may hold it. */
export const pairOf = (word: bigint): Pair => ({ low: Number(BigInt.asIntN(32, word)) | 0, high: Number(BigInt.asIntN(32, word >> 32n)) | 0 })
