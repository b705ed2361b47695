// A probed device: its translation points, what is live in each, and how a point is switched.
import { IommuError } from '@iommu/core'
import type { Device, Pasid } from '@iommu/core'
import { apply } from '../programming/apply.js'
import type { DeviceTlb } from '../programming/invalidate.js'
import type { Flushes } from '../programming/plan.js'
import type { Unit } from '../unit.js'

/** What a point is to say. `words`: a context entry in legacy mode, a PASID entry in scalable mode. */
export interface PointState {
  readonly words: readonly bigint[]
  /** Under which domain id hardware caches it, and which stage it is; undefined: blocked. */
  readonly tag: { readonly domainId: number; readonly secondStage: boolean } | undefined
}

/** Who has been set on a point, and is told when somebody else is. */
export interface Occupant {
  left(state: DeviceState, pasid: Pasid): void
}

/** A device that the driver has probed. PASID 0 is the requester id's own point. */
export interface DeviceState {
  readonly device: Device
  readonly unit: Unit
  /** Its requester id and its aliases. */
  readonly sources: readonly number[]
  /** PASIDs below this fit its directory; 0: requests with PASID are not let through. */
  readonly maxPasids: number
  /** Who is where. A blocked point has nobody. */
  readonly occupants: Map<Pasid, Occupant>
  /** Whether the device's ATS may be enabled: its entries allow it. */
  readonly ats: boolean
  /** Device TLBs that have to be told of changes: those of sources with ATS enabled. */
  deviceTlbs(): readonly DeviceTlb[]
  /** Makes room for a point's entry. Throws ENOMEM, or EINVAL for a PASID that cannot be; nothing is changed then. */
  reserve(pasid: Pasid): void
  /** Switches a point. Throws ENODEV where the unit does not answer; then what was live is live again. */
  set(pasid: Pasid, next: PointState): void
  /** Blocks a point whatever happens; of a unit that does not answer it only warns. */
  block(pasid: Pasid): void
  /** Takes the device out of the tables and gives its tables back. Cannot fail. */
  release(): void
}

/** Sets a point and hands it over: who was there before is told, once the hardware has changed. */
export const occupy = (state: DeviceState, pasid: Pasid, occupant: Occupant, next: PointState): void => {
  state.set(pasid, next)
  const before = state.occupants.get(pasid)
  state.occupants.set(pasid, occupant)
  if (before !== occupant) before?.left(state, pasid)
}

/** Blocks a point and sends away who was there. Cannot fail. */
export const vacate = (state: DeviceState, pasid: Pasid): void => {
  state.block(pasid)
  const before = state.occupants.get(pasid)
  state.occupants.delete(pasid)
  before?.left(state, pasid)
}

export type Warn = (sentence: string) => void

/** An entry that says nothing: not present, all zero. */
export const absent = (words: number): PointState => ({ words: Array.from({ length: words }, () => 0n), tag: undefined })

export const sourcesOf = (device: Device): number[] => [device.requesterId, ...(device.aliases ?? [])]

/** Whether device and unit can do ATS. */
export const canAts = (unit: Unit, device: Device): boolean =>
  device.ats === true && unit.capabilities.deviceTlb
  && unit.machine.endpoint(device.requesterId).config.capabilities.atsQueueDepth !== undefined

export const enabledTlbs = (unit: Unit, sources: readonly number[]): DeviceTlb[] =>
  sources.flatMap((source) => {
    const { config } = unit.machine.endpoint(source)
    return config.enabled.ats ? [{ source, queueDepth: config.capabilities.atsQueueDepth ?? 0 }] : []
  })

/** An entry in memory, and what has to be flushed when it changes. */
export interface EntryPlace {
  readonly address: bigint
  flushes(from: PointState, to: PointState): Flushes
}

const NO_FLUSHES: Flushes = { removed: [], added: [], writeBuffer: false }

const load = (unit: Unit, address: bigint, count: number): bigint[] =>
  Array.from({ length: count }, (_, index) => unit.machine.memory.load64(address + BigInt(index * 8)))

const change = (unit: Unit, { address, flushes }: EntryPlace, from: PointState, to: PointState): void =>
  apply(unit, address, from.words.length * 8, unit.programming.planEntry(from.words, to.words, flushes(from, to)))

/** Writes the words without asking the unit for anything: the last resort where it has stopped answering. */
export const force = (unit: Unit, { address }: EntryPlace, words: readonly bigint[]): void =>
  apply(unit, address, words.length * 8, unit.programming.planEntry(load(unit, address, words.length), words, NO_FLUSHES))

/** Brings an entry back to `before` after a change to `next` broke off somewhere. */
const undo = (unit: Unit, place: EntryPlace, before: PointState, next: PointState): void => {
  const words = load(unit, place.address, before.words.length)
  // Where the new entry had become present it may have been cached under its own tag.
  const present = ((words[0] as bigint) & 1n) === 1n
  try {
    change(unit, place, { words, tag: present ? next.tag : undefined }, before)
  } catch {
    force(unit, place, before.words)
  }
}

/** Switches entries that say the same (a device and its aliases): all of them, or none, and then it throws. */
export const switchEntries = (unit: Unit, places: readonly EntryPlace[], before: PointState, next: PointState): void => {
  places.forEach((place, index) => {
    try {
      change(unit, place, before, next)
    } catch (error) {
      for (const touched of places.slice(0, index + 1)) undo(unit, touched, before, next)
      throw error
    }
  })
}

/** Clears entries. P is gone from memory when it returns, whatever the unit says; what it says is warned about. */
export const blockEntries = (
  unit: Unit, places: readonly EntryPlace[], before: PointState, device: Device, warn: Warn,
): void => {
  const next = absent(before.words.length)
  for (const place of places) {
    try {
      change(unit, place, before, next)
    } catch (error) {
      if (!(error instanceof IommuError)) throw error
      force(unit, place, next.words)
      warn(`${device.name} is blocked in the tables, but the unit may go on using old entries: ${error.message}`)
    }
  }
}
