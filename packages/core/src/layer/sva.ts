// Shared virtual addressing: binds devices to address spaces, each under one PASID for all devices.
import { IommuError } from '../errors.js'
import type { Device, Pasid } from '../contract/device.js'
import type { AddressSpace, Domain, SvaDomain } from '../contract/domain.js'
import type { CoreContext } from './context.js'
import { memberOf } from './context.js'
import type { AttachHandle, SvaBond } from './face.js'
import type { GroupState, MemberState } from './group.js'
import { attempt } from './refusal.js'

export interface BondState {
  readonly bond: SvaBond
  readonly group: GroupState
  readonly handle: AttachHandle
  readonly domain: SvaDomain
  users: number
}

/** What the core keeps for an address space (Linux, `struct iommu_mm_data`). */
export interface BoundSpace {
  readonly pasid: Pasid
  readonly bonds: Set<BondState>
  /** The address space has ended; its PASID is given back with the last bond. */
  ended: boolean
  unsubscribe(): void
}

const forget = (core: CoreContext, space: AddressSpace, bound: BoundSpace): void => {
  if (!bound.ended || bound.bonds.size > 0) return
  bound.unsubscribe()
  core.spaces.delete(space)
}

/** The lowest PASID that no address space has, from 1 (Linux, `iommu_alloc_global_pasid`). */
export const globalPasid = (core: CoreContext, member: MemberState): Pasid => {
  const used = new Set([...core.spaces.values()].map(({ pasid }) => pasid))
  for (let pasid = 1; pasid < member.maxPasids; pasid += 1) if (!used.has(pasid)) return pasid
  throw new IommuError('ENOSPC', `no PASID is left that ${member.device.name} could use`, {
    maxPasids: member.maxPasids,
  })
}

/** The address space keeps its PASID until it ends, bound or not. */
export const spaceOf = (core: CoreContext, member: MemberState, space: AddressSpace): BoundSpace => {
  const known = core.spaces.get(space)
  if (known) return known
  const pasid = core.steps.globalPasid(core, member)
  const bound: BoundSpace = { pasid, bonds: new Set(), ended: false, unsubscribe() {} }
  core.spaces.set(space, bound)
  bound.unsubscribe = space.subscribe({
    invalidate() {},
    release() {
      bound.ended = true
      forget(core, space, bound)
    },
  })
  return bound
}

export const pasidFits = (member: MemberState, pasid: Pasid): boolean => pasid < member.maxPasids

export const findBond = (bound: BoundSpace, group: GroupState): BondState | undefined =>
  [...bound.bonds].find((state) => state.group === group)

const allocSva = (core: CoreContext, device: Device, space: AddressSpace): SvaDomain => {
  const domain = core.ops.domainAllocSva?.(device, space)
  if (!domain) throw new IommuError('EOPNOTSUPP', `${core.ops.manifest.name} has no domains for address spaces`)
  return domain
}

/** A domain of another device may do; where none does, one is made (Linux, `iommu_sva_bind_device`). */
const attachSpace = (
  core: CoreContext, device: Device, space: AddressSpace, bound: BoundSpace, handle: AttachHandle,
): SvaDomain => {
  const attach = (domain: Domain): void => core.steps.attachPasid(core, device, domain, bound.pasid, handle)
  for (const domain of new Set([...bound.bonds].map((state) => state.domain))) {
    if (!attempt(() => attach(domain))) return domain
  }
  const domain = allocSva(core, device, space)
  const refused = attempt(() => attach(domain))
  if (!refused) return domain
  domain.free()
  throw refused
}

export const bindSva = (core: CoreContext, device: Device, space: AddressSpace): SvaBond => {
  const member = memberOf(core, device)
  const { group } = member
  const bound = core.steps.spaceOf(core, member, space)
  const { pasid } = bound
  if (!core.steps.pasidFits(member, pasid)) {
    throw new IommuError('EOVERFLOW', `the PASID of ${space.name} is too large for ${device.name}`, {
      pasid, maxPasids: member.maxPasids,
    })
  }
  const known = core.steps.findBond(bound, group)
  if (known) {
    known.users += 1
    return known.bond
  }
  if (group.pasids.get(pasid)?.handle) {
    throw new IommuError('EBUSY', `the PASID of ${space.name} is something else's in group ${group.key}`, { pasid })
  }
  const handle: AttachHandle = {}
  const domain = attachSpace(core, device, space, bound, handle)
  const bond: SvaBond = { device, space, pasid }
  bound.bonds.add({ bond, group, handle, domain, users: 1 })
  return bond
}

/** The last one takes the domain off the PASID, and frees it where no other device has it. */
export const unbindSva = (core: CoreContext, bond: SvaBond): void => {
  const bound = core.spaces.get(bond.space)
  const state = bound && [...bound.bonds].find((candidate) => candidate.bond === bond)
  if (!bound || !state) {
    throw new IommuError('EINVAL', `${bond.device.name} is not bound to ${bond.space.name}`, { pasid: bond.pasid })
  }
  state.users -= 1
  if (state.users > 0) return
  core.steps.detachPasid(core, bond.device, state.domain, bond.pasid)
  bound.bonds.delete(state)
  if (![...bound.bonds].some(({ domain }) => domain === state.domain)) state.domain.free()
  forget(core, bond.space, bound)
}
