// x86-64 tables as Intel VT-d's first stage walks them, 4 or 5 levels.
import { address, bit, encode, entry, join, maskOf } from '@iommu/bits'
import type { Run } from '@iommu/bits'
import { deriveFormat, maskFor } from '../format.js'
import type { Format } from '../format.js'

/** Linux keeps here that a table entry has been written back to memory for a walker that does not snoop. */
const WRITTEN_BACK: Run = [9, 9]

/** The lowest address bit of a large leaf is its PAT bit, not a reserved one. */
const LARGE_PAT: Run = [12, 12]

/**
 * First-stage paging entry, for tables and leaves alike. The section number is recalled, the manual was not at
 * hand. Permissions are the AND over all levels; there is no read bit.
 */
export const firstStageEntry = entry('vtd.fs', {
  title: 'First-stage paging entry',
  bits: 64,
  section: 'vtd:9.7',
  confirmedBy: ['linux', 'qemu'],
  ignored: [[8, 8], WRITTEN_BACK, [11, 11], [62, 52]],
}, {
  P: bit(0, 'Present'),
  RW: bit(1, 'Read/Write', { alias: ['R/W'] }),
  US: bit(2, 'User/Supervisor', { alias: ['U/S', 'U'] }),
  PWT: bit(3, 'Page-level Write-Through', { confirmedBy: [] }),
  PCD: bit(4, 'Page-level Cache Disable', { confirmedBy: [] }),
  A: bit(5, 'Accessed'),
  D: bit(6, 'Dirty; leaves only'),
  PS: bit(7, 'Page Size: a leaf of 2 MiB (level 2) or 1 GiB (level 3); reserved at levels 4 and 5, PAT at level 1'),
  EA: bit(10, 'Extended Accessed; ignored unless the PASID entry has EAFE', { confirmedBy: [] }),
  ADDR: address(51, 12, 'Address of the table or page; in a large leaf bit 12 is PAT', { alias: ['Address', 'OA'] }),
  XD: bit(63, 'Execute Disable; used where the PASID entry has NXE', { confirmedBy: ['linux'], alias: ['NX'] }),
})

/** What the hardware at hand has of the format, and how the PASID entry uses it. */
export interface FirstStageOptions {
  /** 48 or 57 bits of canonical input address (FSPM). */
  readonly levels: 4 | 5
  /** log2 of the leaf sizes: 12 always, 21, and 30 where CAP.FS1GP has it. */
  readonly leafShifts: readonly (12 | 21 | 30)[]
  /** Host address width (HAW) in bits, 32 to 52: address bits from here on are reserved. */
  readonly addressBits: number
  /**
   * Whether XD is used (NXE in the PASID entry). False: it is never written, and ignored by the walk; whether
   * hardware then treats it as reserved is not confirmed by any source at hand.
   */
  readonly noExecute: boolean
}

/**
 * The first-stage format. Tables are P, RW, US, A. Leaves are P, US, A, and RW and D where writable: A and D are
 * set beforehand, so that hardware never has to. The format has no read bit: **write implies read**, and a
 * write-only mapping reads too. Addresses are canonical; only the lower half may be mapped, as Linux does for
 * requests without PASID. Throws RangeError for levels, leaf sizes or a width that it has not.
 *
 * Reserved bits as hardware checks them: addresses at and above the host address width, PS where the level has no
 * leaves, and the low bits of a large leaf's address above its PAT bit.
 */
export const firstStage = ({ levels, leafShifts, addressBits, noExecute }: FirstStageOptions): Format => {
  const layout = firstStageEntry
  const executeDisable = noExecute ? maskFor(layout, 'XD') : 0n
  return deriveFormat({
    layout,
    depths: [4, 5],
    levels,
    signExtended: true,
    leafShifts,
    addressBits,
    address: maskFor(layout, 'ADDR'),
    present: maskFor(layout, 'P'),
    table: join(layout, encode(layout, { P: 1, RW: 1, US: 1, A: 1 })),
    writtenBack: WRITTEN_BACK,
    pageSize: maskFor(layout, 'PS'),
    snoop: 0n,
    invert: executeDisable,
    read: maskFor(layout, 'P'),
    write: maskFor(layout, 'RW'),
    execute: executeDisable,
    user: maskFor(layout, 'US'),
    leaf: ({ write, noExecute: asked }) => join(layout, encode(layout, {
      P: 1, US: 1, A: 1, RW: write ? 1 : 0, D: write ? 1 : 0, XD: asked && noExecute ? 1 : 0,
    })),
    tableReserved: 0n,
    leafReserved: 0n,
    largeMeaning: maskOf([LARGE_PAT]),
  })
}
