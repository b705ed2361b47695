// The caches of the hardware, and how they are emptied. Nothing that is not valid is ever in them.
import { createEntryCache } from '@iommu/hardware'
import type { DeviceTlbs, EntryCache } from '@iommu/hardware'
import { createTranslations } from '@iommu/page-table'
import type { Translations } from '@iommu/page-table'
import type { DeviceContext, ProcessContext } from './copies.js'
import type { Leaf } from './walks.js'

/** What a cached context is found by. */
export interface ContextTag {
  readonly source: number
  /** 0 for a device context. */
  readonly pasid: number
}

export interface Caches {
  /** Device contexts, by source. */
  readonly devices: EntryCache<ContextTag, DeviceContext>
  /** Process contexts, by source and PASID. */
  readonly processes: EntryCache<ContextTag, ProcessContext>
  /** First stage: tagged by PSCID for the host's own, by GSCID and PSCID under a second stage. */
  readonly firstStage: Translations<Leaf>
  /** Second stage: tagged by GSCID. */
  readonly secondStage: Translations<Leaf>
  /** Per source: what its own TLB holds, by PASID (0: none). */
  readonly deviceTlbs: DeviceTlbs
}

/** Sv57. */
const MOST_LEVELS = 5
const IDS = 0x10_0000

/** The tag of a first-stage translation; `gscid` undefined: the host's own. No tag holds the device. */
export const firstStageTag = (gscid: number | undefined, pscid: number): number => (gscid === undefined ? 0 : gscid + 1) * IDS + pscid
/** Whose first-stage tag it is: a GSCID, or undefined for the host's own. */
export const guestOfTag = (tag: number): number | undefined => (tag < IDS ? undefined : Math.floor(tag / IDS) - 1)
export const pscidOfTag = (tag: number): number => tag % IDS
/** The key of a process context's copy. */
export const processKey = (source: number, pasid: number): number => source * IDS + pasid

/** `iotlb`: whether translations are kept. */
export const createCaches = (iotlb = true): Caches => ({
  devices: createEntryCache(),
  processes: createEntryCache(),
  firstStage: createTranslations(MOST_LEVELS, iotlb),
  secondStage: createTranslations(MOST_LEVELS, iotlb),
  deviceTlbs: new Map(),
})
