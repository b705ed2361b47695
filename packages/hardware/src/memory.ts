// Memory as a driver sees it: loads, stores, ordering, write-back and table pages.

/** Hands out 4 KiB frames for tables. Frames come zeroed, and lie below 2^31 (8 TiB). */
export interface PageAllocator {
  /** The first of `count` adjacent frames aligned to `count`, or undefined where there are none left. */
  allocate(count?: number): number | undefined
  free(frame: number, count?: number): void
  /** Frames handed out and not given back. */
  readonly live: number
}

/**
 * Physical memory, little-endian. Addresses are byte addresses, aligned to the size of the access. Accesses
 * outside of memory throw RangeError: a driver that makes them is wrong.
 *
 * The `Pair` members are the same memory for hot paths: a frame number, the index of a 64-bit word in it, and the
 * word as two signed 32-bit halves.
 */
export interface Memory {
  load32(address: bigint): number
  load64(address: bigint): bigint
  store32(address: bigint, value: number): void
  /** One indivisible 8-byte store. */
  store64(address: bigint, value: bigint): void
  /** One indivisible 16-byte store (x86 cmpxchg16b); `address` is aligned to 16. */
  store128(address: bigint, first: bigint, second: bigint): void
  /** Stores before it are visible before stores after it. */
  order(): void
  /** Writes the cache lines of the range back to memory, for a walker that does not snoop. */
  writeBack(address: bigint, bytes: number): void

  /** Loads a word into `low` and `high`. */
  loadPair(frame: number, index: number): void
  /** Halves of the word last loaded. */
  readonly low: number
  readonly high: number
  storePair(frame: number, index: number, low: number, high: number): void
  /** Stores `count` words from `index` on; each is the one before plus `step` (unsigned, below 2^31). */
  fillPairs(frame: number, index: number, count: number, low: number, high: number, step: number): void
  /** Stores zero to `count` words. */
  clearPairs(frame: number, index: number, count: number): void
  /** Whether the lower halves of all `count` words have none of the bits of the mask set. */
  areClear(frame: number, index: number, count: number, mask: number): boolean
  /** How many words from `index` on have a bit of the mask set in their lower halves, up to the first that has none; `count` at most. */
  countSet(frame: number, index: number, count: number, mask: number): number

  /** All stores, as `loadPair` sees them; absent where memory is not one array. */
  readonly flat?: FlatWords | undefined
  /** The same, to be written too; absent while somebody observes stores. */
  readonly unobserved?: FlatWords | undefined
  readonly pages: PageAllocator
}

/**
 * Where memory is one array, the words of all of it from address 0 on, to be read only, two 32-bit halves for each
 * 64-bit word, the lower one first. A walk reads it three times as fast as through `loadPair`. Writing it would bypass observers.
 */
export type FlatWords = Int32Array

/** Memory as hardware reads it: what has been written back, or all stores where the reader snoops. */
export interface HardwareView {
  /** Absent where memory is not one array. */
  readonly flat?: FlatWords | undefined
  /** Whether the frame is memory at all. */
  has(frame: number): boolean
  load64(address: bigint): bigint
  loadPair(frame: number, index: number): void
  readonly low: number
  readonly high: number
}

/** So many 64-bit words from an address on. */
export const loadWords = (memory: Pick<HardwareView, 'load64'>, address: bigint, count: number): bigint[] =>
  Array.from({ length: count }, (_, index) => memory.load64(address + BigInt(index * 8)))

/** Stores 64-bit words from an address on, each by itself. */
export const storeWords = (memory: Pick<Memory, 'store64'>, address: bigint, words: readonly bigint[]): void =>
  words.forEach((word, index) => memory.store64(address + BigInt(index * 8), word))
