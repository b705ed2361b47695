// Memory then: the words of an entry before and after each store, played back from what memory holds at the end.
import type { Memory, StoreEvent } from '@iommu/hardware'

const WORD = 8n
const MASK32 = 0xffff_ffffn

interface WordStore {
  readonly address: bigint
  before(now: bigint): bigint
  after(now: bigint): bigint
}

/** A store as whole 64-bit words. */
const wordsOf = ({ address, bytes, before, after }: StoreEvent): WordStore[] => {
  if (bytes !== 4) {
    return after.map((word, index) => ({ address: address + BigInt(index) * WORD, before: () => before[index] ?? 0n, after: () => word }))
  }
  const shift = (address & 4n) * 8n
  const put = (now: bigint, half: bigint | undefined): bigint => (now & ~(MASK32 << shift)) | ((half ?? 0n) << shift)
  return [{ address: address & ~4n, before: (now) => put(now, before[0]), after: (now) => put(now, after[0]) }]
}

export interface MemoryThen {
  /** Takes the next store. */
  advance(store: StoreEvent): void
  /** 64-bit words at an address, as they are now in the play-back. */
  words(address: bigint, count: number): bigint[]
}

/** Plays stores back; `memory` is as the last one left it. */
export const playBack = (memory: Memory, stores: readonly StoreEvent[]): MemoryThen => {
  const now = new Map<bigint, bigint>()
  const at = (address: bigint): bigint => now.get(address) ?? memory.load64(address)
  for (const store of [...stores].reverse().flatMap((each) => wordsOf(each).reverse())) {
    now.set(store.address, store.before(at(store.address)))
  }
  return {
    advance(event) {
      for (const store of wordsOf(event)) now.set(store.address, store.after(at(store.address)))
    },
    words: (address, count) => Array.from({ length: count }, (_, index) => at(address + BigInt(index) * WORD)),
  }
}
