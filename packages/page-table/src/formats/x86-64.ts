// x86-64 tables, 4 or 5 levels: as Intel VT-d's first stage and AMD's guest (v2) translation walk them.
import { address, bit, encode, entry, join, maskOf } from '@iommu/bits'
import type { Entry, Run } from '@iommu/bits'
import { bySizeBit, deriveFormat, maskFor } from '../format.js'
import type { Format } from '../format.js'
import { remembered } from '../remembered.js'

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

/**
 * Guest (v2) paging entry of AMD's IOMMU, which GCR3 entries lead to. The section number is recalled, the manual was
 * not at hand. As the first stage's, but without an Extended Accessed bit, and with a Global bit.
 */
export const amdV2Entry = entry('amd.v2', {
  title: 'Guest (v2) page table entry',
  bits: 64,
  section: 'amd:2.2.6',
  confirmedBy: [],
  ignored: [WRITTEN_BACK, [11, 10], [62, 52]],
}, {
  P: bit(0, 'Present'),
  RW: bit(1, 'Read/Write', { alias: ['R/W'] }),
  US: bit(2, 'User/Supervisor', { alias: ['U/S', 'U'] }),
  PWT: bit(3, 'Page-level Write-Through'),
  PCD: bit(4, 'Page-level Cache Disable'),
  A: bit(5, 'Accessed'),
  D: bit(6, 'Dirty; leaves only'),
  PS: bit(7, 'Page Size: a leaf of 2 MiB (level 2) or 1 GiB (level 3); reserved at levels 4 and 5, PAT at level 1'),
  G: bit(8, 'Global; leaves only'),
  ADDR: address(51, 12, 'Address of the table or page; in a large leaf bit 12 is PAT', { alias: ['Address', 'OA'] }),
  NX: bit(63, 'No Execute; used where EFR.NXSup is set', { alias: ['XD'] }),
})

/** What the hardware at hand has of x86-64 tables, and how it is told to use them. */
interface X86Options {
  /** 48 or 57 bits of canonical input address (VT-d: FSPM, AMD: GuestPagingMode). */
  readonly levels: 4 | 5
  /** log2 of the leaf sizes: 12 always, 21, and 30 (VT-d: where CAP.FS1GP has it). */
  readonly leafShifts: readonly (12 | 21 | 30)[]
  /** Physical address width in bits, 32 to 52: address bits from here on are reserved. */
  readonly addressBits: number
  /**
   * Whether the no-execute bit is used (VT-d: NXE in the PASID entry, AMD: EFR.NXSup). False: it is never written,
   * and ignored by the walk; whether hardware then treats it as reserved is not confirmed by any source at hand.
   */
  readonly noExecute: boolean
}

export type FirstStageOptions = X86Options
export type AmdV2Options = X86Options

const x86 = (layout: Entry, executeDisable: 'XD' | 'NX', { levels, leafShifts, addressBits, noExecute }: X86Options): Format => {
  const pageSize = maskFor(layout, 'PS')
  const forbidden = noExecute ? maskFor(layout, executeDisable) : 0n
  return deriveFormat({
    layout,
    depths: [4, 5],
    levels,
    signExtended: true,
    leafShifts,
    addressBits,
    address: maskFor(layout, 'ADDR'),
    present: maskFor(layout, 'P'),
    kinds: bySizeBit(pageSize),
    table: () => join(layout, encode(layout, { P: 1, RW: 1, US: 1, A: 1 })),
    writtenBack: WRITTEN_BACK,
    snoop: 0n,
    grants: {
      invert: forbidden, read: maskFor(layout, 'P'), write: maskFor(layout, 'RW'), execute: forbidden, user: maskFor(layout, 'US'),
    },
    leaf: ({ write, noExecute: asked }) =>
      join(layout, encode(layout, { P: 1, US: 1, A: 1, RW: write ? 1 : 0, D: write ? 1 : 0 })) | (asked ? forbidden : 0n),
    size: (_shift, level) => (level > 1 ? pageSize : 0n),
    tableReserved: (_level, hasLeaf) => (hasLeaf ? 0n : pageSize),
    leafReserved: 0n,
    largeUnchecked: maskOf([LARGE_PAT]),
  })
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
export const firstStage = remembered((options: FirstStageOptions): Format => x86(firstStageEntry, 'XD', options))

/** AMD's guest (v2) format, with the words, reserved bits and limits of the first stage (Linux, `x86_64.h` for both). */
export const amdV2 = remembered((options: AmdV2Options): Format => x86(amdV2Entry, 'NX', options))
