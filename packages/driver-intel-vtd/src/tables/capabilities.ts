// What CAP and ECAP say, in the words that driver and model decide by.
import { decode } from '@iommu/bits'
import { capability, extendedCapability } from './registers.js'

export type Levels = 3 | 4 | 5

/** One unit's capabilities. Sizes and widths are in the units that their names say. */
export interface Capabilities {
  /** Domain ids are below this. */
  readonly domainIds: number
  /** GCMD.WBF is needed after stores that only add. */
  readonly writeBufferFlush: boolean
  /** Hardware may cache entries that are not present. */
  readonly cachingMode: boolean
  /** Levels of second-stage tables, ascending. */
  readonly secondStageLevels: readonly Levels[]
  /** Highest guest address width in bits. */
  readonly guestAddressBits: number
  /** log2 of the page sizes of second-stage leaves. */
  readonly secondStageLeaves: readonly number[]
  readonly firstStageLeaves: readonly number[]
  readonly firstStageLevels: readonly Levels[]
  readonly pageSelective: boolean
  /** Largest AM of a page-selective invalidation. */
  readonly maxAddressMask: number
  readonly faultRecords: number
  /** Byte offset of the first fault recording register. */
  readonly faultOffset: number
  /** SRTP invalidates every cache by itself. */
  readonly rootPointerInvalidates: boolean

  /** Walks of structures snoop the CPU's caches. */
  readonly coherent: boolean
  readonly queuedInvalidation: boolean
  readonly deviceTlb: boolean
  readonly passThrough: boolean
  readonly snoopControl: boolean
  readonly scalable: boolean
  readonly firstStage: boolean
  readonly secondStage: boolean
  readonly nested: boolean
  /** Width of PASIDs in bits; 0: none. */
  readonly pasidBits: number
  /** RID_PASID may be other than 0. */
  readonly ridPasid: boolean
  /** Walks of PASID-granular page tables can snoop (PWSNP). */
  readonly scalableWalkCoherent: boolean
  readonly secondStageDirty: boolean
  readonly supervisorRequests: boolean
  readonly executeRequests: boolean
  readonly pageRequests: boolean
}

/** Second-stage AW values by levels: the field counts from 3 levels as 1. */
export const addressWidthOf = (levels: number): number => levels - 2

/** Bits that a second-stage table of so many levels translates. */
export const widthOfLevels = (levels: number): number => 12 + 9 * levels

/** Reads the two capability registers. */
export const readCapabilities = (cap: bigint, ecap: bigint): Capabilities => {
  const c = decode(capability, [cap])
  const e = decode(extendedCapability, [ecap])
  const levels: Levels[] = ([3, 4, 5] as const).filter((each) => (c.SAGAW >> addressWidthOf(each)) & 1)
  return {
    // The field's highest value is reserved: DID has 16 bits.
    domainIds: Math.min(2 ** (4 + 2 * c.ND), 0x1_0000),
    writeBufferFlush: c.RWBF === 1,
    cachingMode: c.CM === 1,
    secondStageLevels: levels,
    guestAddressBits: c.MGAW + 1,
    secondStageLeaves: [12, ...((c.SSLPS & 1) === 1 ? [21] : []), ...((c.SSLPS & 2) === 2 ? [30] : [])],
    firstStageLeaves: [12, 21, ...(c.FS1GP === 1 ? [30] : [])],
    firstStageLevels: c.FS5LP === 1 ? [4, 5] : [4],
    pageSelective: c.PSI === 1,
    maxAddressMask: c.MAMV,
    faultRecords: c.NFR + 1,
    faultOffset: c.FRO * 16,
    rootPointerInvalidates: c.ESRTPS === 1,
    coherent: e.C === 1,
    queuedInvalidation: e.QI === 1,
    deviceTlb: e.DT === 1,
    passThrough: e.PT === 1,
    snoopControl: e.SC === 1,
    scalable: e.SMTS === 1,
    firstStage: e.SMTS === 1 && e.FSTS === 1,
    secondStage: e.SMTS === 0 || e.SSTS === 1,
    nested: e.NEST === 1,
    pasidBits: e.SMTS === 1 && e.PASID === 1 ? e.PSS + 1 : 0,
    ridPasid: e.RPS === 1,
    scalableWalkCoherent: e.SMPWC === 1,
    secondStageDirty: e.SSADS === 1,
    supervisorRequests: e.SRS === 1,
    executeRequests: e.ERS === 1,
    pageRequests: e.PRS === 1,
  }
}
