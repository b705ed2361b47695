// What this hardware makes of a walk: the leaf as the IOTLB keeps it, and the bits of one that mean something together.
import { decode } from '@iommu/bits'
import { addresses, frameAddress } from '@iommu/hardware'
import { ABSENT, LEAF, RESERVED, riscvEntry } from '@iommu/page-table'
import type { Sight as AnySight, WalkKind, WalkResult, WalkStatus } from '@iommu/page-table'
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

export type Sight = AnySight<Supply>

const NAPOT_SHIFT = 16
const NAPOT_FRAMES = 16
/** The lowest four bits of the page number say the size, and 64 KiB is the only one. */
const NAPOT_SIZE = 8
const NO_MEMORY_TYPE = 3

const NOTHING = { frame: 0, pageShift: 0, read: false, write: false, execute: false, user: false, dirty: false, memory: 0 } as const

/** What is left to check of a leaf that the walk took for one: W without R, the memory type, and NAPOT. */
const leafOf = ({ status, level, pageShift, frame, read, write, execute, user, low, high }: WalkResult): Leaf => {
  if (status !== LEAF) return { ...NOTHING, status, level }
  const { R, W, D, N, PBMT } = decode(riscvEntry, [addresses.join(low, high)])
  const reserved = (W === 1 && R === 0) || PBMT === NO_MEMORY_TYPE
    || (N === 1 && (level !== 1 || frame % NAPOT_FRAMES !== NAPOT_SIZE))
  if (reserved) return { ...NOTHING, status: RESERVED, level }
  const shared = { status: LEAF, level, read, write, execute, user, dirty: D === 1, memory: PBMT } as const
  return N === 1 ? { ...shared, frame: frame - NAPOT_SIZE, pageShift: NAPOT_SHIFT } : { ...shared, frame, pageShift }
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
