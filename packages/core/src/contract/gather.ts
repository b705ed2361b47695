// A gather: what has been unmapped and may still be cached, until a sync.

/** Collects one contiguous range of unmapped addresses and the table pages to free after the flush. */
export interface Gather {
  /** First byte; greater than `end` while nothing has been gathered. */
  start: bigint
  /** Last byte, inclusive. */
  end: bigint
  /** Page size of what was gathered; a driver may sync early when it changes. 0 while empty. */
  pageSize: bigint
  /** Physical addresses of table pages that nothing points to any more; freed by the sync, never before. */
  readonly freed: bigint[]
  /** A flush of everything comes later (flush queue): ranges need no work of their own now. */
  readonly queued: boolean
}

const EMPTY_START = (1n << 64n) - 1n

/** An empty gather (Linux, `iommu_iotlb_gather_init`). */
export const createGather = (queued = false): Gather => ({
  start: EMPTY_START,
  end: 0n,
  pageSize: 0n,
  freed: [],
  queued,
})

export const gatherIsEmpty = (gather: Gather): boolean => gather.start > gather.end

/** Adds `size` bytes at `iova` to the gather, widening its range. */
export const gatherAdd = (gather: Gather, iova: bigint, size: bigint, pageSize: bigint): void => {
  const end = iova + size - 1n
  if (iova < gather.start) gather.start = iova
  if (end > gather.end) gather.end = end
  if (gather.pageSize === 0n || pageSize < gather.pageSize) gather.pageSize = pageSize
}

/** Forgets the range. The table pages are the caller's. */
export const gatherReset = (gather: Gather): void => {
  gather.start = EMPTY_START
  gather.end = 0n
  gather.pageSize = 0n
  gather.freed.length = 0
}
