// RISC-V's page tables as its IOMMU walks them: Sv39, Sv48, Sv57, and as a second stage Sv39x4, Sv48x4, Sv57x4.
import { address, bit, encode, entry, field, join, reservedMask } from '@iommu/bits'
import type { Run } from '@iommu/bits'
import { deriveFormat, maskFor } from '../format.js'
import type { Format, Mask } from '../format.js'
import { remembered } from '../remembered.js'

/** Software's: a note that a table entry has been written back, which walks that always snoop never need. */
const SOFTWARE: Run = [9, 8]
const WRITTEN_BACK: Run = [8, 8]
/** Address bit 12 lies at bit 10 of an entry. */
const ADDRESS_SHIFT = 2

/**
 * Page table entry of both stages, for tables and leaves alike (RISC-V Privileged Architecture, which was not at hand;
 * this is what the IOMMU's reference model checks). A table is R, W and X all 0, and then A, D and U are reserved.
 */
export const riscvEntry = entry('riscv.pte', {
  title: 'Page table entry',
  bits: 64,
  section: 'riscv-privileged:Sv39',
  confirmedBy: ['spec'],
  reserved: [[58, 54]],
  ignored: [SOFTWARE],
}, {
  V: bit(0, 'Valid'),
  R: bit(1, 'Read'),
  W: bit(2, 'Write; reserved without R'),
  X: bit(3, 'Execute'),
  U: bit(4, 'User; 1 in every second-stage leaf'),
  G: bit(5, 'Global; first stage only'),
  A: bit(6, 'Accessed'),
  D: bit(7, 'Dirty'),
  PPN: address(53, 10, 'Table or page; with N its four lowest bits are 1000', { scale: 12, alias: ['ADDR'] }),
  Svrsw60t59b: field(60, 59, 'Software\'s where the unit says so, else reserved'),
  PBMT: field(62, 61, 'Memory type; reserved in tables and where the unit has none', { 0: 'by address', 1: 'non-cacheable', 2: 'I/O' }),
  N: bit(63, 'One of 16 equal leaves of 64 KiB (NAPOT); smallest level only'),
})

/** What the hardware at hand has of the format. Absent: what a driver writes, which uses none of it. */
export interface SvOptions {
  /** 3: Sv39, 4: Sv48, 5: Sv57. */
  readonly levels: 3 | 4 | 5
  /** Width of physical addresses in bits (capabilities.PAS): address bits from here on are reserved. */
  readonly physicalBits: number
  /** log2 of the leaf sizes; hardware has one at every level, which is what is meant where they are absent. */
  readonly leafShifts?: readonly number[]
  /** Whether hardware sets A and D: then a leaf without them translates. */
  readonly setsAccessed?: boolean
  /** capabilities.Svpbmt. */
  readonly memoryTypes?: boolean
  /** capabilities.Svrsw60t59b. */
  readonly softwareBits?: boolean
}

const everyLeaf = (levels: number): number[] => Array.from({ length: levels }, (_, index) => 12 + 9 * index)

const sv = (
  { levels, physicalBits, leafShifts = everyLeaf(levels), setsAccessed = false, memoryTypes = false, softwareBits = false }: SvOptions,
  secondStage: boolean,
): Format => {
  const layout = riscvEntry
  const accessed = setsAccessed ? 0n : maskFor(layout, 'A')
  const dirty = setsAccessed ? 0n : maskFor(layout, 'D')
  const nothing: Mask = 0n
  const upper = maskFor(layout, ...(memoryTypes ? [] : ['PBMT']), ...(softwareBits ? [] : ['Svrsw60t59b'])) | join(layout, reservedMask(layout))
  const user = maskFor(layout, 'U')
  return deriveFormat({
    layout,
    depths: [3, 4, 5],
    levels,
    ...(secondStage ? { rootBits: 11 } : { signExtended: true }),
    leafShifts,
    addressBits: physicalBits,
    address: maskFor(layout, 'PPN'),
    addressShift: ADDRESS_SHIFT,
    present: maskFor(layout, 'V'),
    kinds: () => ({ mask: maskFor(layout, 'R', 'W', 'X'), table: nothing }),
    table: () => join(layout, encode(layout, { V: 1 })),
    writtenBack: WRITTEN_BACK,
    snoop: nothing,
    grants: {
      invert: nothing,
      read: maskFor(layout, 'R') | accessed,
      write: maskFor(layout, 'W') | accessed | dirty,
      execute: maskFor(layout, 'X') | accessed,
      user,
    },
    tableGrants: { invert: nothing, read: nothing, write: nothing, execute: nothing, user: nothing },
    leaf: ({ read, write, noExecute }) => join(layout, encode(layout, {
      V: 1, U: 1, A: 1, R: read || write ? 1 : 0, W: write ? 1 : 0, D: write ? 1 : 0, X: noExecute ? 0 : 1,
    })),
    size: () => nothing,
    tableReserved: () => maskFor(layout, 'A', 'D', 'U', 'N', 'PBMT') | upper,
    leafReserved: upper,
    largeUnchecked: nothing,
  })
}

/**
 * First-stage tables: Sv39, Sv48 or Sv57. Leaves have A and U, and D where writable, so that hardware never has to set
 * them. Addresses are canonical; only the lower half may be mapped. Throws RangeError for a width that it has not.
 */
export const svFirstStage = remembered((options: SvOptions): Format => sv(options, false))

/** Second-stage tables: the same with a root of four pages, and addresses of two bits more that are not canonical. */
export const svSecondStage = remembered((options: SvOptions): Format => sv(options, true))
