// DMA ownership: native drivers share the default domain, or one user owns the blocked group.
import { IommuError } from '../errors.js'
import type { Device } from '../contract/device.js'
import type { CoreContext } from './context.js'
import { memberOf } from './context.js'
import type { GroupState } from './group.js'
import { throwIf } from './refusal.js'

/** Native drivers count too: a group that a driver uses is no one's to claim. */
export const isTaken = (group: GroupState): boolean => group.ownerCount > 0

export const sharesOwner = (group: GroupState, owner: object): boolean => group.owner === owner

/** No user's domain on the RIDs, and nothing on PASIDs or handles. */
export const isIdle = (group: GroupState): boolean =>
  (group.domain === undefined || group.domain === group.defaultDomain) && group.pasids.size === 0

const requireOwner = (owner: object | null | undefined): void => {
  if (owner === undefined || owner === null) throw new IommuError('EINVAL', 'a claim needs an owner')
}

const taken = (group: GroupState): IommuError =>
  new IommuError('EPERM', `group ${group.key} is in use by ${group.owner ? 'another owner' : 'a native driver'}`, {
    users: group.ownerCount,
  })

/** The owner gets a group in which all DMA faults, or nothing has changed (Linux, `__iommu_take_dma_ownership`). */
export const takeOwnership = (core: CoreContext, group: GroupState, owner: object): void => {
  if (!core.steps.isIdle(group)) {
    throw new IommuError('EBUSY', `group ${group.key} is not on its default domain, or has PASIDs`)
  }
  core.steps.resolveBlocking(core, group)
  if (group.blockingDomain) throwIf(core.steps.switchGroup(core, group, group.blockingDomain, false))
  group.owner = owner
  group.ownerCount = 1
}

export const claimGroup = (core: CoreContext, group: GroupState, owner: object): void => {
  requireOwner(owner)
  if (core.steps.isTaken(group)) throw taken(group)
  core.steps.takeOwnership(core, group, owner)
}

export const claimDevice = (core: CoreContext, device: Device, owner: object): void => {
  requireOwner(owner)
  const { group } = memberOf(core, device)
  if (!core.steps.isTaken(group)) {
    core.steps.takeOwnership(core, group, owner)
    return
  }
  if (!core.steps.sharesOwner(group, owner)) throw taken(group)
  group.ownerCount += 1
}

/** Live PASIDs would be left without an owner: told, and nothing is done (Linux, `__iommu_release_dma_ownership`). */
export const mayGiveBack = (group: GroupState): boolean =>
  group.ownerCount > 0 && group.owner !== undefined && group.pasids.size === 0

/** The default domain has kept its mappings meanwhile. */
export const returnToDefault = (core: CoreContext, group: GroupState): void => {
  if (group.defaultDomain) core.steps.switchNofail(core, group, group.defaultDomain)
}

export const releaseGroup = (core: CoreContext, group: GroupState): void => {
  if (!core.steps.mayGiveBack(group)) {
    core.warn(`The ownership of group ${group.key} is released without a claim, or with PASIDs still attached`)
    return
  }
  group.owner = undefined
  group.ownerCount = 0
  core.steps.returnToDefault(core, group)
}

export const releaseDeviceClaim = (core: CoreContext, device: Device): void => {
  const { group } = memberOf(core, device)
  if (group.ownerCount > 1) group.ownerCount -= 1
  else releaseGroup(core, group)
}

/** Before its probe a device has no default domain to use yet, so its driver waits. */
export const useDefaultDomain = (core: CoreContext, device: Device): void => {
  const group = core.members.get(device)?.group
  if (!group?.defaultDomain) throw new IommuError('EPROBE_DEFER', `${device.name} has no default domain yet`)
  if (group.owner || !core.steps.isIdle(group)) {
    throw new IommuError('EBUSY', `group ${group.key} is owned, not on its default domain, or has PASIDs`)
  }
  group.ownerCount += 1
}

export const unuseDefaultDomain = (core: CoreContext, device: Device): void => {
  const { group } = memberOf(core, device)
  if (group.ownerCount === 0 || group.pasids.size > 0) {
    core.warn(`${device.name} stops using its default domain without having started, or with PASIDs still attached`)
    return
  }
  group.ownerCount -= 1
}
