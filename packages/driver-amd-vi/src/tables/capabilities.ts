// What EFR and the capability header say, in the words that driver and model decide by.
import { decode } from '@iommu/bits'
import { capabilityHeader, extendedFeatures } from './registers.js'

export type HostLevels = 1 | 2 | 3 | 4 | 5 | 6
export type GuestLevels = 4 | 5

/** One IOMMU's capabilities. */
export interface Capabilities {
  /** Levels that host (v1) tables may have; 0: no host translation. */
  readonly hostLevels: 0 | 4 | 5 | 6
  /** GV is legal: GCR3 tables and guest (v2) tables. */
  readonly guest: boolean
  readonly guestLevels: readonly GuestLevels[]
  /** Levels that GCR3 tables may have, at the most. */
  readonly gcr3Levels: 1 | 2 | 3
  /** Width of PASIDs in bits; 0: none. */
  readonly pasidBits: number
  /** GIoV is legal: requests without PASID may go through GCR3[0]. */
  readonly guestIo: boolean
  /** Entries that are not present may be cached. */
  readonly notPresentCache: boolean
  readonly deviceTlb: boolean
  readonly invalidateAll: boolean
  readonly noExecute: boolean
  readonly hostAccess: boolean
  readonly hostDirty: boolean
}

/** Bits that a host table of so many levels translates; 6 levels stand for all 64. */
export const widthOfMode = (levels: number): number => Math.min(64, 12 + 9 * levels)

/** PASIDs that a GCR3 table of so many levels has entries for, as bits. */
export const pasidBitsOfLevels = (levels: number): number => 9 * levels

const GUEST_LEVELS: Readonly<Record<number, readonly GuestLevels[]>> = { 0: [4], 1: [4, 5] }
const HOST_LEVELS: Readonly<Record<number, 0 | 4 | 5 | 6>> = { 0: 4, 1: 5, 2: 6, 3: 0 }

/** Reads the extended feature register and the capability header of PCI configuration space. */
export const readCapabilities = (efr: bigint, header: number): Capabilities => {
  const f = decode(extendedFeatures, [efr])
  const h = decode(capabilityHeader, [BigInt(header)])
  const guest = f.GTSup === 1
  return {
    hostLevels: HOST_LEVELS[f.HATS] as 0 | 4 | 5 | 6,
    guest,
    // Values above 1 mean nothing that is known here: 4 levels are what every guest table has.
    guestLevels: guest ? GUEST_LEVELS[f.GATS] ?? [4] : [],
    gcr3Levels: Math.min(f.GLXSup + 1, 3) as 1 | 2 | 3,
    pasidBits: guest ? f.PASMax + 1 : 0,
    guestIo: guest && f.GIOSup === 1,
    notPresentCache: h.NpCache === 1,
    deviceTlb: h.IotlbSup === 1,
    invalidateAll: f.IASup === 1,
    noExecute: f.NXSup === 1,
    hostAccess: f.HASup === 1,
    hostDirty: f.HDSup === 1,
  }
}
