// Intel VT-d second-stage tables: entries with a read and a write bit and no present bit.
import { address, bit, encode, entry, field, join } from '@iommu/bits'
import type { Run } from '@iommu/bits'
import { bySizeBit, deriveFormat, maskFor } from '../format.js'
import type { Format } from '../format.js'
import { remembered } from '../remembered.js'

/** Linux keeps here that a table entry has been written back to memory for a walker that does not snoop. */
const WRITTEN_BACK: Run = [10, 10]

/**
 * Second-stage paging entry, for tables and leaves alike. The section number is recalled, the manual was not at
 * hand. Absent where R and W are 0; permissions are the AND over all levels.
 */
export const secondStageEntry = entry('vtd.ss', {
  title: 'Second-stage paging entry',
  bits: 64,
  section: 'vtd:9.8',
  confirmedBy: ['linux', 'qemu'],
  ignored: [WRITTEN_BACK, [61, 52], [63, 63]],
}, {
  R: bit(0, 'Read'),
  W: bit(1, 'Write'),
  X: bit(2, 'Execute; ignored unless the PASID entry has SSEE', { confirmedBy: [] }),
  EMT: field(5, 3, 'Extended Memory Type; leaves only, ignored unless EMTE', undefined, { confirmedBy: [] }),
  IPAT: bit(6, 'Ignore PAT; leaves only, ignored unless EMTE', { confirmedBy: [] }),
  PS: bit(7, 'Page Size: a leaf of 2 MiB (level 2) or 1 GiB (level 3); reserved at levels 4 and 5'),
  A: bit(8, 'Accessed; ignored unless the PASID entry has SSADE', { confirmedBy: ['linux'] }),
  D: bit(9, 'Dirty; ignored unless the PASID entry has SSADE', { confirmedBy: ['linux'] }),
  SNP: bit(11, 'Snoop; leaves only, reserved where ECAP.SC is 0'),
  ADDR: address(51, 12, 'Address of the table or page', { alias: ['Address', 'OA'] }),
  TM: bit(62, 'Transient Mapping; leaves with device-TLB, otherwise ignored', { confirmedBy: ['qemu'] }),
})

/** What the hardware at hand has of the format. */
export interface SecondStageOptions {
  /** 39, 48 or 57 bits of input address (CAP.SAGAW). */
  readonly levels: 3 | 4 | 5
  /** log2 of the leaf sizes: 12 always, 21 and 30 where CAP.SSLPS has them. */
  readonly leafShifts: readonly (12 | 21 | 30)[]
  /** Host address width (HAW) in bits, 32 to 52: address bits from here on are reserved. */
  readonly addressBits: number
  /** ECAP.SC: leaves may have SNP. */
  readonly snoopControl: boolean
}

/**
 * The second-stage format. A table entry is its address with R and W; a leaf has R and W as asked, so that it may
 * be write-only; `noExecute` cannot be said. Throws RangeError for levels, leaf sizes or a width that it has not.
 *
 * Reserved bits as hardware checks them: addresses at and above the host address width, PS where the level has no
 * leaves, the low bits of a large leaf's address, and SNP in tables and wherever ECAP.SC is 0.
 */
export const secondStage = remembered(({ levels, leafShifts, addressBits, snoopControl }: SecondStageOptions): Format => {
  const layout = secondStageEntry
  const snoop = maskFor(layout, 'SNP')
  const pageSize = maskFor(layout, 'PS')
  return deriveFormat({
    layout,
    depths: [3, 4, 5],
    levels,
    leafShifts,
    addressBits,
    address: maskFor(layout, 'ADDR'),
    present: maskFor(layout, 'R', 'W'),
    kinds: bySizeBit(pageSize),
    table: () => join(layout, encode(layout, { R: 1, W: 1 })),
    writtenBack: WRITTEN_BACK,
    snoop: snoopControl ? snoop : 0n,
    grants: { invert: 0n, read: maskFor(layout, 'R'), write: maskFor(layout, 'W'), execute: 0n, user: 0n },
    leaf: ({ read, write }) => join(layout, encode(layout, { R: read ? 1 : 0, W: write ? 1 : 0 })),
    size: (_shift, level) => (level > 1 ? pageSize : 0n),
    tableReserved: (_level, hasLeaf) => snoop | (hasLeaf ? 0n : pageSize),
    leafReserved: snoopControl ? 0n : snoop,
    largeUnchecked: 0n,
  })
})
