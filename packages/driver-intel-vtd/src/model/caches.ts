// The caches of the hardware: what each invalidation descriptor drops, and nothing more.
import { createEntryCache, forgetInDevice } from '@iommu/hardware'
import type { DeviceTlbs, EntryCache, Names } from '@iommu/hardware'
import { createTranslations, forgetPages } from '@iommu/page-table'
import type { Translations } from '@iommu/page-table'
import type { ContextCopy, PasidCopy } from './copies.js'
import type { Leaf } from './walks.js'

/** What a cached entry is found by: its source, its domain id, and its PASID where it has one. */
export interface Tag {
  readonly source: number
  readonly pasid: number
  readonly domainId: number
  /** A copy of an entry that was not present (caching mode): it has no domain id, and matches any. */
  readonly absent: boolean
}

/** Second-stage translations are tagged by domain id; first-stage and pass-through ones by domain id and PASID. */
export interface Caches {
  readonly contexts: EntryCache<Tag, ContextCopy>
  readonly pasids: EntryCache<Tag, PasidCopy>
  readonly secondStage: Translations<Leaf>
  readonly firstStage: Translations<Leaf>
  /** Per source: what its device TLB holds, by PASID (0: none). */
  readonly devices: DeviceTlbs
}

const PASIDS = 0x100000
const MOST_LEVELS = 5

/** The tag of a first-stage or pass-through translation. */
export const firstStageTag = (domainId: number, pasid: number): number => domainId * PASIDS + pasid
/** The key of a PASID entry's copy. */
export const pasidKey = (source: number, pasid: number): number => source * PASIDS + pasid

/** `iotlb`: whether translations are kept. */
export const createCaches = (iotlb = true): Caches => ({
  contexts: createEntryCache(),
  pasids: createEntryCache(),
  secondStage: createTranslations(MOST_LEVELS, iotlb),
  firstStage: createTranslations(MOST_LEVELS, iotlb),
  devices: new Map(),
})

/** Drops what an invalidation names, and nothing more. */
export const forget = (caches: Caches, { entry, pages, device }: Names): void => {
  if (entry !== undefined) {
    caches.contexts.drop(({ domainId, ...tag }) => entry({ ...tag, cache: 'context', domain: domainId }))
    caches.pasids.drop(({ domainId, ...tag }) => entry({ ...tag, cache: 'pasid', domain: domainId }))
  }
  if (pages !== undefined) {
    forgetPages(caches.secondStage, (tag) => pages.under({ space: 'second', domain: tag, pasid: 0 }), pages)
    forgetPages(caches.firstStage, (tag) =>
      pages.under({ space: 'first', domain: Math.floor(tag / PASIDS), pasid: tag % PASIDS }), pages)
  }
  if (device !== undefined) forgetInDevice(caches.devices, device)
}
