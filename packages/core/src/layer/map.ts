// Map: splits a range into pages, and leaves nothing behind where a part of it fails.
import { IommuError } from '../errors.js'
import type { Access } from '../contract/device.js'
import type { Domain, PagingDomain } from '../contract/domain.js'
import { isPaging } from '../contract/domain.js'
import type { CoreContext } from './context.js'
import { choosePages, smallestPage } from './page-size.js'
import { attempt } from './refusal.js'

const LAST_ADDRESS = (1n << 64n) - 1n

/** Everything is a multiple of the smallest page. */
export const isAligned = (domain: PagingDomain, ...values: readonly bigint[]): boolean => {
  const below = smallestPage(domain.pageSizes) - 1n
  return values.every((value) => value >= 0n && (value & below) === 0n)
}

const requireMappable = (core: CoreContext, domain: Domain): PagingDomain => {
  if (isPaging(domain) && domain.pageSizes !== 0n) return domain
  core.warn(`A map in a ${domain.kind} domain: it has no page tables of its own`)
  throw new IommuError('EINVAL', `a ${domain.kind} domain cannot be mapped in`)
}

/** Takes back exactly what the driver said that it had mapped: what lies behind may be someone else's. */
export const unwindMap = (
  core: CoreContext, domain: PagingDomain, iova: bigint, mapped: bigint, _requested: bigint,
): void => {
  if (mapped > 0n) core.steps.unmap(core, domain, iova, mapped)
}

/** The driver's answer to one run of pages; a driver that throws has mapped nothing of it. */
const mapRun = (
  domain: PagingDomain, iova: bigint, physical: bigint, size: bigint, access: Access,
): { readonly mapped: bigint; readonly error?: Error | undefined } => {
  const { pageSize, count } = choosePages(domain.pageSizes, iova, physical, size)
  let mapped = 0n
  let error: Error | undefined
  const thrown = attempt(() => { ({ mapped, error } = domain.mapPages(iova, physical, pageSize, count, access)) })
  if (thrown) return { mapped: 0n, error: thrown }
  if (mapped > 0n || error) return { mapped, error }
  return { mapped, error: new IommuError('EIO', 'the driver mapped nothing, and did not say why', { iova, pageSize }) }
}

/** Maps without a sync (Linux, `iommu_map_nosync`). */
const mapPages = (
  core: CoreContext, domain: PagingDomain, iova: bigint, physical: bigint, size: bigint, access: Access,
): void => {
  let done = 0n
  while (done < size) {
    const { mapped, error } = mapRun(domain, iova + done, physical + done, size - done, access)
    done += mapped
    if (!error) continue
    const failed = attempt(() => core.steps.unwindMap(core, domain, iova, done, size))
    if (failed) core.warn(`A failed map could not be taken back: ${failed.message}`)
    throw error
  }
}

/** One sync for the whole range. A mapping that not everyone can be told of is none. */
export const syncMap = (core: CoreContext, domain: PagingDomain, iova: bigint, size: bigint): void => {
  const refused = attempt(() => domain.iotlbSyncMap?.(iova, size))
  if (!refused) return
  core.steps.unwindMap(core, domain, iova, size, size)
  throw refused
}

/** A range of no bytes is no call at all, as in Linux (`iommu_map`). */
export const map = (
  core: CoreContext, target: Domain, iova: bigint, physical: bigint, size: bigint, access: Access,
): void => {
  const domain = requireMappable(core, target)
  if (!core.steps.isAligned(domain, iova, physical, size)) {
    throw new IommuError('EINVAL', 'a map must be aligned to the smallest page', {
      iova, physical, size, page: smallestPage(domain.pageSizes),
    })
  }
  if (size === 0n) return
  if (iova + size - 1n > LAST_ADDRESS || physical + size - 1n > LAST_ADDRESS) {
    throw new IommuError('EOVERFLOW', 'the range runs beyond the last address', { iova, physical, size })
  }
  mapPages(core, domain, iova, physical, size, access)
  core.steps.syncMap(core, domain, iova, size)
}
