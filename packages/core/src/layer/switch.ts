// Switches the RIDs of a group from one domain to another, and takes a failed switch back.
import { IommuError } from '../errors.js'
import type { Domain } from '../contract/domain.js'
import type { CoreContext } from './context.js'
import type { GroupState, MemberState } from './group.js'
import { attempt, inRecovery } from './refusal.js'

/** Setting what is already set calls no driver. */
export const isCurrent = (group: GroupState, domain: Domain): boolean => group.domain === domain

/** During a reset only what cannot fail (detach, release of ownership) may change the group's domain. */
export const recoveryRefuses = (group: GroupState): boolean => group.recoveryCount > 0

/**
 * What `old` is to be: undefined before the first attach, also where that is still deferred, and the blocking
 * domain in a reset.
 */
export const liveDomain = ({ group, attachDeferred, blocked }: MemberState): Domain | undefined => {
  if (attachDeferred) return undefined
  return blocked ? group.blockingDomain : group.domain
}

/** Members in reset stay blocked; `finishReset` sets what the group has by then. */
export const switchedMembers = (group: GroupState): readonly MemberState[] =>
  group.members.filter((member) => !member.blocked)

/** A device that the firmware wants mapped 1:1 would lose that mapping on a domain that blocks. */
export const blocksDirect = (member: MemberState, domain: Domain): boolean =>
  member.requireDirect && (domain.kind === 'blocked' || domain === member.group.blockingDomain)

/** Whether the attach goes on waiting for the first DMA map. */
export const staysDeferred = (member: MemberState, domain: Domain): boolean =>
  member.attachDeferred && domain === member.group.defaultDomain

/** The call into the driver (Linux, `__iommu_attach_device`). */
export const attachMember = (member: MemberState, domain: Domain, old: Domain | undefined): IommuError | undefined => {
  const { device } = member
  if (!domain.attachDev) {
    return new IommuError('ENODEV', `a domain of kind ${domain.kind} can only be set on PASIDs, not on ${device.name}`)
  }
  const refused = attempt(() => domain.attachDev?.(device, old))
  if (!refused) member.attachDeferred = false
  return refused
}

/**
 * A member that refused a domain which it must leave the old one for is blocked instead, so that it does not use
 * a domain that is about to be freed. Whether that worked is not asked.
 */
export const pushToBlocking = (core: CoreContext, member: MemberState, old: Domain | undefined): void => {
  if (member.group.blockingDomain) core.steps.attachMember(member, member.group.blockingDomain, old)
}

/** One member's part of a switch (Linux, `__iommu_device_set_domain`). */
export const setMemberDomain = (
  core: CoreContext, member: MemberState, domain: Domain, old: Domain | undefined, mustSucceed: boolean,
): IommuError | undefined => {
  const { device, group } = member
  if (core.steps.blocksDirect(member, domain)) {
    core.warn(`The firmware requires a 1:1 mapping for ${device.name}: it cannot be blocked or given to a user`)
    return new IommuError('EINVAL', `${device.name} has memory that must stay mapped 1:1, and cannot be blocked`)
  }
  if (core.steps.staysDeferred(member, domain)) return undefined
  const refused = core.steps.attachMember(member, domain, old)
  if (!refused || !mustSucceed) return refused
  // The group leaves the old domain whatever this member says: nothing of it is waited for any more.
  member.attachDeferred = false
  if (group.blockingDomain && group.blockingDomain !== domain) core.steps.pushToBlocking(core, member, old)
  return refused
}

/**
 * Sets the members that had already been switched back. The member that failed kept its domain, and is not
 * touched. Before the first domain there is nothing to go back to, and the release cleans up.
 */
export const unwindSwitch = (
  core: CoreContext, group: GroupState, switched: readonly MemberState[], failed: Domain, _failing: MemberState,
): void => {
  const { domain } = group
  if (!domain) return
  for (const member of switched) {
    const refused = core.steps.setMemberDomain(core, member, domain, failed, true)
    if (refused) core.warn(`${member.device.name} refuses the domain that it had before: ${refused.message}`)
  }
}

/**
 * Switches all members. Normally the first refusal ends and undoes it. With `mustSucceed` a member that refuses
 * is blocked, the group's domain is the new one all the same, and the refusal is only reported
 * (Linux, `__iommu_group_set_domain_internal`).
 */
export const switchGroup = (
  core: CoreContext, group: GroupState, domain: Domain, mustSucceed: boolean,
): IommuError | undefined => {
  if (core.steps.isCurrent(group, domain)) return undefined
  if (!mustSucceed && core.steps.recoveryRefuses(group)) return inRecovery(group.key)
  let result: IommuError | undefined
  const switched: MemberState[] = []
  for (const member of core.steps.switchedMembers(group)) {
    const refused = core.steps.setMemberDomain(core, member, domain, core.steps.liveDomain(member), mustSucceed)
    if (refused && !mustSucceed) {
      core.steps.unwindSwitch(core, group, switched, domain, member)
      return refused
    }
    if (refused) result = refused
    else switched.push(member)
  }
  group.domain = domain
  return result
}
