// What an SMMU makes of a walk: the leaf that the TLB keeps, and how levels are told. The walk itself is everybody's.
import { frameAddress } from '@iommu/hardware'
import { ABSENT, ACCESS_FLAG, ADDRESS_SIZE, LEAF } from '@iommu/page-table'
import type { Sight as AnySight, WalkKind, WalkStatus } from '@iommu/page-table'
import type { Supply } from './supply.js'

/** A translation as the TLB keeps it, or where a walk ended that found none. */
export interface Leaf {
  readonly status: WalkStatus
  readonly level: number
  readonly frame: number
  readonly pageShift: number
  readonly read: boolean
  readonly write: boolean
  readonly execute: boolean
  readonly privilegedExecute: boolean
  readonly user: boolean
  /** Address of the entry at which the walk ended. */
  readonly entry: bigint
}

export type Sight = AnySight<Supply>

const SAID: Partial<Record<WalkStatus, string>> = {
  [LEAF]: 'leaf', [ABSENT]: 'nothing mapped', [ADDRESS_SIZE]: 'an address that is too wide', [ACCESS_FLAG]: 'access flag 0',
}

export const smmuWalk: WalkKind<Leaf> = {
  leafOf: ({ status, level, frame, pageShift, read, write, execute, privilegedExecute, user, tableFrame, index }) => ({
    status, level, frame, pageShift, read, write, execute, privilegedExecute, user, entry: frameAddress(tableFrame) + BigInt(index * 8),
  }),
  // That nothing is mapped is never kept (IHI0070 3.21.1).
  keptShift: ({ status, pageShift }) => (status === LEAF ? pageShift : undefined),
  // As Arm counts levels: 3 holds the smallest pages.
  say: (level, status) => `level ${4 - level}: ${status === undefined ? 'table' : SAID[status] ?? 'not usable'}`,
}
