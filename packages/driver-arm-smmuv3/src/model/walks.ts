// What an SMMU makes of a walk: the leaf that the TLB keeps, and how levels are told. The walk itself is everybody's.
import { frameAddress } from '@iommu/hardware'
import type { DmaSight } from '@iommu/hardware'
import { ABSENT, ACCESS_FLAG, ADDRESS_SIZE, LEAF, UNREADABLE } from '@iommu/page-table'
import type { WalkKind, WalkStatus } from '@iommu/page-table'
import type { Stopped } from './copies.js'
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
  /** Address of the entry that could not be read; 0 where none was. */
  readonly entry: bigint
}

export type Sight = DmaSight<Supply, Stopped>

const SAID: Partial<Record<WalkStatus, string>> = {
  [LEAF]: 'leaf', [ABSENT]: 'nothing mapped', [ADDRESS_SIZE]: 'an address that is too wide', [ACCESS_FLAG]: 'access flag 0',
}

export const smmuWalk: WalkKind<Leaf> = {
  leafOf: ({ status, level, frame, pageShift, read, write, execute, privilegedExecute, user, tableFrame, index }) => ({
    status, level, frame, pageShift, read, write, execute, privilegedExecute, user,
    entry: status === UNREADABLE ? frameAddress(tableFrame) + BigInt(index * 8) : 0n,
  }),
  // That nothing is mapped is never kept (IHI0070 3.21.1).
  keptShift: ({ status, pageShift }) => (status === LEAF ? pageShift : undefined),
  // As Arm counts levels: 3 holds the smallest pages.
  say: (level, status) => `level ${4 - level}: ${status === undefined ? 'table' : SAID[status] ?? 'not usable'}`,
}
