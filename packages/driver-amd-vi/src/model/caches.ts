// The caches of the hardware: what each invalidation command drops, and nothing more.
import { createEntryCache } from '@iommu/hardware'
import type { EntryCache, TranslationCache } from '@iommu/hardware'
import { createTranslations, dropTranslations } from '@iommu/page-table'
import type { Translations } from '@iommu/page-table'
import type { DeviceEntry, Gcr3Copy } from './copies.js'
import type { Leaf } from './walks.js'

/** What a copy of a GCR3 entry is found by. */
export interface Gcr3Tag {
  readonly domainId: number
  readonly pasid: number
}

/** Host translations are tagged by domain id; guest ones by domain id and PASID. */
export interface Caches {
  /** Device table entries by device id; whatever they say, they are kept. */
  readonly entries: EntryCache<undefined, DeviceEntry>
  readonly gcr3: EntryCache<Gcr3Tag, Gcr3Copy>
  readonly host: Translations<Leaf>
  readonly guest: Translations<Leaf>
  /** Per source: what its device TLB holds, by PASID (0: none). */
  readonly devices: Map<number, TranslationCache<Leaf>>
}

const PASIDS = 0x100000
const MOST_LEVELS = 6

/** The tag of a guest translation, and the key of a GCR3 entry's copy. */
export const guestTag = (domainId: number, pasid: number): number => domainId * PASIDS + pasid

export const createCaches = (): Caches => ({
  entries: createEntryCache(),
  gcr3: createEntryCache(),
  host: createTranslations(MOST_LEVELS),
  guest: createTranslations(MOST_LEVELS),
  devices: new Map(),
})

const all = (): boolean => true

/** INVALIDATE_IOMMU_ALL. Device TLBs are not the unit's. */
export const dropEverything = (caches: Caches): void => {
  caches.entries.drop(all)
  caches.gcr3.drop(all)
  dropTranslations(caches.host, all)
  dropTranslations(caches.guest, all)
}
