// The devices of a driver: which unit each is behind, and what the driver keeps of it from probe to release.
import type { Device, Manifest } from '../contract/index.js'
import { IommuError } from '../errors.js'
import { vacate } from './occupants.js'
import type { Points } from './occupants.js'

/** Told, in a sentence, of what cannot be helped: hardware that does not answer while a device is blocked. */
export type Warn = (sentence: string) => void

/** What every driver is told at its creation. */
export interface DriverOptions<Machine, Programming> {
  /** Further units of the same machine; a device names its own by `unit`, counted from 0. */
  readonly moreUnits?: readonly Machine[]
  /** Told of what cannot be helped: a unit that does not answer while a device is blocked. */
  readonly warn?: Warn
  /** The pure half of the driver; variants replace a member of it. */
  readonly programming?: Programming
}

/** What domains need of the driver that made them. */
export interface DriverFace<State> {
  readonly owner: symbol
  /** Whether domains can be set on PASIDs. */
  readonly pasids: boolean
  readonly warn: Warn
  /** Throws EINVAL for a device that this driver has not probed: it is behind somebody else's IOMMU. */
  stateOf(device: Device): State
}

/** The units of a driver, and the devices behind them. */
export interface Devices<Unit, State> {
  /** Throws ENODEV where there is no such unit. */
  unitAt(index: number): Unit
  /** Throws EINVAL for a device that has not been probed. */
  stateOf(device: Device): State
  /** Throws EBUSY for a device that has been probed already, ENODEV for one of no unit, and what `make` throws. */
  probe(device: Device, make: (unit: Unit) => State): State
  /** Blocks the points that somebody is on, lets `end` give back what the device has, and forgets it. */
  release(device: Device, end: (state: State) => void): void
}

export const createDevices = <Unit, State extends Points<State, never>>(units: readonly Unit[]): Devices<Unit, State> => {
  const states = new Map<Device, State>()
  const unitAt = (index: number): Unit => {
    const unit = units[index]
    if (unit === undefined) throw new IommuError('ENODEV', 'there is no such unit', { unit: index })
    return unit
  }
  const stateOf = (device: Device): State => {
    const state = states.get(device)
    if (state === undefined) throw new IommuError('EINVAL', 'the device is not behind this driver', { device: device.name })
    return state
  }
  return {
    unitAt,
    stateOf,
    probe(device, make) {
      if (states.has(device)) throw new IommuError('EBUSY', 'the device has been probed already', { device: device.name })
      const state = make(unitAt(device.unit ?? 0))
      states.set(device, state)
      return state
    },
    release(device, end) {
      const state = stateOf(device)
      for (const pasid of [...state.occupants.keys()]) vacate(state, pasid)
      end(state)
      states.delete(device)
    },
  }
}

/** The devices behind a driver's units, and the driver as its domains know it. */
export const createFace = <Unit, State extends Points<State, never>>(
  units: readonly Unit[], { name, maxPasids }: Manifest, warn: Warn = () => undefined,
): { readonly devices: Devices<Unit, State>; readonly driver: DriverFace<State> } => {
  const devices = createDevices<Unit, State>(units)
  return { devices, driver: { owner: Symbol(name), pasids: maxPasids > 0, warn, stateOf: devices.stateOf } }
}

/** The ids under which a device's requests come: its requester id and its aliases. */
export const sourcesOf = (device: Device): number[] => [device.requesterId, ...(device.aliases ?? [])]
