// Probe: a device joins its group, and gets the group's domain or the group's first one.
import type { IommuError } from '../errors.js'
import type { Device } from '../contract/device.js'
import type { Domain } from '../contract/domain.js'
import type { CoreContext } from './context.js'
import { addGroup } from './context.js'
import { reserveForMember } from './flush-queue.js'
import { createGroup } from './group.js'
import type { GroupState, MemberState } from './group.js'
import { attempt, refusePromise } from './refusal.js'
import { findRegions } from './reserved.js'

/** What a device that joins later gets: whatever the others have, a user's domain too. */
export const domainForNewMember = (group: GroupState): Domain | undefined => group.domain

const join = (core: CoreContext, device: Device): MemberState => {
  const { ops } = core
  const key = ops.deviceGroup(device)
  const regions = findRegions(ops, device)
  const maxPasids = ops.maxPasids?.(device) ?? 0
  const attachDeferred = ops.isAttachDeferred?.(device) ?? false
  const known = core.groups.get(key)
  const group = known ?? createGroup(key, core.defaultType)
  if (!known) addGroup(core, group)
  const member: MemberState = {
    device,
    group,
    maxPasids,
    regions,
    requireDirect: regions.some(({ kind }) => kind === 'direct'),
    attachDeferred,
    blocked: false,
    resetDepth: 0,
  }
  group.members.push(member)
  core.members.set(device, member)
  return member
}

/** The first attach of a device: there is no old domain, and no rollback (Linux, `__iommu_probe_device`). */
export const attachFirst = (core: CoreContext, member: MemberState, domain: Domain): IommuError | undefined =>
  core.steps.setMemberDomain(core, member, domain, undefined, false)

const joinDomain = (core: CoreContext, member: MemberState, domain: Domain): void => {
  const { device, group } = member
  if (group.defaultDomain) {
    reserveForMember(core, group.defaultDomain, member)
    const refused = core.steps.mapDirectRegions(core, group.defaultDomain, member)
    if (refused) core.warn(`The mappings that the firmware requests for ${device.name} failed: ${refused.message}`)
  }
  const refused = core.steps.attachFirst(core, member, domain)
  if (refused) throw refused
}

/** A probe that failed ends like a device's life. */
export const abandonProbe = (core: CoreContext, member: MemberState): void => core.steps.removeMember(core, member)

export const probeDevice = (core: CoreContext, device: Device): void => {
  if (core.members.has(device)) return
  refusePromise(core.ops.probeDevice(device))
  let member: MemberState | undefined
  const refused = attempt(() => {
    const joined = join(core, device)
    member = joined
    const domain = core.steps.domainForNewMember(joined.group)
    if (domain) joinDomain(core, joined, domain)
    else core.steps.setupDefaultDomain(core, joined.group, undefined)
  })
  if (refused) {
    if (member) core.steps.abandonProbe(core, member)
    else core.ops.releaseDevice?.(device)
    throw refused
  }
  // After the attach: PASID, ATS and PRI need a domain behind them.
  core.ops.probeFinalize?.(device)
}
