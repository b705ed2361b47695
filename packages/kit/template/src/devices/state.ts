// A probed device: its translation point, what is live in it, and how it is switched.
import { wordCount } from '@iommu/bits'
import type { Device } from '@iommu/core'
import { forceAll, makeAll, sourcesOf } from '@iommu/core/driver'
import type { Points, Warn } from '@iommu/core/driver'
import { apply } from '../programming/apply.js'
import type { Flushes } from '../programming/plan.js'
import { deviceEntry } from '../tables/index.js'
import type { Unit } from '../unit.js'

/** What a point is to say: the words of a device entry. */
export type PointState = readonly bigint[]

/** A device that the driver has probed. Of a unit that does not answer, `set` throws ENODEV and `block` only warns. */
export interface DeviceState extends Points<DeviceState, PointState> {
  readonly device: Device
  readonly unit: Unit
  /** Takes the device out of the tables. Cannot fail. */
  release(): void
}

const ENTRY_WORDS = wordCount(deviceEntry)

/** An entry that says nothing: not valid, all zero. */
const invalid: PointState = Array.from({ length: ENTRY_WORDS }, () => 0n)

/** An entry in memory, and what has to be flushed when it changes. */
interface EntryPlace {
  readonly address: bigint
  flushes(): Flushes
}

const NO_FLUSHES: Flushes = { removed: [] }

const load = ({ machine: { memory } }: Unit, address: bigint): PointState => invalid.map((_, index) => memory.load64(address + BigInt(index * 8)))

const change = (unit: Unit, { address, flushes }: EntryPlace, from: PointState, to: PointState): void =>
  apply(unit, address, unit.programming.planEntry(from, to, flushes()))

/** Writes the words without asking the unit for anything: the last resort where it has stopped answering. */
const force = (unit: Unit, { address }: EntryPlace, words: PointState): void =>
  apply(unit, address, unit.programming.planEntry(load(unit, address), words, NO_FLUSHES))

/** Brings an entry back to `before` after a change broke off somewhere. */
const undo = (unit: Unit, place: EntryPlace, before: PointState): void => {
  try {
    change(unit, place, load(unit, place.address), before)
  } catch {
    force(unit, place, before)
  }
}

/** A device and its aliases say the same: all of their entries change, or none. */
export const probe = (unit: Unit, device: Device, warn: Warn): DeviceState => {
  const places = sourcesOf(device).map((source): EntryPlace => ({
    address: unit.deviceEntry(source), flushes: () => unit.programming.flushDevice(source),
  }))
  let live = invalid
  const block = (): void => {
    forceAll(places, (place) => change(unit, place, live, invalid), (place, { message }) => {
      force(unit, place, invalid)
      warn(`${device.name} is blocked in the table, but the unit may go on using the old entry: ${message}`)
    })
    live = invalid
  }
  return {
    device,
    unit,
    occupants: new Map(),
    set(_pasid, next) {
      makeAll(places, (place) => change(unit, place, live, next), (place) => undo(unit, place, live))
      live = next
    },
    block,
    release: block,
  }
}
