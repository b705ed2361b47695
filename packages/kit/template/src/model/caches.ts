// The caches of the hardware: what it has read stays until a command names it.
import { createEntryCache } from '@iommu/hardware'
import type { EntryCache } from '@iommu/hardware'
import type { DeviceCopy } from './copies.js'

export interface Caches {
  /** Device entries, by source. */
  readonly devices: EntryCache<{ readonly source: number }, DeviceCopy>
}

export const createCaches = (): Caches => ({ devices: createEntryCache() })
