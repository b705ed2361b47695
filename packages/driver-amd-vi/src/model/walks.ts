// What an AMD IOMMU makes of a walk: the leaf that the IOTLB keeps, and how entries are told. The walk itself is everybody's.
import { ABSENT, LEAF, RESERVED } from '@iommu/page-table'
import type { DmaSight } from '@iommu/hardware'
import type { WalkKind, WalkStatus } from '@iommu/page-table'
import type { Stopped } from './copies.js'
import type { Supply } from './supply.js'

/** A translation as the IOTLB keeps it. With NpCache it may also be that there was none (`status` ABSENT). */
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
  /** FC: accesses snoop. */
  readonly coherent: boolean
}

export type Sight = DmaSight<Supply, Stopped>

/** Nothing is kept of where nothing is mapped. */
export const amdWalk: WalkKind<Leaf> = {
  leafOf: ({ status, level, frame, pageShift, read, write, execute, user, snoop }) =>
    ({ status, level, frame, pageShift, read, write, execute, user, coherent: snoop }),
  keptShift: ({ status, pageShift }) => (status === LEAF ? pageShift : undefined),
  say: (level, status) => `level ${level}: ${
    status === undefined ? 'table' : status === ABSENT ? 'nothing mapped' : status === RESERVED ? 'a reserved bit is set, or its level or size is wrong' : 'leaf'
  }`,
}

const SMALLEST_PAGE = 12

/** NpCache: that nothing is mapped is kept too. */
export const npCacheWalk: WalkKind<Leaf> = {
  ...amdWalk,
  keptShift: (leaf) => (leaf.status === ABSENT ? SMALLEST_PAGE : amdWalk.keptShift(leaf)),
}

/** The page of an address that passes through. */
export const passingLeaf = (frame: number): Leaf => ({
  status: LEAF, level: 1, frame, pageShift: 12, read: true, write: true, execute: true, user: true, coherent: false,
})
