// A supply: where copies and translations come from in place of this moment's caches and memory.
import type { Levels } from '../tables/index.js'
import type { LegacyContext, PasidContext, ScalableContext } from './copies.js'
import type { Leaf } from './walks.js'

/** Which tables a translation is made of. */
export type Stage = 'first' | 'second' | 'pass-through'

/** A translation that is wanted, by the entry that leads to it. */
export interface Asked {
  readonly stage: Stage
  readonly levels: Levels
  /** Frame of the root table; 0 where there is none. */
  readonly root: number
  readonly domainId: number
  /** 0 where the tag has none. */
  readonly pasid: number
  readonly forceSnoop: boolean
  readonly address: bigint
  /** The tag as outcomes spell it. */
  readonly tag: string
}

/** A translation as the IOTLB holds it: the leaf, and what the entry said that led to it. */
export interface Translation {
  readonly leaf: Leaf
  readonly stage: Stage
  readonly snoop: boolean
}

/** All members throw Stopped where there is nothing usable. */
export interface Supply {
  context(source: number): LegacyContext | ScalableContext
  pasid(source: number, from: ScalableContext, pasid: number): PasidContext
  leaf(asked: Asked): Translation
}
