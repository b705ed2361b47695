// Profiles: what the modelled hardware offers, as the words of its capability registers.
import { encode } from '@iommu/bits'
import { capabilityHeader, extendedFeatures } from '../tables/index.js'

/** A piece of hardware. Every member has a default; see `defaultProfile`. */
export interface Profile {
  /** Levels that host tables may have; 0: no host translation. */
  readonly hostLevels: 0 | 4 | 5 | 6
  /** GTSup: guest tables through GCR3 tables. */
  readonly guest: boolean
  /** GIOSup: requests without PASID may be those of PASID 0. */
  readonly guestIo: boolean
  readonly fiveLevelGuest: boolean
  readonly gcr3Levels: 1 | 2 | 3
  /** Width of PASIDs. */
  readonly pasidBits: number
  /** Width of physical addresses; firmware tells it to software, no register does. */
  readonly hostAddressBits: number
  readonly notPresentCache: boolean
  readonly deviceTlb: boolean
  readonly invalidateAll: boolean
  readonly noExecute: boolean
  /** HASup and HDSup: DTE.HAD is legal. */
  readonly hostDirty: boolean
}

export const defaultProfile: Profile = {
  hostLevels: 6,
  guest: true,
  guestIo: true,
  fiveLevelGuest: true,
  gcr3Levels: 3,
  pasidBits: 20,
  hostAddressBits: 48,
  notPresentCache: false,
  deviceTlb: true,
  invalidateAll: true,
  noExecute: true,
  hostDirty: true,
}

const flag = (on: boolean): number => (on ? 1 : 0)

const HATS: Readonly<Record<Profile['hostLevels'], number>> = { 4: 0, 5: 1, 6: 2, 0: 3 }

/** What the registers and the capability header of a profile say. */
export const capabilityWords = (profile: Profile): { readonly efr: bigint; readonly efr2: bigint; readonly header: number } => {
  const [efr] = encode(extendedFeatures, {
    NXSup: flag(profile.noExecute),
    GTSup: flag(profile.guest),
    IASup: flag(profile.invalidateAll),
    HATS: HATS[profile.hostLevels],
    GATS: flag(profile.fiveLevelGuest),
    GLXSup: profile.gcr3Levels - 1,
    PASMax: profile.guest ? profile.pasidBits - 1 : 0,
    GIOSup: flag(profile.guest && profile.guestIo),
    HASup: flag(profile.hostDirty),
    HDSup: flag(profile.hostDirty),
  })
  const [header] = encode(capabilityHeader, {
    CapId: 0x0f, CapType: 3, EFRSup: 1, NpCache: flag(profile.notPresentCache), IotlbSup: flag(profile.deviceTlb),
  })
  return { efr: efr as bigint, efr2: 0n, header: Number(header) }
}
