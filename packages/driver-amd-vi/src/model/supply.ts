// A supply: where copies and translations come from in place of this moment's caches and memory.
import type { GuestLevels, HostLevels } from '../tables/index.js'
import type { DeviceContext, Gcr3From, Stopped } from './copies.js'
import type { Leaf } from './walks.js'

/** Which tables a translation is made of. */
export type Stage = 'host' | 'guest' | 'pass-through'

/** A translation that is wanted, by the entry that leads to it. */
export interface Asked {
  readonly stage: Stage
  readonly levels: HostLevels | GuestLevels
  /** Frame of the root table; 0 where there is none, or where `gcr3` leads to it. */
  readonly root: number
  /** The way to guest tables, where they are asked for with it. */
  readonly gcr3?: Gcr3From
  readonly domainId: number
  /** Guest tables: 0 for requests without PASID. */
  readonly pasid: number
  readonly address: bigint
}

/** A translation as the IOTLB holds it, or why there was no table to walk. */
export interface Translation {
  readonly leaf: Leaf | Stopped
  readonly stage: Stage
}

/** All members throw Stopped where there is nothing usable. */
export interface Supply {
  entry(source: number): DeviceContext
  leaf(asked: Asked): Translation
}
