// AMD host (v1) tables: 1 to 6 levels, entries that name the level of the next table, leaves of every power of two.
import { address, bit, encode, entry, field, join, reservedMask } from '@iommu/bits'
import type { Run } from '@iommu/bits'
import { deriveFormat, maskFor } from '../format.js'
import type { Format } from '../format.js'
import { remembered } from '../remembered.js'

/** Linux keeps here that a table entry has been written back to memory; not confirmed by any source at hand. */
const WRITTEN_BACK: Run = [1, 1]
/** Level of the next table; all ones in a leaf that holds its size. */
const NEXT_LEVEL: Run = [11, 9]
const SIZED = 7
/** The highest level indexes address bits 63:57, and has no leaves. */
const TOP = 6
const TOP_BITS = 7
/** Linux, `amdv1pt_possible_sizes`: 512 GiB pages are kept out because of a hardware bug. */
const NEVER = 39
const LARGEST = 51

/**
 * Host page table entry, for tables and leaves alike (Linux names section 2.2.3 of the manual, which was not at hand).
 * Absent where PR is 0; permissions are the AND over the device table entry and all levels.
 */
export const amdV1Entry = entry('amd.v1', {
  title: 'Host (v1) page table entry',
  bits: 64,
  section: 'amd:2.2.3',
  confirmedBy: ['linux', 'qemu'],
  reserved: [[58, 52]],
  ignored: [[4, 1], [8, 7], [63, 63]],
}, {
  PR: bit(0, 'Present', { alias: ['P'] }),
  A: bit(5, 'Accessed; used where DTE.HAD is set', { confirmedBy: [] }),
  D: bit(6, 'Dirty; leaves only, used where DTE.HAD is set', { confirmedBy: ['linux'] }),
  NextLevel: field(11, 9, 'Next Level: that of the table pointed to', {
    0: 'leaf of the size of its level', 7: 'leaf whose size is in its address',
  }, { alias: ['NL'] }),
  ADDR: address(51, 12, 'Address of the table or page', { alias: ['Address', 'OA'] }),
  U: bit(59, 'Unmapped attribute of the accesses; leaves only', { confirmedBy: [] }),
  FC: bit(60, 'Force Coherent: accesses snoop; leaves only, reserved in tables', { confirmedBy: ['linux'] }),
  IR: bit(61, 'Read permission'),
  IW: bit(62, 'Write permission'),
})

/** What the hardware at hand has of the format. */
export interface AmdV1Options {
  /** DTE.Mode: 1 to 6 levels, 21 to 64 bits of device address. A page table that grows is given the most it may have. */
  readonly levels: number
  /** log2 of the leaf sizes; every one that the levels can hold but 512 GiB where absent. */
  readonly leafShifts?: readonly number[]
  /** Physical address width in bits, 32 to 52: address bits from here on are reserved. */
  readonly addressBits: number
}

/** The sizes that Linux uses with so many levels. */
const possibleShifts = (levels: number): number[] => {
  const end = Math.min(12 + 9 * Math.min(levels, TOP - 1) - 1, LARGEST)
  return Array.from({ length: end - 11 }, (_, at) => at + 12).filter((shift) => shift !== NEVER)
}

/** Ones from bit 12 up to the second highest address bit below the size: the lowest zero tells the size. */
const sizeOnes = (shift: number): bigint => (1n << BigInt(shift - 1)) - (1n << 12n)

/**
 * The host format. A table entry is its address with NextLevel, IR and IW; a leaf has IR and IW as asked, so that it
 * may be write-only; `noExecute` cannot be said. The snoop bit is FC; Linux sets it in every leaf.
 *
 * A page of a level's own size is one entry with NextLevel 0. Any other power of two is NextLevel 7 in as many equal
 * entries as it covers, its size in the address. Throws RangeError for levels, leaf sizes or a width that it has not.
 *
 * Reserved bits as hardware checks them: 58:52, FC in tables, addresses at and above the width. A walk follows entries
 * that skip levels, where the address bits skipped are 0.
 */
export const amdV1 = remembered(({ levels, leafShifts = possibleShifts(levels), addressBits }: AmdV1Options): Format => {
  const layout = amdV1Entry
  const kind = maskFor(layout, 'NextLevel')
  const nextLevel = (level: number): bigint => join(layout, encode(layout, { NextLevel: level }))
  const reserved = join(layout, reservedMask(layout))
  const snoop = maskFor(layout, 'FC')
  return deriveFormat({
    layout,
    depths: [1, 2, 3, 4, 5, TOP],
    levels,
    ...(levels === TOP ? { rootBits: TOP_BITS } : {}),
    leafShifts,
    addressBits,
    address: maskFor(layout, 'ADDR'),
    present: maskFor(layout, 'PR'),
    kinds: (level) => ({ mask: kind, table: nextLevel(level - 1), leaf: 0n }),
    nextLevel: NEXT_LEVEL,
    table: (level) => join(layout, encode(layout, { PR: 1, IR: 1, IW: 1 })) | nextLevel(Math.max(level - 1, 0)),
    writtenBack: WRITTEN_BACK,
    snoop,
    grants: { invert: 0n, read: maskFor(layout, 'IR'), write: maskFor(layout, 'IW'), execute: 0n, user: 0n },
    leaf: ({ read, write }) => join(layout, encode(layout, { PR: 1, IR: read ? 1 : 0, IW: write ? 1 : 0 })),
    size: (shift) => ((shift - 12) % 9 === 0 ? 0n : nextLevel(SIZED) | sizeOnes(shift)),
    tableReserved: () => reserved | snoop,
    leafReserved: reserved,
    // Whether hardware checks them is not confirmed by any source at hand.
    largeUnchecked: maskFor(layout, 'ADDR'),
  })
})
