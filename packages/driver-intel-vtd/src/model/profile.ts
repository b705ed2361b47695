// Profiles: what the modelled hardware offers, as the words of its capability registers.
import { encode } from '@iommu/bits'
import { addressWidthOf, capability, extendedCapability } from '../tables/index.js'
import type { Levels } from '../tables/index.js'

/** A piece of hardware. Every member has a default; see `defaultProfile`. */
export interface Profile {
  readonly scalable: boolean
  readonly firstStage: boolean
  readonly secondStage: boolean
  readonly passThrough: boolean
  /** 0: requests with PASID are not supported. */
  readonly pasidBits: number
  readonly levels: readonly Levels[]
  readonly fiveLevelFirstStage: boolean
  readonly guestAddressBits: number
  /** Width of physical addresses; firmware tells it to software, no register does. */
  readonly hostAddressBits: number
  readonly largePages: boolean
  readonly hugePages: boolean
  readonly pageSelective: boolean
  readonly cachingMode: boolean
  readonly coherent: boolean
  readonly writeBufferFlush: boolean
  readonly snoopControl: boolean
  readonly deviceTlb: boolean
  /** ND: 2^(4+2*ND) domain ids. */
  readonly domainIdClass: number
  readonly faultRecords: number
  readonly rootPointerInvalidates: boolean
}

export const defaultProfile: Profile = {
  scalable: true,
  firstStage: true,
  secondStage: true,
  passThrough: true,
  pasidBits: 20,
  levels: [3, 4, 5],
  fiveLevelFirstStage: true,
  guestAddressBits: 57,
  hostAddressBits: 46,
  largePages: true,
  hugePages: true,
  pageSelective: true,
  cachingMode: false,
  coherent: true,
  writeBufferFlush: false,
  snoopControl: true,
  deviceTlb: true,
  domainIdClass: 6,
  faultRecords: 4,
  rootPointerInvalidates: false,
}

/** Where the model puts its fault recording and IOTLB registers, in bytes / 16. */
const FAULT_OFFSET = 0x40
const IOTLB_OFFSET = 0x50

const flag = (on: boolean): number => (on ? 1 : 0)

/** CAP and ECAP of a profile. */
export const capabilityWords = (profile: Profile): { readonly cap: bigint; readonly ecap: bigint } => {
  const sm = profile.scalable
  const [cap] = encode(capability, {
    ND: profile.domainIdClass,
    RWBF: flag(profile.writeBufferFlush),
    CM: flag(profile.cachingMode),
    SAGAW: profile.levels.reduce((bits, levels) => bits | (1 << addressWidthOf(levels)), 0),
    MGAW: profile.guestAddressBits - 1,
    FRO: FAULT_OFFSET,
    SSLPS: flag(profile.largePages) | (flag(profile.hugePages) << 1),
    PSI: flag(profile.pageSelective),
    NFR: profile.faultRecords - 1,
    MAMV: 18,
    DWD: 1,
    DRD: 1,
    FS1GP: flag(profile.hugePages),
    FS5LP: flag(profile.fiveLevelFirstStage),
    ESRTPS: flag(profile.rootPointerInvalidates),
  })
  const [ecap] = encode(extendedCapability, {
    C: flag(profile.coherent),
    QI: 1,
    DT: flag(profile.deviceTlb),
    PT: flag(profile.passThrough),
    SC: flag(profile.snoopControl),
    IRO: IOTLB_OFFSET,
    SMTS: flag(sm),
    FSTS: flag(sm && profile.firstStage),
    SSTS: flag(sm && profile.secondStage),
    PASID: flag(sm && profile.pasidBits > 0),
    PSS: sm && profile.pasidBits > 0 ? profile.pasidBits - 1 : 0,
    SMPWC: flag(sm && profile.coherent),
  })
  return { cap: cap as bigint, ecap: ecap as bigint }
}
