// Unmap and its flush: what was removed, and when nothing remembers it any more.
import type { Domain } from '../contract/domain.js'
import { isPaging } from '../contract/domain.js'
import type { Gather } from '../contract/gather.js'
import { createGather, gatherAdd, gatherIsEmpty, gatherReset } from '../contract/gather.js'
import type { CoreContext } from './context.js'
import { choosePages, smallestPage } from './page-size.js'

/**
 * A driver may leave the gather alone; its sync is called all the same. Queued unmaps are flushed as a whole.
 */
export const ensureGathered = (gather: Gather, iova: bigint, unmapped: bigint, page: bigint): void => {
  if (unmapped > 0n && !gather.queued && gatherIsEmpty(gather)) gatherAdd(gather, iova, unmapped, page)
}

/**
 * Stops at the first hole. Bytes removed, which are more than `size` where the end lies in a larger leaf
 * (Linux, `iommu_unmap_fast`).
 */
export const unmapFast = (core: CoreContext, domain: Domain, iova: bigint, size: bigint, gather: Gather): bigint => {
  if (!isPaging(domain) || domain.pageSizes === 0n) {
    core.warn(`An unmap in a ${domain.kind} domain: it has no page tables of its own`)
    return 0n
  }
  const page = smallestPage(domain.pageSizes)
  if (!core.steps.isAligned(domain, iova, size)) {
    core.warn(`An unmap is not aligned to the smallest page: iova 0x${iova.toString(16)}, size 0x${size.toString(16)}`)
    return 0n
  }
  let unmapped = 0n
  while (unmapped < size) {
    const at = iova + unmapped
    const { pageSize, count } = choosePages(domain.pageSizes, at, at, size - unmapped)
    const bytes = domain.unmapPages(at, pageSize, count, gather)
    if (bytes <= 0n) break
    unmapped += bytes
  }
  core.steps.ensureGathered(gather, iova, unmapped, page)
  return unmapped
}

/** What the gather still owes. The driver frees the gathered table pages, when nothing can walk them any more. */
export const sync = (domain: Domain, gather: Gather): void => {
  if (isPaging(domain) && (!gatherIsEmpty(gather) || gather.freed.length > 0)) domain.iotlbSync?.(gather)
  gatherReset(gather)
}

export const unmap = (core: CoreContext, domain: Domain, iova: bigint, size: bigint): bigint => {
  const gather = createGather()
  const unmapped = core.steps.unmapFast(core, domain, iova, size, gather)
  core.steps.sync(domain, gather)
  return unmapped
}

/** Identity and blocked are answered here; only a paging domain has tables to look in (`iommu_iova_to_phys`). */
export const iovaToPhys = (domain: Domain, iova: bigint): bigint | undefined => {
  if (domain.kind === 'identity') return iova
  return isPaging(domain) ? domain.iovaToPhys(iova) : undefined
}
