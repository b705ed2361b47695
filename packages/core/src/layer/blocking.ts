// Finds the domain in which a group's DMA faults: the driver's static one, or an empty paging domain.
import { IommuError } from '../errors.js'
import type { PagingDomain } from '../contract/domain.js'
import type { IommuOps, PagingRequest } from '../contract/driver.js'
import type { CoreContext } from './context.js'
import type { GroupState, MemberState } from './group.js'

/** On some hardware what an empty table does not map is let through: nothing there can stand in. */
export const standInBlocks = (ops: IommuOps): boolean => ops.manifest.standInBlocks

export const allocPaging = (core: CoreContext, member: MemberState, request: PagingRequest): PagingDomain => {
  const domain = core.ops.domainAllocPaging?.(member.device, request)
  if (!domain) throw new IommuError('EOPNOTSUPP', `${core.ops.manifest.name} has no paging domains`)
  return domain
}

/**
 * Resolved when first needed, then kept until the last device goes. EINVAL where nothing can block
 * (Linux, `__iommu_group_alloc_blocking_domain`).
 */
export const resolveBlocking = (core: CoreContext, group: GroupState): void => {
  if (group.blockingDomain) return
  if (core.ops.blockedDomain) {
    group.blockingDomain = core.ops.blockedDomain
    return
  }
  if (!core.steps.standInBlocks(core.ops)) {
    throw new IommuError('EINVAL', `${core.ops.manifest.name} has no blocked domain, and an empty one would not block`)
  }
  const [first] = group.members
  if (first) group.blockingDomain = allocPaging(core, first, {})
}
