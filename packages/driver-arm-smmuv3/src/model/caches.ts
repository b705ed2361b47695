// The caches of the hardware: what each invalidation command drops, and nothing more.
import { createEntryCache } from '@iommu/hardware'
import type { DeviceTlbs, EntryCache } from '@iommu/hardware'
import { createTranslations } from '@iommu/page-table'
import type { Translations } from '@iommu/page-table'
import type { Below, ContextCopy, Stopped, StreamCopy } from './copies.js'
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
export const vmidOf = (tag: number): number => Math.floor(tag / IDS)
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

/** Drops the copies of streams in a range, and of everything reached through them. Level 1 stays where only leaves changed. */
export const dropStreams = (caches: Caches, first: number, last: number, leafOnly: boolean): void => {
  const inside = ({ source, span }: Place): boolean => source <= last && source + span > first
  const stream = ({ source }: Place): boolean => source >= first && source <= last
  caches.streams.drop(inside)
  caches.levelOneContexts.drop(stream)
  caches.contexts.drop(stream)
  if (!leafOnly) caches.levelOneStreams.drop(inside)
}

/** Drops the copies of one context of a stream, or of all. */
export const dropContexts = (caches: Caches, source: number, pasid: number | 'all', leafOnly: boolean): void => {
  const matches = (place: Place): boolean => place.source === source
    && (pasid === 'all' || (place.pasid <= pasid && place.pasid + place.span > pasid))
  caches.contexts.drop(matches)
  if (!leafOnly) caches.levelOneContexts.drop(matches)
}
