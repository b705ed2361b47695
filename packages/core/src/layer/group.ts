// A group's and a member's state, as the core changes it, and the face that callers see of it.
import type { Device, Pasid, ReservedRegion } from '../contract/device.js'
import type { Domain } from '../contract/domain.js'
import type { AttachHandle, DefaultType, Group } from './face.js'

/** What a PASID's slot holds. Without a domain it is only reserved: its attach is under way. */
export interface PasidEntry {
  readonly domain: Domain | undefined
  readonly handle: AttachHandle | undefined
}

/** One device in a group (Linux, `struct group_device` and `struct dev_iommu`). */
export interface MemberState {
  readonly device: Device
  readonly group: GroupState
  readonly maxPasids: number
  readonly regions: readonly ReservedRegion[]
  /** Has a region of kind `direct`, and so may never be blocked. */
  readonly requireDirect: boolean
  /** The default domain is only attached at the first DMA map. */
  attachDeferred: boolean
  /** In reset: on the blocking domain, whatever the group's domain is. */
  blocked: boolean
  resetDepth: number
}

/** Outside of a switch every member that is not blocked has `domain` (Linux, `struct iommu_group`). */
export interface GroupState {
  readonly key: string
  readonly members: MemberState[]
  defaultType: DefaultType
  defaultDomain: Domain | undefined
  blockingDomain: Domain | undefined
  domain: Domain | undefined
  /** Key 0 is there only for the handle of the RIDs' domain. */
  readonly pasids: Map<Pasid, PasidEntry>
  owner: object | undefined
  ownerCount: number
  recoveryCount: number
}

export const createGroup = (key: string, defaultType: DefaultType): GroupState => ({
  key,
  members: [],
  defaultType,
  defaultDomain: undefined,
  blockingDomain: undefined,
  domain: undefined,
  pasids: new Map(),
  owner: undefined,
  ownerCount: 0,
  recoveryCount: 0,
})

const visiblePasids = (state: GroupState): ReadonlyMap<Pasid, Domain> => {
  const visible = new Map<Pasid, Domain>()
  for (const [pasid, { domain }] of state.pasids) if (pasid !== 0 && domain) visible.set(pasid, domain)
  return visible
}

/** A live, read-only view. */
export const groupFace = (state: GroupState): Group => ({
  key: state.key,
  get devices() { return state.members.map((member) => member.device) },
  get defaultType() { return state.defaultType },
  get defaultDomain() { return state.defaultDomain },
  get blockingDomain() { return state.blockingDomain },
  get domain() { return state.domain },
  get pasids() { return visiblePasids(state) },
  get owner() { return state.owner },
  get ownerCount() { return state.ownerCount },
  get recoveryCount() { return state.recoveryCount },
})
