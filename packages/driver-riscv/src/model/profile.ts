// Profiles: what the modelled hardware offers, as the word of its capabilities register.
import { encode } from '@iommu/bits'
import { capability } from '../tables/index.js'
import type { DirectoryLevels, Levels } from '../tables/index.js'

/** A piece of hardware. Every member has a default; see `defaultProfile`. */
export interface Profile {
  /** Device contexts of 64 bytes (MSI_FLAT), else of 32. */
  readonly extended: boolean
  /** Levels of the deepest device directory that it takes. */
  readonly directoryLevels: DirectoryLevels
  readonly firstStage: readonly Levels[]
  readonly secondStage: readonly Levels[]
  /** Levels of process directories; none: no requests with PASID. */
  readonly processLevels: readonly DirectoryLevels[]
  /** Width of physical addresses. */
  readonly physicalBits: number
  readonly ats: boolean
  readonly guestAts: boolean
  /** Hardware may set A and D (AMO_HWAD). */
  readonly accessedDirty: boolean
  readonly memoryTypes: boolean
  readonly softwareBits: boolean
  readonly qualityOfService: boolean
  /** Invalidations by address may name ranges (S), and non-leaf entries (NL). */
  readonly ranges: boolean
  readonly nonLeaf: boolean
}

export const defaultProfile: Profile = {
  extended: true,
  directoryLevels: 3,
  firstStage: [3, 4, 5],
  secondStage: [3, 4, 5],
  processLevels: [1, 2, 3],
  physicalBits: 46,
  ats: true,
  guestAts: false,
  accessedDirty: false,
  memoryTypes: true,
  softwareBits: false,
  qualityOfService: false,
  ranges: false,
  nonLeaf: false,
}

const VERSION = 0x10
const WIRES = 1

const flag = (on: boolean): number => (on ? 1 : 0)

/** The capabilities register of a profile. */
export const capabilityWord = (profile: Profile): bigint => {
  const { firstStage, secondStage, processLevels } = profile
  return encode(capability, {
    version: VERSION,
    Sv39: flag(firstStage.includes(3)),
    Sv48: flag(firstStage.includes(4)),
    Sv57: flag(firstStage.includes(5)),
    Svrsw60t59b: flag(profile.softwareBits),
    Svpbmt: flag(profile.memoryTypes),
    Sv39x4: flag(secondStage.includes(3)),
    Sv48x4: flag(secondStage.includes(4)),
    Sv57x4: flag(secondStage.includes(5)),
    MSI_FLAT: flag(profile.extended),
    AMO_HWAD: flag(profile.accessedDirty),
    ATS: flag(profile.ats),
    T2GPA: flag(profile.guestAts),
    IGS: WIRES,
    PAS: profile.physicalBits,
    PD8: flag(processLevels.includes(1)),
    PD17: flag(processLevels.includes(2)),
    PD20: flag(processLevels.includes(3)),
    QOSID: flag(profile.qualityOfService),
    NL: flag(profile.nonLeaf),
    S: flag(profile.ranges),
  })[0] as bigint
}
