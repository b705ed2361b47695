// A supply: where copies and translations come from in place of this moment's caches and memory.
import type { DeviceContext, ProcessContext, Stage } from './copies.js'
import type { Leaf } from './walks.js'

/** A translation that is wanted, by the stage that leads to it. */
export interface Asked {
  readonly kind: 'first' | 'second'
  readonly stage: Stage
  /** The second stage that a first stage's tables lie under; undefined: the host's own. */
  readonly under: Stage | undefined
  readonly address: bigint
  readonly access: 'read' | 'write'
}

/** All members throw Stopped where there is nothing usable. */
export interface Supply {
  device(source: number): DeviceContext
  process(source: number, from: DeviceContext, pasid: number): ProcessContext
  leaf(asked: Asked): Leaf
}
