// A probed device: its translation points, what is live in each, and how a point is switched.
import type { Device, Pasid } from '@iommu/core'
import { forceAll, makeAll } from '@iommu/core/driver'
import type { Points, Warn } from '@iommu/core/driver'
import { loadWords } from '@iommu/hardware'
import { apply } from '../programming/apply.js'
import type { Flushes, Used } from '../programming/plan.js'
import type { Unit } from '../unit.js'

/** What a point is to say: a process context where the device has PASIDs, else its device context. */
export type PointState = readonly bigint[]

/** A device that the driver has probed. Of a unit that does not answer, `set` throws ENODEV and `block` only warns. */
export interface DeviceState extends Points<DeviceState, PointState> {
  readonly device: Device
  readonly unit: Unit
  /** Its requester id and its aliases. */
  readonly sources: readonly number[]
  /** Which context its points are: those of PASIDs cannot have a second stage. */
  readonly point: 'device' | 'process'
  /** PASIDs below this fit its directory; 0: requests with PASID are not let through. */
  readonly maxPasids: number
  /** Whether the device's ATS may be enabled: its context allows it. */
  readonly ats: boolean
  /** Requester ids whose own TLBs have to be told of changes: those with ATS enabled. */
  deviceTlbs(): readonly number[]
  /** Makes room for a point's context. Throws ENOMEM, or EINVAL for a PASID that cannot be; nothing is changed then. */
  reserve(pasid: Pasid): void
  /** Takes the device out of the tables and gives its tables back. Cannot fail. */
  release(): void
}

/** A context that says nothing: not valid, all zero. */
export const invalid = (words: number): PointState => Array.from({ length: words }, () => 0n)

/** Whether device and unit can do ATS. */
export const canAts = (unit: Unit, device: Device): boolean =>
  device.ats === true && unit.capabilities.ats
  && unit.machine.endpoint(device.requesterId).config.capabilities.atsQueueDepth !== undefined

export const enabledTlbs = (unit: Unit, sources: readonly number[]): number[] =>
  sources.filter((source) => unit.machine.endpoint(source).config.enabled.ats)

/** A context in memory, which bits of it hardware looks at, and what has to be flushed when it changes. */
export interface EntryPlace {
  readonly address: bigint
  readonly used: Used
  flushes(): Flushes
}

const NO_FLUSHES: Flushes = { context: [], removed: [] }

const change = (unit: Unit, { address, used, flushes }: EntryPlace, from: PointState, to: PointState): void =>
  apply(unit, address, unit.programming.planEntry(from, to, flushes(), used))

/** Writes the words without asking the unit for anything: the last resort where it has stopped answering. */
export const force = (unit: Unit, { address, used }: EntryPlace, words: PointState): void => {
  const steps = unit.programming.planEntry(loadWords(unit.machine.memory, address, words.length), words, NO_FLUSHES, used)
  apply(unit, address, steps.filter((step) => step.do !== 'invalidate'))
}

/** Brings a context back to `before` after a change broke off somewhere. */
const undo = (unit: Unit, place: EntryPlace, before: PointState): void => {
  try {
    change(unit, place, loadWords(unit.machine.memory, place.address, before.length), before)
  } catch {
    force(unit, place, before)
  }
}

/** Switches contexts that say the same (a device and its aliases): all of them, or none, and then it throws. */
export const switchEntries = (unit: Unit, places: readonly EntryPlace[], before: PointState, next: PointState): void =>
  makeAll(places, (place) => change(unit, place, before, next), (place) => undo(unit, place, before))

/** Clears contexts. V is gone from memory when it returns, whatever the unit says; what it says is warned about. */
export const blockEntries = (
  unit: Unit, places: readonly EntryPlace[], before: PointState, device: Device, warn: Warn,
): void => {
  const next = invalid(before.length)
  forceAll(places, (place) => change(unit, place, before, next), (place, { message }) => {
    force(unit, place, next)
    warn(`${device.name} is blocked in the tables, but the unit may go on using old contexts: ${message}`)
  })
}
