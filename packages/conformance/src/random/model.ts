// The contract as a small pure model: what every point must answer, whatever was called before.
import type { Manifest } from '@iommu/core'
import type { Answer } from '../bench.js'
import { formatsFor, isOverPasids } from '../states.js'

/** What one map call made. Unmaps take such a range whole, or several, so that leaves of any size fit. */
export interface Mapping {
  readonly iova: bigint
  readonly bytes: bigint
  readonly physical: bigint
  readonly write: boolean
}

/** A domain, as far as the contract knows it. Compared by identity. */
export interface ModelDomain {
  readonly name: string
  /** "blocked", "identity", "sva", or a format. */
  readonly kind: string
  mappings: readonly Mapping[]
}

/** A device of a walk: `untouched` before its first probe, when nothing is known of its DMA. */
export interface ModelDevice {
  readonly name: string
  /** Devices of equal group are not isolated from each other. */
  readonly group: string
  readonly hasPasids: boolean
  /** A reset of it is announced. */
  readonly announced: boolean
  state: 'untouched' | 'probed' | 'released'
  resetDepth: number
}

/** A group with at least one probed device. */
export interface ModelGroup {
  readonly fallback: ModelDomain
  domain: ModelDomain
  /** Known once something had to be blocked. */
  blocking: ModelDomain | undefined
  /** Who has claimed it, by number, and how often. */
  owner: number | undefined
  claims: number
  readonly pasids: Map<number, ModelDomain>
}

/** A process. */
export interface ModelSpace {
  readonly domain: ModelDomain
  /** Binds by group. */
  readonly users: Map<string, number>
}

export interface Model {
  readonly manifest: Manifest
  readonly devices: readonly ModelDevice[]
  readonly groups: Map<string, ModelGroup>
  readonly blocked: ModelDomain
  readonly identity: ModelDomain
  /** Allocated domains by slot. */
  readonly slots: Map<number, ModelDomain>
  readonly spaces: readonly ModelSpace[]
  /** Device addresses, and PASIDs, that the walk has named: all of them are asked about. */
  readonly addresses: Set<bigint>
  readonly pasids: Set<number>
}

export const createModel = (manifest: Manifest, devices: readonly ModelDevice[]): Model => {
  const named = (name: string): ModelDomain => ({ name, kind: name, mappings: [] })
  return {
    manifest,
    devices,
    groups: new Map(),
    blocked: named('blocked'),
    identity: named('identity'),
    slots: new Map(),
    spaces: ['process A', 'process B'].map((name) =>
      ({ domain: { name, kind: 'sva', mappings: [] }, users: new Map() })),
    addresses: new Set(),
    pasids: new Set(),
  }
}

export const groupOf = (model: Model, device: ModelDevice): ModelGroup | undefined => model.groups.get(device.group)

export const membersOf = ({ devices }: Model, key: string): ModelDevice[] =>
  devices.filter(({ group, state }) => group === key && state === 'probed')

/** Whether a device of the group is in a reset: nothing new is attached then. */
export const isRecovering = (model: Model, key: string): boolean => membersOf(model, key).some(({ resetDepth }) => resetDepth > 0)

/** Whether a kind of domain can be set on requester ids, or on PASIDs. */
export const fits = ({ manifest }: Model, { kind }: ModelDomain, where: 'rid' | 'pasid'): boolean =>
  (kind === 'blocked' || kind === 'identity' || kind === 'sva' ? manifest[kind][where] : formatsFor(manifest, where).includes(kind))

/** PASIDs of the group that lead somewhere. */
export const livePasids = ({ pasids }: ModelGroup): number[] => [...pasids].flatMap(([pasid, { kind }]) => (kind === 'blocked' ? [] : [pasid]))

/** Whether the group's PASIDs can be alive while its requester ids are on a domain. */
export const carries = (model: Model, key: string, { kind }: ModelDomain): boolean =>
  isOverPasids(model.manifest, kind) || !membersOf(model, key).some(({ hasPasids }) => hasPasids)

/** Whether anything of the core still has the domain. */
export const isInUse = ({ groups }: Model, domain: ModelDomain): boolean =>
  [...groups.values()].some((group) => [group.domain, group.fallback, group.blocking, ...group.pasids.values()].includes(domain))

const covering = ({ mappings }: ModelDomain, address: bigint): Mapping | undefined =>
  mappings.find(({ iova, bytes }) => address >= iova && address < iova + bytes)

export const overlaps = ({ mappings }: ModelDomain, iova: bigint, bytes: bigint): boolean =>
  mappings.some((each) => iova < each.iova + each.bytes && each.iova < iova + bytes)

/** What a domain makes of a DMA. */
export const answerOf = (domain: ModelDomain, address: bigint, access: 'read' | 'write'): Answer => {
  if (domain.kind === 'blocked') return 'blocked'
  if (domain.kind === 'identity') return address
  const mapping = covering(domain, address)
  if (mapping === undefined || (access === 'write' && !mapping.write)) return 'blocked'
  return mapping.physical + address - mapping.iova
}

/** What a DMA of a point may meet: one answer, or none where the contract says nothing. */
export const expectedAnswer = (
  model: Model, device: ModelDevice, pasid: number | undefined, address: bigint, access: 'read' | 'write',
): Answer | undefined => {
  const group = groupOf(model, device)
  if (device.state === 'untouched') return undefined
  // Every driver that has a blocked domain leaves its devices on it.
  if (device.state === 'released' || group === undefined) return model.manifest.blocked.rid ? 'blocked' : undefined
  if (device.resetDepth > 0) return 'blocked'
  if (pasid === undefined) return answerOf(group.domain, address, access)
  const domain = group.pasids.get(pasid)
  return domain === undefined || !carries(model, device.group, group.domain) ? 'blocked' : answerOf(domain, address, access)
}
