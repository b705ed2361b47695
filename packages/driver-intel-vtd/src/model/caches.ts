// The caches of the hardware: what each invalidation descriptor drops, and nothing more.
import { createEntryCache, createTranslationCache } from '@iommu/hardware'
import type { EntryCache, TranslationCache } from '@iommu/hardware'
import type { ContextCopy, PasidCopy } from './copies.js'
import type { Leaf, TablePointer } from './walks.js'

/** What a cached entry is found by: its source, its domain id, and its PASID where it has one. */
export interface Tag {
  readonly source: number
  readonly pasid: number
  readonly domainId: number
  /** A copy of an entry that was not present (caching mode): it has no domain id, and matches any. */
  readonly absent: boolean
}

/**
 * Second-stage translations are tagged by domain id; first-stage and pass-through ones by domain id and PASID.
 * `tables` are the paging-structure caches: index 0 holds pointers to level-1 tables.
 */
export interface Translations {
  readonly leaves: TranslationCache<Leaf>
  readonly tables: readonly TranslationCache<TablePointer>[]
}

export interface Caches {
  readonly contexts: EntryCache<Tag, ContextCopy>
  readonly pasids: EntryCache<Tag, PasidCopy>
  readonly secondStage: Translations
  readonly firstStage: Translations
  /** Per source: what its device TLB holds, by PASID (0: none). */
  readonly devices: Map<number, TranslationCache<Leaf>>
}

const PASIDS = 0x100000

/** The tag of a first-stage or pass-through translation. */
export const firstStageTag = (domainId: number, pasid: number): number => domainId * PASIDS + pasid
/** The key of a PASID entry's copy. */
export const pasidKey = (source: number, pasid: number): number => source * PASIDS + pasid

const createTranslations = (): Translations => ({
  leaves: createTranslationCache(),
  tables: Array.from({ length: 4 }, () => createTranslationCache()),
})

export const createCaches = (): Caches => ({
  contexts: createEntryCache(),
  pasids: createEntryCache(),
  secondStage: createTranslations(),
  firstStage: createTranslations(),
  devices: new Map(),
})

const all = (): boolean => true

/** Everything that SRTP drops where it invalidates by itself, or that a global invalidation of each kind drops. */
export const dropEverything = (caches: Caches): void => {
  caches.contexts.drop(all)
  caches.pasids.drop(all)
  dropTranslations(caches.secondStage, all)
  dropTranslations(caches.firstStage, all)
}

/** Drops leaves and paging structures under the tags that match. */
export const dropTranslations = ({ leaves, tables }: Translations, matches: (tag: number) => boolean): void => {
  leaves.dropTags(matches)
  for (const level of tables) level.dropTags(matches)
}

/** Drops a range; with the hint that only leaves changed the paging structures stay. */
export const dropPages = (
  { leaves, tables }: Translations, tag: number, first: number, last: number, leavesOnly: boolean,
): void => {
  const same = (each: number): boolean => each === tag
  leaves.dropRange(same, first, last)
  if (leavesOnly) return
  for (const level of tables) level.dropRange(same, first, last)
}
