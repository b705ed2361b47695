// Words: how an entry's bits lie in words and bytes.
import { byteLength, wordCount } from './entry.js'
import type { Entry } from './entry.js'
import type { Run } from './field.js'

/** An entry's words, word 0 first, each unsigned. */
export type Words = readonly bigint[]

const ones = (count: number): bigint => (1n << BigInt(count)) - 1n

/** The entry as one number, bit 0 of word 0 lowest. Throws RangeError where `words` does not fit the entry. */
export const join = (owner: Entry, words: Words): bigint => {
  const { name, wordBits } = owner
  const count = wordCount(owner)
  if (words.length !== count) {
    throw new RangeError(`${name} has ${count} words of ${wordBits} bits, found ${words.length}`)
  }
  let whole = 0n
  for (let index = count - 1; index >= 0; index--) {
    const word = words[index] as bigint
    if (word < 0n || word > ones(wordBits)) {
      throw new RangeError(`${name} word ${index}: 0x${word.toString(16)} is not a ${wordBits}-bit word`)
    }
    whole = (whole << BigInt(wordBits)) | word
  }
  return whole
}

/** The inverse of `join`. */
export const cut = (owner: Entry, whole: bigint): bigint[] =>
  Array.from({ length: wordCount(owner) }, (_, index) => (whole >> BigInt(index * owner.wordBits)) & ones(owner.wordBits))

/** The bits of one run, moved to bit 0. */
export const takeRun = (whole: bigint, [high, low]: Run): bigint => (whole >> BigInt(low)) & ones(high - low + 1)

/** Ones over the runs. */
export const maskOf = (runs: readonly Run[]): bigint =>
  runs.reduce((mask, [high, low]) => mask | (ones(high - low + 1) << BigInt(low)), 0n)

/** Reads the entry's words from memory, in its byte order. `bytes` is at least as long as the entry. */
export const fromBytes = (owner: Entry, bytes: Uint8Array, offset = 0): bigint[] => {
  if (bytes.length - offset < byteLength(owner)) {
    throw new RangeError(`${owner.name} takes ${byteLength(owner)} bytes, found ${bytes.length - offset}`)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset)
  const little = owner.byteOrder === 'little'
  const step = owner.wordBits / 8
  return Array.from({ length: wordCount(owner) }, (_, index) =>
    owner.wordBits === 64 ? view.getBigUint64(index * step, little) : BigInt(view.getUint32(index * step, little)))
}

/** The entry's words as they lie in memory, in its byte order. */
export const toBytes = (owner: Entry, words: Words): Uint8Array => {
  join(owner, words)
  const bytes = new Uint8Array(byteLength(owner))
  const view = new DataView(bytes.buffer)
  const little = owner.byteOrder === 'little'
  const step = owner.wordBits / 8
  words.forEach((word, index) => {
    if (owner.wordBits === 64) view.setBigUint64(index * step, word, little)
    else view.setUint32(index * step, Number(word), little)
  })
  return bytes
}
