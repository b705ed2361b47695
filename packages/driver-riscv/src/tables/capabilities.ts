// What the capabilities register says, in the words that driver and model decide by.
import { decode } from '@iommu/bits'
import { capability } from './registers.js'

/** Levels of page tables, and of the directories. */
export type Levels = 3 | 4 | 5
export type DirectoryLevels = 1 | 2 | 3

/** One unit's capabilities. Sizes and widths are in the units that their names say. */
export interface Capabilities {
  /** Levels of first-stage tables, ascending: 3 is Sv39, 4 Sv48, 5 Sv57. */
  readonly firstStageLevels: readonly Levels[]
  /** Levels of second-stage tables, ascending. */
  readonly secondStageLevels: readonly Levels[]
  /** Levels of process directories, ascending: 1 is PD8, 2 PD17, 3 PD20. */
  readonly processLevels: readonly DirectoryLevels[]
  /** Device contexts are of the extended format, 64 bytes. */
  readonly extended: boolean
  /** Width of physical addresses. */
  readonly physicalBits: number
  readonly ats: boolean
  /** ATS may answer guest physical addresses. */
  readonly guestAts: boolean
  /** Hardware may set A and D. */
  readonly accessedDirty: boolean
  /** Memory types in page table entries. */
  readonly memoryTypes: boolean
  /** Bits 60:59 of page table entries are software's. */
  readonly softwareBits: boolean
  /** Identifiers of quality of service in device contexts. */
  readonly qualityOfService: boolean
  /** Both byte orders. */
  readonly bothEndian: boolean
  /** Invalidations by address may name ranges. */
  readonly ranges: boolean
  /** Invalidations by address may name non-leaf entries. */
  readonly nonLeaf: boolean
}

const those = <T>(...each: readonly (readonly [present: number, value: T])[]): T[] =>
  each.filter(([present]) => present === 1).map(([, value]) => value)

export const readCapabilities = (word: bigint): Capabilities => {
  const c = decode(capability, [word])
  return {
    firstStageLevels: those<Levels>([c.Sv39, 3], [c.Sv48, 4], [c.Sv57, 5]),
    secondStageLevels: those<Levels>([c.Sv39x4, 3], [c.Sv48x4, 4], [c.Sv57x4, 5]),
    processLevels: those<DirectoryLevels>([c.PD8, 1], [c.PD17, 2], [c.PD20, 3]),
    extended: c.MSI_FLAT === 1,
    physicalBits: c.PAS,
    ats: c.ATS === 1,
    guestAts: c.T2GPA === 1,
    accessedDirty: c.AMO_HWAD === 1,
    memoryTypes: c.Svpbmt === 1,
    softwareBits: c.Svrsw60t59b === 1,
    qualityOfService: c.QOSID === 1,
    bothEndian: c.END === 1,
    ranges: c.S === 1,
    nonLeaf: c.NL === 1,
  }
}

/** The mode that fsc or iohgatp has for so many levels of page tables. */
export const pagingMode = (levels: Levels): number => levels + 5
/** Levels by mode, or undefined for a mode that stands for none. */
export const levelsOfMode = (mode: number): Levels | undefined => (mode >= 8 && mode <= 10 ? mode - 5 as Levels : undefined)
/** Bits that tables of so many levels translate; second-stage roots take two bits more. */
export const widthOfLevels = (levels: Levels, second: boolean): number => 12 + 9 * levels + (second ? 2 : 0)
