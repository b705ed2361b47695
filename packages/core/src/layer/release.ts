// Release: a device leaves its group, and a group without devices gives its domains back.
import type { Device } from '../contract/device.js'
import type { Domain } from '../contract/domain.js'
import type { CoreContext } from './context.js'
import { removeGroup } from './context.js'
import { discardDomain } from './flush-queue.js'
import type { GroupState, MemberState } from './group.js'
import { attempt } from './refusal.js'

/**
 * Where the hardware is left. Nowhere while the attach is deferred: nothing was ever written for the device. A
 * device that needs its 1:1 mappings is not left on the blocked domain where identity can be had.
 */
export const releaseDomainOf = (core: CoreContext, member: MemberState): Domain | undefined => {
  const { releaseDomain, blockedDomain, identityDomain } = core.ops
  if (!releaseDomain || member.attachDeferred) return undefined
  if (member.requireDirect && releaseDomain === blockedDomain && identityDomain) return identityDomain
  return releaseDomain
}

/** Nobody is left to hear of a refusal. */
export const park = (core: CoreContext, member: MemberState): void => {
  const domain = core.steps.releaseDomainOf(core, member)
  if (domain) attempt(() => domain.attachDev?.(member.device, core.steps.liveDomain(member)))
}

/** The driver's part of a release (Linux, `iommu_deinit_device`). */
export const releaseMember = (core: CoreContext, member: MemberState): void => {
  core.steps.park(core, member)
  core.ops.releaseDevice?.(member.device)
}

const freeDomains = (core: CoreContext, group: GroupState): void => {
  if (group.ownerCount > 0 || group.domain !== group.defaultDomain) {
    core.warn(`The last device of group ${group.key} goes while the group is owned, or not on its default domain`)
  }
  if (group.defaultDomain) discardDomain(core, group.defaultDomain)
  if (group.blockingDomain) discardDomain(core, group.blockingDomain)
  group.defaultDomain = undefined
  group.blockingDomain = undefined
  group.domain = undefined
  removeGroup(core, group)
}

export const removeMember = (core: CoreContext, member: MemberState): void => {
  const { device, group } = member
  group.members.splice(group.members.indexOf(member), 1)
  core.members.delete(device)
  if (member.resetDepth > 0) group.recoveryCount -= 1
  core.steps.releaseMember(core, member)
  if (group.members.length === 0) freeDomains(core, group)
}

export const releaseDevice = (core: CoreContext, device: Device): void => {
  const member = core.members.get(device)
  if (member) removeMember(core, member)
}
