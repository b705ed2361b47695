// What every step of the core is handed: the driver, the options, the steps themselves, and all state.
import { IommuError } from '../errors.js'
import type { Device } from '../contract/device.js'
import type { AddressSpace, Domain } from '../contract/domain.js'
import type { IommuOps } from '../contract/driver.js'
import type { DefaultType, Group } from './face.js'
import type { DmaSpace } from './flush-queue.js'
import type { GroupState, MemberState } from './group.js'
import { groupFace } from './group.js'
import { unknownDevice } from './refusal.js'
import type { CoreSteps } from './steps.js'
import type { BoundSpace } from './sva.js'

export interface CoreContext {
  readonly ops: IommuOps
  readonly defaultType: DefaultType
  readonly dmaApi: boolean
  readonly warn: (sentence: string) => void
  /** Steps call each other through this record, so that one of them can be replaced. */
  readonly steps: CoreSteps
  readonly members: Map<Device, MemberState>
  readonly groups: Map<string, GroupState>
  /** The faces of `groups`, in the same order. Changed in place: callers hold on to it. */
  readonly faces: Group[]
  readonly spaces: Map<AddressSpace, BoundSpace>
  /** Address allocation of the default domains that translate. */
  readonly dmaSpaces: WeakMap<Domain, DmaSpace>
}

/** ENODEV where the device is unknown. */
export const memberOf = (core: CoreContext, device: Device): MemberState => {
  const member = core.members.get(device)
  if (!member) throw unknownDevice(device)
  return member
}

/** ENODEV where the group's last device is gone, or the group is another core's. */
export const stateOf = (core: CoreContext, group: Group): GroupState => {
  const state = core.groups.get(group.key)
  if (!state || !core.faces.includes(group)) throw new IommuError('ENODEV', `group ${group.key} has no devices`)
  return state
}

export const faceOf = (core: CoreContext, state: GroupState): Group => {
  const face = core.faces.find((candidate) => candidate.key === state.key)
  if (!face) throw new IommuError('ENODEV', `group ${state.key} has no devices`)
  return face
}

export const addGroup = (core: CoreContext, state: GroupState): void => {
  core.groups.set(state.key, state)
  core.faces.push(groupFace(state))
}

export const removeGroup = (core: CoreContext, state: GroupState): void => {
  core.groups.delete(state.key)
  core.faces.splice(core.faces.findIndex((face) => face.key === state.key), 1)
}
