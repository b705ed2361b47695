// The caches of the hardware: what each invalidation command drops, and nothing more.
import { createEntryCache, createTranslationCache } from '@iommu/hardware'
import type { EntryCache, TranslationCache } from '@iommu/hardware'
import type { DeviceEntry, Gcr3Copy } from './copies.js'
import type { Leaf, TablePointer } from './walks.js'

/** What a copy of a GCR3 entry is found by. */
export interface Gcr3Tag {
  readonly domainId: number
  readonly pasid: number
}

/**
 * Host translations are tagged by domain id; guest ones by domain id and PASID. `tables` are the paging-structure
 * caches: index 0 holds pointers to level-1 tables.
 */
export interface Translations {
  readonly leaves: TranslationCache<Leaf>
  readonly tables: readonly TranslationCache<TablePointer>[]
}

export interface Caches {
  /** Device table entries by device id; whatever they say, they are kept. */
  readonly entries: EntryCache<undefined, DeviceEntry>
  readonly gcr3: EntryCache<Gcr3Tag, Gcr3Copy>
  readonly host: Translations
  readonly guest: Translations
  /** Per source: what its device TLB holds, by PASID (0: none). */
  readonly devices: Map<number, TranslationCache<Leaf>>
}

const PASIDS = 0x100000
const MOST_LEVELS = 6

/** The tag of a guest translation, and the key of a GCR3 entry's copy. */
export const guestTag = (domainId: number, pasid: number): number => domainId * PASIDS + pasid

const createTranslations = (): Translations => ({
  leaves: createTranslationCache(),
  tables: Array.from({ length: MOST_LEVELS }, () => createTranslationCache()),
})

export const createCaches = (): Caches => ({
  entries: createEntryCache(),
  gcr3: createEntryCache(),
  host: createTranslations(),
  guest: createTranslations(),
  devices: new Map(),
})

const all = (): boolean => true

/** INVALIDATE_IOMMU_ALL. Device TLBs are not the unit's. */
export const dropEverything = (caches: Caches): void => {
  caches.entries.drop(all)
  caches.gcr3.drop(all)
  for (const { leaves, tables } of [caches.host, caches.guest]) {
    leaves.dropTags(all)
    for (const level of tables) level.dropTags(all)
  }
}

/** Drops a range under a tag; without `structures` the paging-structure caches stay. */
export const dropPages = ({ leaves, tables }: Translations, tag: number, first: number, last: number, structures: boolean): void => {
  const same = (each: number): boolean => each === tag
  leaves.dropRange(same, first, last)
  if (!structures) return
  for (const level of tables) level.dropRange(same, first, last)
}
