// Attach, detach and replace of a group's RIDs.
import { IommuError } from '../errors.js'
import { NO_PASID } from '../contract/device.js'
import type { Device } from '../contract/device.js'
import type { Domain } from '../contract/domain.js'
import type { IommuOps } from '../contract/driver.js'
import type { CoreContext } from './context.js'
import { memberOf } from './context.js'
import type { AttachHandle } from './face.js'
import type { GroupState } from './group.js'
import { foreignDomain, throwIf } from './refusal.js'

/** Static domains have no owner: they are the driver's own objects (Linux, `domain_iommu_ops_compatible`). */
export const isCompatible = (ops: IommuOps, domain: Domain): boolean =>
  domain.owner === ops.owner || domain === ops.blockedDomain || domain === ops.identityDomain

/** A user's domain has to be detached first; the core's own domains make room. */
export const mayAttach = ({ domain, defaultDomain, blockingDomain }: GroupState): boolean =>
  domain === undefined || domain === defaultDomain || domain === blockingDomain

/** Where a detached group goes: who owns it must not find it translating. */
export const coreDomain = (group: GroupState): Domain | undefined =>
  group.owner ? group.blockingDomain : group.defaultDomain

const requireCompatible = (core: CoreContext, group: GroupState, domain: Domain): void => {
  if (!core.steps.isCompatible(core.ops, domain)) throw foreignDomain(domain, `group ${group.key}`)
}

export const attachGroup = (core: CoreContext, group: GroupState, domain: Domain): void => {
  if (!core.steps.mayAttach(group)) {
    throw new IommuError('EBUSY', `group ${group.key} already has a ${group.domain?.kind} domain that is a user's`)
  }
  requireCompatible(core, group, domain)
  throwIf(core.steps.switchGroup(core, group, domain, false))
  // A default domain may have been set with a handle, which would name the former domain. Linux leaves it.
  group.pasids.delete(NO_PASID)
}

/** For drivers that know of one device only: they would not expect to move others (Linux, `iommu_attach_device`). */
export const attachDevice = (core: CoreContext, device: Device, domain: Domain): void => {
  const { group } = memberOf(core, device)
  if (group.members.length !== 1) {
    throw new IommuError('EINVAL', `${device.name} shares group ${group.key} with other devices`, {
      devices: group.members.length,
    })
  }
  attachGroup(core, group, domain)
}

/** A switch that its caller relies on: a refusal is a bug of the driver, told but not returned. */
export const switchNofail = (core: CoreContext, group: GroupState, domain: Domain): void => {
  const refused = core.steps.switchGroup(core, group, domain, true)
  if (refused) core.warn(`Group ${group.key} could not be set to its ${domain.kind} domain: ${refused.message}`)
}

export const detachGroup = (core: CoreContext, group: GroupState): void => {
  const domain = core.steps.coreDomain(group)
  if (domain) core.steps.switchNofail(core, group, domain)
  group.pasids.delete(NO_PASID)
}

export const detachDevice = (core: CoreContext, device: Device, domain: Domain): void => {
  const group = core.members.get(device)?.group
  if (!group || domain !== group.domain || group.members.length !== 1) {
    core.warn(`${device.name} is detached from a ${domain.kind} domain that is not the one it has to itself`)
    return
  }
  detachGroup(core, group)
}

export const replaceGroup = (
  core: CoreContext, group: GroupState, domain: Domain, handle: AttachHandle | undefined,
): void => {
  requireCompatible(core, group, domain)
  throwIf(core.steps.switchGroup(core, group, domain, false))
  // The former handle goes with the former domain: page requests must not find it any more.
  group.pasids.delete(NO_PASID)
  if (!handle) return
  handle.domain = domain
  group.pasids.set(NO_PASID, { domain, handle })
}
