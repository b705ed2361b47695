// The contract as a small pure model: what every point must answer, whatever was called before.
import type { Manifest } from '@iommu/core'
import type { Answer } from '../bench.js'
import { formatsFor, isOverPasids } from '../states.js'
import type { Ability } from './abilities.js'
import type { Setting } from './setting.js'

/** What one map call made. Unmaps take such a range whole, or several, so that leaves of any size fit. */
export interface Mapping {
  readonly iova: bigint
  readonly bytes: bigint
  readonly physical: bigint
  readonly write: boolean
}

/** An unmapped range whose flush is still owed: by the caller, who has the gather, or by the core's flush queue. */
export interface Owed extends Mapping {
  readonly by: 'gather' | 'queue'
}

/** A domain, as far as the contract knows it. Compared by identity. */
export interface ModelDomain {
  readonly name: string
  /** "blocked", "identity", "sva", or a format. */
  readonly kind: string
  /** The unit that it was allocated for. */
  readonly unit: number
  mappings: readonly Mapping[]
  owed: readonly Owed[]
}

/** A device of a walk: `untouched` before its first probe, when nothing is known of its DMA. */
export interface ModelDevice {
  readonly name: string
  /** Devices of equal group are not isolated from each other. */
  readonly group: string
  readonly unit: number
  readonly hasPasids: boolean
  /** Whether it has ATS: a reset of it is announced. */
  readonly ats: boolean
  state: 'untouched' | 'probed' | 'released'
  /** Nothing has been attached yet: that waits for the first DMA map. */
  deferred: boolean
  resetDepth: number
}

/** A buffer that the DMA API has mapped. */
export interface ModelBuffer {
  readonly device: ModelDevice
  /** As the caller knows it. */
  readonly iova: bigint
  readonly bytes: bigint
  /** What it became in the default domain; undefined where that is identity. */
  readonly mapping: Mapping | undefined
}

/** A group with at least one probed device. */
export interface ModelGroup {
  /** The default domain, and whether its unmaps are queued. */
  fallback: ModelDomain
  type: 'identity' | 'dma' | 'dma-fq'
  domain: ModelDomain
  /** Known once something had to be blocked. */
  blocking: ModelDomain | undefined
  /** Who has claimed it, by number; and how many use it, owners and native drivers. */
  owner: number | undefined
  claims: number
  readonly pasids: Map<number, ModelDomain>
  /** PASIDs that were set with a handle; 0 is the requester id's. */
  readonly handles: Set<number>
  buffers: readonly ModelBuffer[]
  /** Hardware failed in a switch: what was there is there still, or it is blocked (C-ATTACH-09). */
  shaken: boolean
}

/** A process. */
export interface ModelSpace {
  readonly domain: ModelDomain
  /** Binds by group. */
  readonly users: Map<string, number>
}

export interface Model {
  readonly abilities: ReadonlySet<Ability>
  readonly setting: Setting
  readonly manifest: Manifest
  /** What a driver would declare that had this unit alone, by unit: units of one machine need not be alike. */
  readonly manifests: readonly Manifest[]
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
  /** Whether a unit takes a kind of domain that another one made: it says so once, and has to stay with it. */
  readonly crossings: Map<string, boolean>
}

export const createModel = (
  abilities: ReadonlySet<Ability>, setting: Setting, manifests: readonly Manifest[], devices: readonly ModelDevice[],
): Model => {
  const named = (name: string, kind = name): ModelDomain => ({ name, kind, unit: 0, mappings: [], owed: [] })
  return {
    abilities,
    setting,
    manifest: manifests[0] as Manifest,
    manifests,
    devices,
    groups: new Map(),
    blocked: named('blocked'),
    identity: named('identity'),
    slots: new Map(),
    spaces: ['process A', 'process B'].map((name) => ({ domain: named(name, 'sva'), users: new Map() })),
    addresses: new Set(),
    pasids: new Set(),
    crossings: new Map(),
  }
}

export const manifestAt = ({ manifest, manifests }: Model, unit: number): Manifest => manifests[unit] ?? manifest

export const groupOf = (model: Model, device: ModelDevice): ModelGroup | undefined => model.groups.get(device.group)

export const membersOf = ({ devices }: Model, key: string): ModelDevice[] =>
  devices.filter(({ group, state }) => group === key && state === 'probed')

/** Whether a device of the group is in a reset: nothing new is attached then. */
export const isRecovering = (model: Model, key: string): boolean => membersOf(model, key).some(({ resetDepth }) => resetDepth > 0)

export const crossingOf = ({ kind, unit }: ModelDomain, to: number): string => `${kind} of unit ${unit} on unit ${to}`

/** Whether requester ids, or PASIDs, of a unit take a domain; undefined: nobody has said so yet. */
export const fits = (model: Model, domain: ModelDomain, where: 'rid' | 'pasid', unit: number): boolean | undefined => {
  const { kind } = domain
  if (kind === 'blocked' || kind === 'identity') return model.manifest[kind][where]
  if (kind === 'sva' ? !model.manifest.sva[where] : !formatsFor(manifestAt(model, domain.unit), where).includes(kind)) return false
  return domain.unit === unit ? true : model.crossings.get(crossingOf(domain, unit))
}

/** PASIDs of the group that lead somewhere. */
export const livePasids = ({ pasids }: ModelGroup): number[] => [...pasids].flatMap(([pasid, { kind }]) => (kind === 'blocked' ? [] : [pasid]))

/** Whether PASIDs of a device can be alive while its requester id is on a domain. */
const carriesOn = (model: Model, { hasPasids, unit }: ModelDevice, { kind }: ModelDomain): boolean =>
  !hasPasids || isOverPasids(manifestAt(model, unit), kind)

/** Whether the group's PASIDs can be alive while its requester ids are on a domain. */
export const carries = (model: Model, key: string, domain: ModelDomain): boolean =>
  membersOf(model, key).every((device) => carriesOn(model, device, domain))

/** Where a device's requester id is: blocked, until its deferred attach. */
const ridOf = ({ blocked }: Model, { deferred }: ModelDevice, { domain }: ModelGroup): ModelDomain => (deferred ? blocked : domain)

/** Whether PASIDs of the group are alive as things are. */
export const carriesNow = (model: Model, key: string): boolean => {
  const group = model.groups.get(key)
  return group !== undefined && membersOf(model, key).every((device) => carriesOn(model, device, ridOf(model, device, group)))
}

/** Whether anything of the core still has the domain. */
export const isInUse = ({ groups }: Model, domain: ModelDomain): boolean =>
  [...groups.values()].some((group) => [group.domain, group.fallback, group.blocking, ...group.pasids.values()].includes(domain))

const isIn = (address: bigint) => ({ iova, bytes }: Mapping): boolean => address >= iova && address < iova + bytes

export const overlaps = (mappings: readonly Mapping[], iova: bigint, bytes: bigint): boolean =>
  mappings.some((each) => iova < each.iova + each.bytes && each.iova < iova + bytes)

const through = ({ iova, physical, write }: Mapping, address: bigint, access: 'read' | 'write'): Answer =>
  (access === 'write' && !write ? 'blocked' : physical + address - iova)

/** What the tables of a domain make of a DMA. */
export const answerOf = (domain: ModelDomain, address: bigint, access: 'read' | 'write'): Answer => {
  if (domain.kind === 'blocked') return 'blocked'
  if (domain.kind === 'identity') return address
  const mapping = domain.mappings.find(isIn(address))
  return mapping === undefined ? 'blocked' : through(mapping, address, access)
}

/** That, and what may be remembered as long as its flush is owed. */
const answersOf = (domain: ModelDomain, address: bigint, access: 'read' | 'write'): Answer[] =>
  [answerOf(domain, address, access), ...domain.owed.filter(isIn(address)).map((each) => through(each, address, access))]

/** What a DMA of a point may meet: one of these answers, or undefined where the contract says nothing. */
export const expectedAnswers = (
  model: Model, device: ModelDevice, pasid: number | undefined, address: bigint, access: 'read' | 'write',
): readonly Answer[] | undefined => {
  const group = groupOf(model, device)
  if (device.state === 'untouched') return undefined
  // Every driver that has a blocked domain leaves its devices on it, until something is attached and when they go.
  if (device.state === 'released' || group === undefined || (device.deferred && pasid === undefined)) {
    return model.manifest.blocked.rid ? ['blocked'] : undefined
  }
  if (device.resetDepth > 0) return ['blocked']
  const rid = ridOf(model, device, group)
  if (pasid === undefined) return [...answersOf(rid, address, access), ...(group.shaken ? ['blocked' as const] : [])]
  const domain = group.pasids.get(pasid)
  if (domain === undefined || !carriesOn(model, device, rid)) return ['blocked']
  return [...answersOf(domain, address, access), ...(group.shaken && !carriesOn(model, device, model.blocked) ? ['blocked' as const] : [])]
}
