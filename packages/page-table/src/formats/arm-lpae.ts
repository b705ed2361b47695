// Arm VMSAv8-64 (LPAE) tables as an SMMUv3 walks them: stage 1 and stage 2, granules of 4, 16 and 64 KiB.
import { address, bit, encode, entry, field, join, maskOf, splitAddress } from '@iommu/bits'
import type { Entry, Field, Run } from '@iommu/bits'
import { deriveFormat, maskFor } from '../format.js'
import type { Format, FormatParts, Grants, Mask } from '../format.js'
import { ABSENT, ADDRESS_SIZE } from '../status.js'
import { remembered } from '../remembered.js'

/** Linux keeps here that a table entry has been written back to memory for a walker that does not snoop. */
const WRITTEN_BACK: Run = [55, 55]
/** Where 64 KiB granules hold address bits 51:48. */
const FOLD: Run = [15, 12]
/** Stage 2 may have up to 2^4 tables side by side as its root. */
const MOST_CONCATENATED = 4

const oa = address(47, 12, 'Output Address: of the table, block or page, aligned to it', { alias: ['ADDR', 'Address'] })
const oa52 = splitAddress([FOLD, [47, 16]], 'Output Address: of the table, block or page', 16, { alias: ['ADDR', 'Address'], confirmedBy: [] })

const type = {
  Valid: bit(0, 'Valid', { alias: ['V'] }),
  Table: bit(1, 'Table, or a page at the last level; 0 in a block'),
}
const end = {
  SH: field(9, 8, 'Shareability', { 0: 'none', 2: 'outer', 3: 'inner' }, { confirmedBy: ['linux'] }),
  AF: bit(10, 'Access Flag'),
}

const stage1Entry = /* @__NO_SIDE_EFFECTS__ */ <const OA extends Field<'address'>>(name: string, title: string, output: OA, ignored: readonly Run[]) => entry(name, {
  title, bits: 64, section: 'arm:D8.3.1', confirmedBy: ['linux', 'qemu'], ignored,
}, {
  ...type,
  AttrIndx: field(4, 2, 'Memory Attributes Index into MAIR', undefined, { confirmedBy: [], alias: ['AttrIdx'] }),
  NS: bit(5, 'Non-secure', { confirmedBy: ['linux'] }),
  AP: field(7, 6, 'Access Permissions: bit 7 read-only, bit 6 unprivileged accesses too', undefined),
  ...end,
  nG: bit(11, 'not Global: tagged with the ASID', { confirmedBy: ['linux'], alias: ['NG'] }),
  OA: output,
  DBM: bit(51, 'Dirty Bit Modifier', { confirmedBy: ['linux'] }),
  Contiguous: bit(52, 'Contiguous hint', { confirmedBy: [] }),
  PXN: bit(53, 'Privileged Execute Never', { confirmedBy: ['linux'] }),
  UXN: bit(54, 'Unprivileged Execute Never', { confirmedBy: ['linux'], alias: ['XN'] }),
  PXNTable: bit(59, 'PXN for everything below; tables only', { confirmedBy: [] }),
  UXNTable: bit(60, 'UXN for everything below; tables only', { confirmedBy: [], alias: ['XNTable'] }),
  APTable: field(62, 61, 'AP for everything below; tables only. Bit 62 read-only, bit 61 no unprivileged accesses', undefined, { confirmedBy: ['qemu'] }),
  NSTable: bit(63, 'NS for everything below; tables only', { confirmedBy: ['linux'] }),
})

const stage2Entry = /* @__NO_SIDE_EFFECTS__ */ <const OA extends Field<'address'>>(name: string, title: string, output: OA, ignored: readonly Run[]) => entry(name, {
  title, bits: 64, section: 'arm:D8.3.2', confirmedBy: ['linux', 'qemu'], ignored,
}, {
  ...type,
  MemAttr: field(5, 2, 'Memory Attributes', undefined, { confirmedBy: ['linux'] }),
  S2AP: field(7, 6, 'Stage 2 Access Permissions: bit 6 read, bit 7 write', undefined, { alias: ['AP', 'HAP'] }),
  ...end,
  OA: output,
  DBM: bit(51, 'Dirty Bit Modifier', { confirmedBy: ['linux'] }),
  Contiguous: bit(52, 'Contiguous hint', { confirmedBy: [] }),
  XN: field(54, 53, 'Execute Never', undefined, { confirmedBy: ['linux'] }),
})

/** Stage 1 descriptor, tables and leaves alike, output addresses of up to 48 bits. Section numbers are recalled. */
export const armStage1Entry = stage1Entry('smmuv3.s1', 'Stage 1 descriptor', oa, [[50, 48], [58, 55]])
/** Stage 1 descriptor of 64 KiB granules with output addresses of 52 bits. */
export const armStage1Entry52 = stage1Entry('smmuv3.s1-52', 'Stage 1 descriptor, 52-bit output addresses', oa52, [[50, 48], [58, 55]])
/** Stage 2 descriptor, tables and leaves alike, output addresses of up to 48 bits. */
export const armStage2Entry = stage2Entry('smmuv3.s2', 'Stage 2 descriptor', oa, [[11, 11], [50, 48], [63, 55]])
/** Stage 2 descriptor of 64 KiB granules with output addresses of 52 bits. */
export const armStage2Entry52 = stage2Entry('smmuv3.s2-52', 'Stage 2 descriptor, 52-bit output addresses', oa52, [[11, 11], [50, 48], [63, 55]])

/** What the tables are for, and what hardware does with them. */
export interface ArmLpaeOptions {
  /** log2 of the granule: 12, 14 or 16. */
  readonly granuleShift: 12 | 14 | 16
  /** Bits of device address: 64 - T0SZ. */
  readonly inputBits: number
  /** Bits of output address (IPS, S2PS): 32 to 48, or 52 with granules of 64 KiB. */
  readonly addressBits: number
  /** Levels of tables; the fewest possible where absent. Stage 2 concatenates up to 16 tables as its root to save one. */
  readonly levels?: number
  /** log2 of the leaf sizes; all that the granule has where absent. */
  readonly leafShifts?: readonly number[]
  /** Whether hardware sets the access flag itself (CD.HA, STE.S2HA). False or absent: a leaf without it faults. */
  readonly hardwareAccess?: boolean
  /** What leaves say of memory: write-back cacheable and inner shareable where absent. */
  readonly memory?: 'cached' | 'uncached' | 'device'
}

export interface ArmStage2Options extends ArmLpaeOptions {
  /** STE.S2FWB: memory attributes have other codes. */
  readonly forceWriteBack?: boolean
}

/** Blocks by granule; the last of 64 KiB granules needs 52-bit output addresses. */
const BLOCKS = { 12: [21, 30], 14: [25], 16: [29, 42] } as const

const INNER = 3
const OUTER = 2

/** As in Linux's MAIR 0xf404ff44: index 0 uncached, 1 write-back, 2 device. */
const ATTRIBUTE_INDEX = { cached: 1, uncached: 0, device: 2 } as const
const MEMORY = { cached: 0xf, uncached: 5, device: 1 } as const
const FORCED_MEMORY = { cached: 6, uncached: 5, device: 1 } as const

type Shape = Pick<FormatParts, 'layout' | 'depths' | 'levels' | 'granuleShift' | 'bitsPerLevel' | 'rootBits' | 'leafShifts' | 'addressBits'>

/** The depth and the root of the tables. */
const shapeOf = (layout: Entry, options: ArmLpaeOptions, concatenated: number): Shape => {
  const { granuleShift, inputBits, addressBits } = options
  const bitsPerLevel = granuleShift - 3
  const wide = granuleShift === 16 && addressBits === 52
  if (!Number.isInteger(inputBits) || inputBits <= granuleShift || inputBits > (granuleShift === 16 ? 52 : 48)) {
    throw new RangeError(`${layout.name}: ${inputBits} bits of device address with granules of 2^${granuleShift} bytes`)
  }
  if (addressBits > 48 && !wide) throw new RangeError(`${layout.name}: output addresses of ${addressBits} bits need granules of 64 KiB`)
  const fewest = Math.max(1, Math.ceil((inputBits - granuleShift - concatenated) / bitsPerLevel))
  const { levels = fewest } = options
  const rootBits = inputBits - granuleShift - (levels - 1) * bitsPerLevel
  if (levels < fewest || rootBits < 1) {
    throw new RangeError(`${layout.name}: ${levels} levels for ${inputBits} bits of device address`)
  }
  const blocks = BLOCKS[granuleShift].filter((shift) =>
    (shift !== 42 || wide) && shift < granuleShift + levels * bitsPerLevel)
  return {
    layout, depths: [levels], levels, granuleShift, bitsPerLevel, rootBits, addressBits,
    leafShifts: options.leafShifts ?? [granuleShift, ...blocks],
  }
}

/** What stage 1 and stage 2 have in common. */
const lpae = (shape: Shape, grants: Pick<FormatParts, 'grants' | 'tableGrants'>, hardwareAccess: boolean, leaf: FormatParts['leaf']): Format => {
  const { layout, granuleShift = 12, addressBits } = shape
  const below = (1n << BigInt(granuleShift)) - 1n
  const fold = addressBits === 52 ? maskOf([FOLD]) : 0n
  const table = maskFor(layout, 'Table')
  return deriveFormat({
    ...shape,
    ...grants,
    address: (maskFor(layout, 'OA') & ~below) | fold,
    fold,
    present: maskFor(layout, 'Valid'),
    kinds: (level) => ({ mask: table, table, leaf: level === 1 ? table : 0n }),
    stray: ABSENT,
    beyond: ADDRESS_SIZE,
    table: () => join(layout, encode(layout, { Valid: 1, Table: 1 })),
    writtenBack: WRITTEN_BACK,
    snoop: 0n,
    accessed: hardwareAccess ? 0n : maskFor(layout, 'AF'),
    leaf,
    size: (_shift, level) => (level === 1 ? table : 0n),
    // RES0 bits are not checked; of addresses only those that are too wide.
    tableReserved: () => 0n,
    leafReserved: 0n,
    largeUnchecked: maskFor(layout, 'OA'),
  })
}

/**
 * Stage 1. Leaves are accessible without privilege, not global, and have AF: AP says read-only or read and write, so
 * **write implies read**, and a write-only mapping reads too. Tables leave everything to their leaves. Levels are counted
 * as everywhere here: level 1 is Arm's level 3. Only addresses of TTB0 are translated, bits above `inputBits` being 0.
 *
 * What the walk grants: writes where no AP or APTable is read-only, `user` where none forbids unprivileged accesses,
 * `execute` by UXN and `privileged` by PXN and their table bits. WXN, PAN and DBM are not in it.
 * Throws RangeError for a shape that it has not.
 */
export const armStage1 = remembered((options: ArmLpaeOptions): Format => {
  const layout = options.addressBits === 52 ? armStage1Entry52 : armStage1Entry
  const { memory = 'cached', hardwareAccess = false } = options
  const word = (values: Parameters<typeof encode<(typeof layout)['fields']>>[1]): Mask => join(layout, encode(layout, values))
  const [readOnly, unprivileged, noUnprivileged] = [word({ AP: 2 }), word({ AP: 1 }), word({ APTable: 1 })]
  const grants: Grants = {
    invert: readOnly | maskFor(layout, 'PXN', 'UXN'),
    read: 0n, write: readOnly, execute: maskFor(layout, 'UXN'), privileged: maskFor(layout, 'PXN'), user: unprivileged,
  }
  const tableGrants: Grants = {
    invert: maskFor(layout, 'APTable', 'PXNTable', 'UXNTable'),
    read: 0n, write: word({ APTable: 2 }), execute: maskFor(layout, 'UXNTable'), privileged: maskFor(layout, 'PXNTable'),
    user: noUnprivileged,
  }
  return lpae(shapeOf(layout, options, 0), { grants, tableGrants }, hardwareAccess, ({ write, noExecute }) => word({
    Valid: 1, AttrIndx: ATTRIBUTE_INDEX[memory], AP: write ? 1 : 3, SH: memory === 'cached' ? INNER : OUTER, AF: 1, nG: 1,
    PXN: noExecute ? 1 : 0, UXN: noExecute ? 1 : 0,
  }))
})

/**
 * Stage 2. Leaves have S2AP as asked, so that they may be write-only, and AF. `execute` is judged by XN's upper bit, as
 * without XNX; both bits are written, as Linux does. Tables have no permissions. Throws RangeError for a shape that it has not.
 */
export const armStage2 = remembered((options: ArmStage2Options): Format => {
  const layout = options.addressBits === 52 ? armStage2Entry52 : armStage2Entry
  const { memory = 'cached', hardwareAccess = false, forceWriteBack = false } = options
  const word = (values: Parameters<typeof encode<(typeof layout)['fields']>>[1]): Mask => join(layout, encode(layout, values))
  const never = word({ XN: 2 })
  const grants: Grants = { invert: never, read: word({ S2AP: 1 }), write: word({ S2AP: 2 }), execute: never, user: 0n }
  const tableGrants: Grants = { invert: 0n, read: 0n, write: 0n, execute: 0n, user: 0n }
  return lpae(shapeOf(layout, options, MOST_CONCATENATED), { grants, tableGrants }, hardwareAccess, ({ read, write, noExecute }) => word({
    Valid: 1, MemAttr: (forceWriteBack ? FORCED_MEMORY : MEMORY)[memory], S2AP: (read ? 1 : 0) | (write ? 2 : 0),
    SH: memory === 'cached' ? INNER : OUTER, AF: 1, XN: noExecute ? 3 : 0,
  }))
})
