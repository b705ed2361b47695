// What the identification registers say, in the words that driver and model decide by.
import { decode } from '@iommu/bits'
import { idr0, idr1, idr3, idr5 } from './registers.js'

/** log2 of a granule in bytes. */
export type GranuleShift = 12 | 14 | 16

/** The registers that say what an SMMU can do, 32 bits each. */
export interface IdentificationRegisters {
  readonly IDR0: number
  readonly IDR1: number
  readonly IDR3: number
  readonly IDR5: number
}

/** One SMMU's capabilities. Sizes and widths are in the units that their names say. */
export interface Capabilities {
  readonly stage1: boolean
  readonly stage2: boolean
  /** AArch64 tables, little-endian. */
  readonly aarch64: boolean
  readonly littleEndian: boolean
  /** Accesses of the SMMU to tables and queues snoop the CPU's caches. */
  readonly coherent: boolean
  /** What hardware does to access and dirty flags: 0 nothing, 1 access, 2 dirty too, 3 access of tables too. */
  readonly flagUpdates: 0 | 1 | 2 | 3
  readonly hypervisor: boolean
  readonly ats: boolean
  /** EATS may be 2. */
  readonly splitStageAts: boolean
  readonly pri: boolean
  readonly asidBits: 8 | 16
  readonly vmidBits: 8 | 16
  readonly twoLevelContexts: boolean
  readonly twoLevelStreams: boolean
  /** `optional`: faults stall where S asks for it; `never`, `always`: S must be 0, 1. */
  readonly stalls: 'optional' | 'never' | 'always'
  /** A fault that does not stall aborts; CD.A must be 1. */
  readonly abortOnly: boolean
  readonly streamBits: number
  /** Width of SSIDs in bits; 0: none. */
  readonly substreamBits: number
  /** log2 of the entries of the largest queues. */
  readonly commandQueue: number
  readonly eventQueue: number
  readonly pageRequestQueue: number
  /** SHCFG and its like are heeded. */
  readonly attributeOverride: boolean
  readonly presetTables: boolean
  readonly presetQueues: boolean
  readonly hierarchicalAttributesDisable: boolean
  readonly forceWriteBack: boolean
  readonly smallTables: boolean
  readonly rangeInvalidation: boolean
  /** 0: a mapping is broken before another is made; 2: need not be. */
  readonly breakBeforeMakeLevel: number
  readonly permissionTable: boolean
  /** Width of output addresses. */
  readonly outputBits: number
  /** Width of input addresses, per half of the address space. */
  readonly inputBits: 48 | 52
  /** Smallest first. */
  readonly granules: readonly GranuleShift[]
  readonly mostStalled: number
}

/** Output sizes by the value of OAS, IPS and S2PS. */
export const OUTPUT_SIZES = [32, 36, 40, 42, 44, 48, 52, 56] as const

/** The value of IPS and S2PS for an output size in bits: the largest that is not wider. */
export const outputSizeOf = (bits: number): number => OUTPUT_SIZES.findLastIndex((each) => each <= bits)

/** Values of TG0, S2TG by granule. */
export const GRANULE_CODES = { 12: 0, 14: 2, 16: 1 } as const satisfies Record<GranuleShift, number>

/** The granule that a value of TG0 or S2TG names, or undefined for the reserved value. */
export const granuleOf = (code: number): GranuleShift | undefined => ([12, 16, 14] as const)[code]

/** Reads the identification registers. */
export const readCapabilities = (registers: IdentificationRegisters): Capabilities => {
  const [a, b, c, d] = [decode(idr0, [BigInt(registers.IDR0 >>> 0)]), decode(idr1, [BigInt(registers.IDR1 >>> 0)]),
    decode(idr3, [BigInt(registers.IDR3 >>> 0)]), decode(idr5, [BigInt(registers.IDR5 >>> 0)])]
  const granules = ([[12, d.GRAN4K], [14, d.GRAN16K], [16, d.GRAN64K]] as const).flatMap(([shift, has]) => (has === 1 ? [shift] : []))
  return {
    stage1: a.S1P === 1,
    stage2: a.S2P === 1,
    aarch64: a.TTF >= 2,
    littleEndian: a.TTENDIAN !== 3,
    coherent: a.COHACC === 1,
    flagUpdates: a.HTTU as 0 | 1 | 2 | 3,
    hypervisor: a.HYP === 1,
    ats: a.ATS === 1,
    splitStageAts: a.ATS === 1 && a.NS1ATS === 0,
    pri: a.PRI === 1,
    asidBits: a.ASID16 === 1 ? 16 : 8,
    vmidBits: a.VMID16 === 1 ? 16 : 8,
    twoLevelContexts: a.CD2L === 1,
    twoLevelStreams: a.ST_LEVEL === 1,
    stalls: a.STALL_MODEL === 1 ? 'never' : a.STALL_MODEL === 2 ? 'always' : 'optional',
    abortOnly: a.TERM_MODEL === 1,
    streamBits: b.SIDSIZE,
    substreamBits: b.SSIDSIZE,
    commandQueue: b.CMDQS,
    eventQueue: b.EVENTQS,
    pageRequestQueue: b.PRIQS,
    attributeOverride: b.ATTR_TYPES_OVR === 1,
    presetTables: b.TABLES_PRESET === 1,
    presetQueues: b.QUEUES_PRESET === 1,
    hierarchicalAttributesDisable: c.HAD === 1,
    forceWriteBack: c.FWB === 1,
    smallTables: c.STT === 1,
    rangeInvalidation: c.RIL === 1,
    breakBeforeMakeLevel: c.BBML,
    permissionTable: c.DPT === 1,
    outputBits: OUTPUT_SIZES[d.OAS] as number,
    inputBits: d.VAX === 1 ? 52 : 48,
    granules,
    mostStalled: d.STALL_MAX,
  }
}
