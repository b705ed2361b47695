// Sets one PASID on all members of a group that have PASIDs, and takes it back where one refuses.
import type { IommuError } from '../errors.js'
import type { Pasid } from '../contract/device.js'
import type { Domain } from '../contract/domain.js'
import type { CoreContext } from './context.js'
import type { GroupState, MemberState } from './group.js'
import { attempt } from './refusal.js'

/** The others cannot send requests with PASID: they need no entry, and set no limit. */
export const pasidMembers = (group: GroupState): readonly MemberState[] =>
  group.members.filter(({ maxPasids }) => maxPasids > 0)

/** Removing is setting the blocked domain, never another one (Linux, `iommu_remove_dev_pasid`). */
export const removePasid = (core: CoreContext, member: MemberState, pasid: Pasid, domain: Domain | undefined): void => {
  const { device } = member
  const refused = attempt(() => core.ops.blockedDomain?.setDevPasid?.(device, pasid, domain))
  if (refused) core.warn(`PASID ${pasid} of ${device.name} could not be removed: ${refused.message}`)
}

/** Back to `old`, which worked before, else to nothing. The member that refused kept what it had. */
export const unwindPasid = (
  core: CoreContext, switched: readonly MemberState[], pasid: Pasid, failed: Domain, old: Domain | undefined,
  _failing: MemberState,
): void => {
  for (const member of switched) {
    const refused = old && attempt(() => old.setDevPasid?.(member.device, pasid, failed))
    if (refused) core.warn(`PASID ${pasid} of ${member.device.name} refuses its former domain: ${refused.message}`)
    if (!old || refused) core.steps.removePasid(core, member, pasid, failed)
  }
}

/** Linux, `__iommu_set_group_pasid`. */
export const setGroupPasid = (
  core: CoreContext, group: GroupState, domain: Domain, pasid: Pasid, old: Domain | undefined,
): IommuError | undefined => {
  const switched: MemberState[] = []
  for (const member of core.steps.pasidMembers(group)) {
    const refused = attempt(() => domain.setDevPasid?.(member.device, pasid, old))
    if (refused) {
      core.steps.unwindPasid(core, switched, pasid, domain, old, member)
      return refused
    }
    switched.push(member)
  }
  return undefined
}
