// A probed device: its translation points, what is live in each, and how a point is switched.
import type { Device, Pasid } from '@iommu/core'
import { forceAll, makeAll } from '@iommu/core/driver'
import type { Points, Warn } from '@iommu/core/driver'
import { loadWords } from '@iommu/hardware'
import { apply } from '../programming/apply.js'
import type { DeviceTlb } from '../programming/invalidate.js'
import { isPresent } from '../programming/plan.js'
import type { Flushes } from '../programming/plan.js'
import type { Unit } from '../unit.js'

/** What a point is to say. `words`: a context entry in legacy mode, a PASID entry in scalable mode. */
export interface PointState {
  readonly words: readonly bigint[]
  /** Under which domain id hardware caches it, and which stage it is; undefined: blocked. */
  readonly tag: { readonly domainId: number; readonly secondStage: boolean } | undefined
}

/** A device that the driver has probed. Of a unit that does not answer, `set` throws ENODEV and `block` only warns. */
export interface DeviceState extends Points<DeviceState, PointState> {
  readonly device: Device
  readonly unit: Unit
  /** Its requester id and its aliases. */
  readonly sources: readonly number[]
  /** PASIDs below this fit its directory; 0: requests with PASID are not let through. */
  readonly maxPasids: number
  /** Whether the device's ATS may be enabled: its entries allow it. */
  readonly ats: boolean
  /** Device TLBs that have to be told of changes: those of sources with ATS enabled. */
  deviceTlbs(): readonly DeviceTlb[]
  /** Makes room for a point's entry. Throws ENOMEM, or EINVAL for a PASID that cannot be; nothing is changed then. */
  reserve(pasid: Pasid): void
  /** Takes the device out of the tables and gives its tables back. Cannot fail. */
  release(): void
}

/** An entry that says nothing: not present, all zero. */
export const absent = (words: number): PointState => ({ words: Array.from({ length: words }, () => 0n), tag: undefined })

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

const change = (unit: Unit, { address, flushes }: EntryPlace, from: PointState, to: PointState): void =>
  apply(unit, address, from.words.length * 8, unit.programming.planEntry(from.words, to.words, flushes(from, to)))

/** Writes the words without asking the unit for anything: the last resort where it has stopped answering. */
export const force = (unit: Unit, { address }: EntryPlace, words: readonly bigint[]): void =>
  apply(unit, address, words.length * 8, unit.programming.planEntry(loadWords(unit.machine.memory, address, words.length), words, NO_FLUSHES))

/** Brings an entry back to `before` after a change to `next` broke off somewhere. */
const undo = (unit: Unit, place: EntryPlace, before: PointState, next: PointState): void => {
  const words = loadWords(unit.machine.memory, place.address, before.words.length)
  // Where the new entry had become present it may have been cached under its own tag.
  try {
    change(unit, place, { words, tag: isPresent(words) ? next.tag : undefined }, before)
  } catch {
    force(unit, place, before.words)
  }
}

/** Switches entries that say the same (a device and its aliases): all of them, or none, and then it throws. */
export const switchEntries = (unit: Unit, places: readonly EntryPlace[], before: PointState, next: PointState): void =>
  makeAll(places, (place) => change(unit, place, before, next), (place) => undo(unit, place, before, next))

/** Clears entries. P is gone from memory when it returns, whatever the unit says; what it says is warned about. */
export const blockEntries = (
  unit: Unit, places: readonly EntryPlace[], before: PointState, device: Device, warn: Warn,
): void => {
  const next = absent(before.words.length)
  forceAll(places, (place) => change(unit, place, before, next), (place, { message }) => {
    force(unit, place, next.words)
    warn(`${device.name} is blocked in the tables, but the unit may go on using old entries: ${message}`)
  })
}
