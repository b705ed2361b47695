// The caches of the hardware: what each command drops, and nothing more. Nothing that is not valid is ever in them.
import { createEntryCache, forgetInDevice } from '@iommu/hardware'
import type { DeviceTlbs, EntryCache, Names, TranslationTag } from '@iommu/hardware'
import { createTranslations, dropTranslations, forgetPages } from '@iommu/page-table'
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
const guestOfTag = (tag: number): number | undefined => (tag < IDS ? undefined : Math.floor(tag / IDS) - 1)
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

/** Identifiers of the two stages are numbered apart: a GSCID as a domain is above all PSCIDs. */
export const domainOfGscid = (gscid: number): number => IDS + gscid

const secondStageNamed = (gscid: number): TranslationTag => ({ space: 'second', domain: domainOfGscid(gscid), pasid: 0 })

/** The host's own first stages, and those of a guest, which have its GSCID in the place of the PASID. */
const firstStageNamed = (tag: number): TranslationTag => {
  const guest = guestOfTag(tag)
  return guest === undefined ? { space: 'first', domain: tag, pasid: 0 } : { space: 'guest', domain: tag % IDS, pasid: guest }
}

/** Drops what an invalidation names, and nothing more. */
export const forget = ({ devices, processes, firstStage, secondStage, deviceTlbs }: Caches, { entry, pages, device }: Names): void => {
  if (entry !== undefined) {
    devices.drop((tag) => entry({ ...tag, cache: 'device', domain: 0, absent: false }))
    processes.drop((tag) => entry({ ...tag, cache: 'process', domain: 0, absent: false }))
  }
  if (pages !== undefined) {
    forgetPages(firstStage, (tag) => pages.under(firstStageNamed(tag)), pages)
    forgetPages(secondStage, (gscid) => pages.under(secondStageNamed(gscid)), pages)
    // What a first stage under it led to may have been read through it.
    dropTranslations(firstStage, (tag) => {
      const guest = guestOfTag(tag)
      return guest !== undefined && pages.under(secondStageNamed(guest))
    })
  }
  if (device !== undefined) forgetInDevice(deviceTlbs, device)
}
