// Attach, replace and detach of PASIDs, and the slots and handles that page requests find them by.
import { IommuError } from '../errors.js'
import type { Device, Pasid } from '../contract/device.js'
import { NO_PASID } from '../contract/device.js'
import type { Domain } from '../contract/domain.js'
import type { IommuOps } from '../contract/driver.js'
import type { CoreContext } from './context.js'
import { memberOf } from './context.js'
import type { AttachHandle } from './face.js'
import type { GroupState, PasidEntry } from './group.js'
import { foreignDomain, inRecovery, throwIf } from './refusal.js'

/** What goes on a PASID must come off it again, and only the blocked domain takes it off. */
export const canTakePasid = (ops: IommuOps, domain: Domain): boolean =>
  domain.setDevPasid !== undefined && ops.blockedDomain?.setDevPasid !== undefined

/** 0 is the RID. */
export const isPasid = (pasid: Pasid): boolean => Number.isInteger(pasid) && pasid > NO_PASID

export const pasidInRange = (core: CoreContext, group: GroupState, pasid: Pasid): boolean =>
  core.steps.pasidMembers(group).every(({ maxPasids }) => pasid < maxPasids)

export const isOccupied = (group: GroupState, pasid: Pasid): boolean => group.pasids.has(pasid)

/** Holds the slot. Its domain cannot be seen yet: a page request must not find one whose attach then fails. */
export const reserveSlot = (
  group: GroupState, pasid: Pasid, _domain: Domain, _handle: AttachHandle | undefined,
): void => {
  group.pasids.set(pasid, { domain: undefined, handle: undefined })
}

export const publishSlot = (
  group: GroupState, pasid: Pasid, domain: Domain, handle: AttachHandle | undefined,
): void => {
  if (handle) handle.domain = domain
  group.pasids.set(pasid, { domain, handle })
}

/** After an attach that failed. */
export const freeSlot = (group: GroupState, pasid: Pasid): void => {
  group.pasids.delete(pasid)
}

const unsupported = (core: CoreContext, domain: Domain): IommuError =>
  new IommuError('EOPNOTSUPP', `${core.ops.manifest.name} cannot set a ${domain.kind} domain on PASIDs and take it off`)

const badPasid = (device: Device, pasid: Pasid, why: string): IommuError =>
  new IommuError('EINVAL', `${device.name} ${why}`, { pasid })

/** The checks come in Linux's order (`iommu_attach_device_pasid`). */
export const attachPasid = (
  core: CoreContext, device: Device, domain: Domain, pasid: Pasid, handle: AttachHandle | undefined,
): void => {
  const { group } = memberOf(core, device)
  if (!core.steps.canTakePasid(core.ops, domain)) throw unsupported(core, domain)
  if (!core.steps.isCompatible(core.ops, domain)) throw foreignDomain(domain, device.name)
  if (!core.steps.isPasid(pasid)) throw badPasid(device, pasid, 'cannot have this PASID: it is not one')
  if (core.steps.recoveryRefuses(group)) throw inRecovery(group.key)
  if (!core.steps.pasidInRange(core, group, pasid)) throw badPasid(device, pasid, 'has no PASIDs that large')
  if (core.steps.isOccupied(group, pasid)) {
    throw new IommuError('EBUSY', `the PASID is in use in group ${group.key}`, { pasid })
  }
  core.steps.reserveSlot(group, pasid, domain, handle)
  const refused = core.steps.setGroupPasid(core, group, domain, pasid, undefined)
  if (refused) {
    core.steps.freeSlot(group, pasid)
    throw refused
  }
  publishSlot(group, pasid, domain, handle)
}

/** A handle in use is looked at without a lock, and so cannot get another meaning. */
export const reusesHandle = (entry: PasidEntry, handle: AttachHandle): boolean => entry.handle === handle

/** Only the handle changes then. */
export const isSamePasidDomain = (entry: PasidEntry, domain: Domain): boolean => entry.domain === domain

/** Linux, `iommu_replace_device_pasid`. */
export const replacePasid = (
  core: CoreContext, device: Device, domain: Domain, pasid: Pasid, handle: AttachHandle,
): void => {
  const { group } = memberOf(core, device)
  if (!core.steps.canTakePasid(core.ops, domain)) throw unsupported(core, domain)
  if (!core.steps.isCompatible(core.ops, domain)) throw foreignDomain(domain, device.name)
  if (!core.steps.isPasid(pasid) || !handle) throw badPasid(device, pasid, 'needs a PASID and a handle for a replace')
  if (core.steps.recoveryRefuses(group)) throw inRecovery(group.key)
  const entry = group.pasids.get(pasid)
  if (!entry?.domain) throw badPasid(device, pasid, 'has nothing to replace on this PASID')
  if (core.steps.reusesHandle(entry, handle)) {
    core.warn(`The handle of PASID ${pasid} of ${device.name} is used again for a replace`)
    throw badPasid(device, pasid, 'already has this handle on the PASID')
  }
  if (!core.steps.isSamePasidDomain(entry, domain)) {
    throwIf(core.steps.setGroupPasid(core, group, domain, pasid, entry.domain))
  }
  publishSlot(group, pasid, domain, handle)
}

/** `domain` is the caller's word for what is there. A member in reset has been removed from it already. */
export const detachPasid = (core: CoreContext, device: Device, domain: Domain, pasid: Pasid): void => {
  const group = core.members.get(device)?.group
  if (!group) {
    core.warn(`PASID ${pasid} of ${device.name} is detached, but the device has not been probed`)
    return
  }
  for (const member of core.steps.pasidMembers(group)) {
    if (!member.blocked) core.steps.removePasid(core, member, pasid, domain)
  }
  group.pasids.delete(pasid)
}

/** Linux, `iommu_attach_handle_get`. */
export const attachHandle = (group: GroupState, pasid: Pasid): AttachHandle => {
  const handle = group.pasids.get(pasid)?.handle
  if (!handle) throw new IommuError('ENOENT', `group ${group.key} has no handle at this PASID`, { pasid })
  return handle
}
