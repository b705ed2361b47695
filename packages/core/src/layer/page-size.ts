// Chooses the pages of a map or unmap: the largest that alignment and length allow, and how many.

const sizesOf = new Map<bigint, readonly bigint[]>()

/** The sizes in a page size bitmap, the largest first. There are a handful of bitmaps in a process. */
export const pageSizesOf = (bitmap: bigint): readonly bigint[] => {
  const known = sizesOf.get(bitmap)
  if (known) return known
  const sizes: bigint[] = []
  for (let rest = bitmap; rest > 0n; rest &= rest - 1n) sizes.unshift(rest & -rest)
  sizesOf.set(bitmap, sizes)
  return sizes
}

export const smallestPage = (bitmap: bigint): bigint => bitmap & -bitmap

export interface PageRun {
  readonly pageSize: bigint
  readonly count: number
}

/**
 * The next run of pages for `size` bytes at `iova` and `physical` (for an unmap, `iova` twice). The count stops
 * where a larger page could begin, provided that both addresses reach the larger alignment together and that
 * enough is left to fill one. The caller has checked that all three are multiples of the smallest page
 * (Linux, `iommu_pgsize`).
 */
export const choosePages = (bitmap: bigint, iova: bigint, physical: bigint, size: bigint): PageRun => {
  const sizes = pageSizesOf(bitmap)
  const merged = iova | physical
  const chosen = sizes.findIndex((candidate) => candidate <= size && (merged & (candidate - 1n)) === 0n)
  const index = chosen < 0 ? sizes.length - 1 : chosen
  const pageSize = sizes[index] ?? 1n
  const larger = sizes[index - 1]
  let length = size
  if (larger !== undefined && ((iova ^ physical) & (larger - 1n)) === 0n) {
    const toLarger = larger - (iova & (larger - 1n))
    if (toLarger + larger <= size) length = toLarger
  }
  const count = Number(length / pageSize)
  return { pageSize, count: count > 0 ? count : 1 }
}
