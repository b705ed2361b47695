// The caches of the hardware: what each invalidation command drops, and nothing more.
import { createEntryCache, forgetInDevice } from '@iommu/hardware'
import type { DeviceTlbs, EntryCache } from '@iommu/hardware'
import { createTranslations, forgetPages } from '@iommu/page-table'
import type { Translations } from '@iommu/page-table'
import type { Below, ContextCopy, Stopped, StreamCopy } from './copies.js'
import { SPACES } from './drops.js'
import type { CachedEntry, SmmuNames } from './drops.js'
import type { Leaf } from './walks.js'

/** What a cached entry is found by. Entries of level 1 stand for several streams or contexts, from the one named on. */
export interface Place {
  readonly source: number
  /** 0 in streams. */
  readonly pasid: number
  /** How many streams, or contexts, it stands for. */
  readonly span: number
}

/** A copy, with what was read: invalid entries are kept like any other (IHI0070 3.21.3). */
export interface Copied<T> {
  readonly value: T | Stopped
  /** Address and words, so that a copy can be compared with memory. */
  readonly read: readonly bigint[]
}

export type Entries<T> = EntryCache<Place, Copied<T>>

export interface Caches {
  readonly levelOneStreams: Entries<Below>
  readonly streams: Entries<StreamCopy>
  readonly levelOneContexts: Entries<Below>
  readonly contexts: Entries<ContextCopy>
  /** Tagged by VMID and ASID. */
  readonly stage1: Translations<Leaf>
  /** Tagged by VMID. */
  readonly stage2: Translations<Leaf>
  /** Per source: what its own TLB holds, by PASID (0: none). */
  readonly devices: DeviceTlbs
}

const IDS = 0x1_0000
const PASIDS = 0x10_0000

/** The tag of a stage 1 translation. */
export const stage1Tag = (vmid: number, asid: number): number => vmid * IDS + asid
/** The key of a context's copy. */
export const contextKey = (source: number, pasid: number): number => source * PASIDS + pasid

/** Levels of the deepest tables. */
const LEVELS = 4

/** `iotlb`: whether translations are kept. */
export const createCaches = (iotlb = true): Caches => ({
  levelOneStreams: createEntryCache(),
  streams: createEntryCache(),
  levelOneContexts: createEntryCache(),
  contexts: createEntryCache(),
  stage1: createTranslations(LEVELS, iotlb),
  stage2: createTranslations(LEVELS, iotlb),
  devices: new Map(),
})

/** Drops what an invalidation names, and nothing more. */
export const forget = (caches: Caches, { entry, pages, device }: SmmuNames): void => {
  if (entry !== undefined) {
    const drop = <T>(cache: CachedEntry, entries: Entries<T>): number => entries.drop((place) => entry({ cache, ...place, domain: 0, absent: false }))
    drop('l1std', caches.levelOneStreams)
    drop('ste', caches.streams)
    drop('l1cd', caches.levelOneContexts)
    drop('cd', caches.contexts)
  }
  if (pages !== undefined) {
    forgetPages(caches.stage1, (tag) => pages.under({ space: SPACES.stage1, domain: tag % IDS, pasid: Math.floor(tag / IDS) }), pages)
    forgetPages(caches.stage2, (vmid) => pages.under({ space: SPACES.stage2, domain: vmid, pasid: 0 }), pages)
  }
  if (device !== undefined) forgetInDevice(caches.devices, device)
}
