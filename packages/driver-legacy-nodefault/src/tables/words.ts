// Words in memory: 4 or 8 bytes, in either byte order, read and written through 64-bit loads and 32-bit stores.
import { encode } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import type { Memory } from '@iommu/hardware'

/** How the entries of a table lie in memory. */
export interface WordForm {
  readonly bytes: 4 | 8
  readonly order: 'little' | 'big'
}

/** The bytes of a word the other way round. */
export const reversed = (word: bigint, bytes: 4 | 8): bigint => {
  let left = word
  let result = 0n
  for (let each = 0; each < bytes; each++) {
    result = (result << 8n) | (left & 0xffn)
    left >>= 8n
  }
  return result
}

/** Reads one word; `load64` is the driver's memory or hardware's view of it. */
export const loadWord = (memory: { load64(address: bigint): bigint }, address: bigint, { bytes, order }: WordForm): bigint => {
  const pair = memory.load64(address & ~7n)
  const stored = bytes === 8 ? pair : (address & 4n) === 0n ? BigInt.asUintN(32, pair) : pair >> 32n
  return order === 'little' ? stored : reversed(stored, bytes)
}

/** One indivisible store of a word. */
export const storeWord = (memory: Memory, address: bigint, word: bigint, { bytes, order }: WordForm): void => {
  const stored = order === 'little' ? word : reversed(word, bytes)
  if (bytes === 8) memory.store64(address, stored)
  else memory.store32(address, Number(stored))
}

/** The one word of a one-word entry with the given fields. */
export const word = <E extends Entry>(layout: E, values: Parameters<typeof encode<E['fields']>>[1]): bigint =>
  encode(layout, values)[0] as bigint
