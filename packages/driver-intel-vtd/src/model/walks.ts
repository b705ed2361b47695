// What a VT-d unit makes of a walk: the leaf that the IOTLB keeps, and how entries are told. The walk itself is everybody's.
import { ABSENT, LEAF, RESERVED } from '@iommu/page-table'
import type { DmaSight } from '@iommu/hardware'
import type { WalkKind, WalkStatus } from '@iommu/page-table'
import type { Stopped } from './copies.js'
import type { Supply } from './supply.js'

/** A translation as the IOTLB keeps it. In caching mode it may also be that there was none (`status` ABSENT). */
export interface Leaf {
  readonly status: WalkStatus
  /** Level at which a walk ended that found no leaf. */
  readonly level: number
  readonly frame: number
  readonly pageShift: number
  readonly read: boolean
  readonly write: boolean
  readonly execute: boolean
  readonly user: boolean
  readonly snoop: boolean
}

export type Sight = DmaSight<Supply, Stopped>

/** Nothing is kept of where nothing is mapped. */
export const vtdWalk: WalkKind<Leaf> = {
  leafOf: ({ status, level, frame, pageShift, read, write, execute, user, snoop }) =>
    ({ status, level, frame, pageShift, read, write, execute, user, snoop }),
  keptShift: ({ status, pageShift }) => (status === LEAF ? pageShift : undefined),
  say: (level, status) => `level ${level}: ${
    status === undefined ? 'table' : status === ABSENT ? 'nothing mapped' : status === RESERVED ? 'a reserved bit is set' : 'leaf'
  }`,
}

const SMALLEST_PAGE = 12

/** Caching mode: that nothing is mapped is kept too. Never so for first-stage tables. */
export const cachingWalk: WalkKind<Leaf> = {
  ...vtdWalk,
  keptShift: (leaf) => (leaf.status === ABSENT ? SMALLEST_PAGE : vtdWalk.keptShift(leaf)),
}
