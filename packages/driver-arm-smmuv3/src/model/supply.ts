// A supply: where copies and translations come from in place of this moment's caches and memory.
import type { ContextCopy, StageOne, StreamCopy, Tables } from './copies.js'
import type { Leaf } from './walks.js'

/** Which tables a translation is made of, and under which tag it is cached. */
export interface Asked extends Tables {
  readonly stage: 1 | 2
  readonly vmid: number
  /** 0 in stage 2. */
  readonly asid: number
  /** What the entry says besides, and the TLB keeps: memory attributes. */
  readonly attributes: string
  readonly address: bigint
}

/** A translation as the TLB holds it. */
export interface Translation {
  readonly leaf: Leaf
  readonly attributes: string
}

/** All members throw Stopped where there is nothing usable. */
export interface Supply {
  stream(source: number): StreamCopy
  context(source: number, stream: StageOne, pasid: number): ContextCopy
  leaf(asked: Asked): Translation
}
