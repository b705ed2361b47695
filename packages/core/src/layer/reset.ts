// Device reset: a device that may not answer invalidations is kept off translation until the reset is over.
import type { Device } from '../contract/device.js'
import type { CoreContext } from './context.js'
import type { MemberState } from './group.js'
import { attempt, throwIf } from './refusal.js'

/** Without ATS the device caches nothing, and a reset concerns nobody. */
const resettable = (core: CoreContext, device: Device): MemberState | undefined =>
  device.ats ? core.members.get(device) : undefined

/** Whether this is the outermost of nested resets. */
export const entersReset = (member: MemberState): boolean => {
  member.resetDepth += 1
  return member.resetDepth === 1
}

export const leavesReset = (member: MemberState): boolean => {
  member.resetDepth -= 1
  return member.resetDepth === 0
}

/** The RID's part; the group's domain stays on record. */
export const blockRid = (core: CoreContext, member: MemberState): void => {
  const { blockingDomain, domain } = member.group
  if (blockingDomain && domain !== blockingDomain) {
    throwIf(core.steps.attachMember(member, blockingDomain, core.steps.liveDomain(member)))
  }
}

/** The PASIDs' part; their slots stay on record. */
export const blockPasids = (core: CoreContext, member: MemberState): void => {
  if (member.maxPasids === 0) return
  for (const [pasid, { domain }] of member.group.pasids) {
    if (pasid !== 0 && domain) core.steps.removePasid(core, member, pasid, domain)
  }
}

/** The order tells the driver the truth at every step: RID, then the flag, then the PASIDs. */
export const blockMember = (core: CoreContext, member: MemberState): void => {
  core.steps.blockRid(core, member)
  member.blocked = true
  core.steps.blockPasids(core, member)
}

export const restoreRid = (core: CoreContext, member: MemberState): void => {
  const { blockingDomain, domain } = member.group
  if (!domain || domain === blockingDomain) return
  const refused = core.steps.attachMember(member, domain, blockingDomain)
  if (refused) core.warn(`${member.device.name} does not get its domain back after a reset: ${refused.message}`)
}

export const restorePasids = (core: CoreContext, member: MemberState): void => {
  if (member.maxPasids === 0) return
  const { device, group } = member
  for (const [pasid, { domain }] of group.pasids) {
    if (pasid === 0 || !domain) continue
    const refused = attempt(() => domain.setDevPasid?.(device, pasid, group.blockingDomain))
    if (refused) core.warn(`PASID ${pasid} of ${device.name} is lost in a reset: ${refused.message}`)
  }
}

export const restoreMember = (core: CoreContext, member: MemberState): void => {
  core.steps.restoreRid(core, member)
  member.blocked = false
  core.steps.restorePasids(core, member)
}

/** Linux, `pci_dev_reset_iommu_prepare`. */
export const prepareReset = (core: CoreContext, device: Device): void => {
  const member = resettable(core, device)
  if (!member || !core.steps.entersReset(member)) return
  const refused = attempt(() => {
    core.steps.resolveBlocking(core, member.group)
    core.steps.blockMember(core, member)
  })
  if (refused) {
    member.resetDepth = 0
    throw refused
  }
  member.group.recoveryCount += 1
}

/** Linux, `pci_dev_reset_iommu_done`. */
export const finishReset = (core: CoreContext, device: Device): void => {
  const member = resettable(core, device)
  if (!member) return
  if (member.resetDepth === 0) {
    core.warn(`${device.name} finishes a reset that was not prepared`)
    return
  }
  if (!core.steps.leavesReset(member)) return
  core.steps.restoreMember(core, member)
  member.group.recoveryCount -= 1
}
