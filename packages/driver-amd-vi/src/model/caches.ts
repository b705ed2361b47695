// The caches of the hardware: what each invalidation command drops, and nothing more.
import { createEntryCache, forgetInDevice } from '@iommu/hardware'
import type { DeviceTlbs, EntryCache, Names } from '@iommu/hardware'
import { createTranslations, forgetPages } from '@iommu/page-table'
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
  readonly devices: DeviceTlbs
}

const PASIDS = 0x100000
const MOST_LEVELS = 6

/** The tag of a guest translation, and the key of a GCR3 entry's copy. */
export const guestTag = (domainId: number, pasid: number): number => domainId * PASIDS + pasid

/** `iotlb`: whether translations are kept. */
export const createCaches = (iotlb = true): Caches => ({
  entries: createEntryCache(),
  gcr3: createEntryCache(),
  host: createTranslations(MOST_LEVELS, iotlb),
  guest: createTranslations(MOST_LEVELS, iotlb),
  devices: new Map(),
})

/** Drops what an invalidation names, and nothing more. Device entries have no tag but their source. */
export const forget = ({ entries, gcr3, host, guest, devices }: Caches, { entry, pages, device }: Names): void => {
  if (entry !== undefined) entries.drop((_tag, source) => entry({ cache: 'device', source, pasid: 0, domain: 0, absent: false }))
  if (pages !== undefined) {
    forgetPages(host, (tag) => pages.under({ space: 'host', domain: tag, pasid: 0 }), pages)
    const { leavesOnly = false } = pages
    const isGuest = (domain: number, pasid: number): boolean => pages.under({ space: 'guest', domain, pasid })
    forgetPages(guest, (tag) => isGuest(Math.floor(tag / PASIDS), tag % PASIDS), pages)
    // The way to the root counts as a structure: it goes with PDE. No manual at hand says so, Linux always sets it there.
    if (!leavesOnly) gcr3.drop(({ domainId, pasid }) => isGuest(domainId, pasid))
  }
  if (device !== undefined) forgetInDevice(devices, device)
}
