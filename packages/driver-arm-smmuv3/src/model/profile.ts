// Profiles: what the modelled hardware offers, as the words of its identification registers.
import { encode } from '@iommu/bits'
import type { Entry, Fields, Values } from '@iommu/bits'
import { idr0, idr1, idr3, idr5, outputSizeOf } from '../tables/index.js'
import type { GranuleShift, IdentificationRegisters } from '../tables/index.js'

/** A piece of hardware. Every member has a default; see `defaultProfile`. */
export interface Profile {
  readonly stage1: boolean
  readonly stage2: boolean
  readonly coherent: boolean
  readonly streamBits: number
  readonly twoLevelStreams: boolean
  /** 0: no SSIDs. */
  readonly substreamBits: number
  readonly twoLevelContexts: boolean
  readonly granules: readonly GranuleShift[]
  /** Width of output addresses. */
  readonly outputBits: 32 | 36 | 40 | 42 | 44 | 48
  readonly rangeInvalidation: boolean
  readonly breakBeforeMakeLevel: 0 | 1 | 2
  readonly ats: boolean
  readonly wideAsids: boolean
  readonly wideVmids: boolean
  readonly attributeOverride: boolean
  readonly stalls: 'optional' | 'never' | 'always'
  readonly abortOnly: boolean
  /** log2 of the entries of the largest queues. */
  readonly commandQueue: number
  readonly eventQueue: number
}

export const defaultProfile: Profile = {
  stage1: true,
  stage2: true,
  coherent: true,
  streamBits: 16,
  twoLevelStreams: true,
  substreamBits: 20,
  twoLevelContexts: true,
  granules: [12, 14, 16],
  outputBits: 44,
  rangeInvalidation: true,
  breakBeforeMakeLevel: 2,
  ats: true,
  wideAsids: true,
  wideVmids: true,
  attributeOverride: true,
  stalls: 'never',
  abortOnly: true,
  commandQueue: 19,
  eventQueue: 19,
}

const AARCH64 = 2
const LITTLE_ENDIAN = 2
const STALL_MODELS = { optional: 0, never: 1, always: 2 } as const

const flag = (on: boolean): number => (on ? 1 : 0)
const register = <F extends Fields>(layout: Entry<F>, values: Partial<Values<F>>): number => Number(encode(layout, values)[0])

/** The identification registers of a profile. */
export const identificationWords = (profile: Profile): IdentificationRegisters => ({
  IDR0: register(idr0, {
    S2P: flag(profile.stage2), S1P: flag(profile.stage1), TTF: AARCH64, COHACC: flag(profile.coherent), ATS: flag(profile.ats),
    ASID16: flag(profile.wideAsids), VMID16: flag(profile.wideVmids), CD2L: flag(profile.twoLevelContexts), TTENDIAN: LITTLE_ENDIAN,
    STALL_MODEL: STALL_MODELS[profile.stalls], TERM_MODEL: flag(profile.abortOnly), ST_LEVEL: flag(profile.twoLevelStreams),
  }),
  IDR1: register(idr1, {
    SIDSIZE: profile.streamBits, SSIDSIZE: profile.substreamBits, CMDQS: profile.commandQueue, EVENTQS: profile.eventQueue,
    ATTR_TYPES_OVR: flag(profile.attributeOverride),
  }),
  IDR3: register(idr3, { RIL: flag(profile.rangeInvalidation), BBML: profile.breakBeforeMakeLevel }),
  IDR5: register(idr5, {
    OAS: outputSizeOf(profile.outputBits), GRAN4K: flag(profile.granules.includes(12)), GRAN16K: flag(profile.granules.includes(14)),
    GRAN64K: flag(profile.granules.includes(16)),
  }),
})
