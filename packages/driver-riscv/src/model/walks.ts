// What this hardware makes of a walk: the leaf as the IOTLB keeps it, and the bits of one that mean something together.
import { fieldOfHalves } from '@iommu/bits'
import { frameAddress } from '@iommu/hardware'
import type { DmaSight } from '@iommu/hardware'
import { ABSENT, LEAF, RESERVED, riscvEntry } from '@iommu/page-table'
import type { WalkKind, WalkResult, WalkStatus } from '@iommu/page-table'
import type { Stopped } from './copies.js'
import type { Supply } from './supply.js'

/** A translation as the IOTLB keeps it: of a valid leaf, whatever it allows. */
export interface Leaf {
  readonly status: WalkStatus
  /** Level at which a walk ended. */
  readonly level: number
  readonly frame: number
  readonly pageShift: number
  readonly read: boolean
  readonly write: boolean
  readonly execute: boolean
  readonly user: boolean
  /** D is set, or does not have to be. */
  readonly dirty: boolean
  /** PBMT. */
  readonly memory: number
}

export type Sight = DmaSight<Supply, Stopped>

const NAPOT_SHIFT = 16
const NAPOT_FRAMES = 16
/** The lowest four bits of the page number say the size, and 64 KiB is the only one. */
const NAPOT_SIZE = 8
const NO_MEMORY_TYPE = 3

const R = fieldOfHalves(riscvEntry, 'R')
const W = fieldOfHalves(riscvEntry, 'W')
const D = fieldOfHalves(riscvEntry, 'D')
const N = fieldOfHalves(riscvEntry, 'N')
const PBMT = fieldOfHalves(riscvEntry, 'PBMT')

const nothing = (status: WalkStatus, level: number): Leaf =>
  ({ status, level, frame: 0, pageShift: 0, read: false, write: false, execute: false, user: false, dirty: false, memory: 0 })

/** What is left to check of a leaf that the walk took for one: W without R, the memory type, and NAPOT. */
const leafOf = (end: WalkResult): Leaf => {
  const { status, level, low, high } = end
  if (status !== LEAF) return nothing(status, level)
  const { pageShift, frame, read, write, execute, user } = end
  const memory = PBMT(low, high)
  const napot = N(low, high) === 1
  if ((W(low, high) === 1 && R(low, high) === 0) || memory === NO_MEMORY_TYPE || (napot && (level !== 1 || frame % NAPOT_FRAMES !== NAPOT_SIZE))) {
    return nothing(RESERVED, level)
  }
  return {
    status, level, frame: napot ? frame - NAPOT_SIZE : frame, pageShift: napot ? NAPOT_SHIFT : pageShift,
    read, write, execute, user, dirty: D(low, high) === 1, memory,
  }
}

/** Nothing that is not valid is kept. `settle` is told where a leaf lies, for hardware that sets A and D. */
export const walkKind = (settle?: (place: bigint, leaf: Leaf) => Leaf): WalkKind<Leaf> => ({
  leafOf(end) {
    const leaf = leafOf(end)
    return settle === undefined || leaf.status !== LEAF ? leaf : settle(frameAddress(end.tableFrame) + BigInt(end.index * 8), leaf)
  },
  keptShift: ({ status, pageShift }) => (status === LEAF ? pageShift : undefined),
  say: (level, status) =>
    (status === undefined ? `level ${level}: table`
      : status === ABSENT ? `level ${level}: not valid`
        : status === RESERVED ? `level ${level}: reserved` : `level ${level}: leaf`),
})

export const plainKind: WalkKind<Leaf> = walkKind()
