// A probed device: its translation points, what is live in each, and how entries are switched, undone and blocked.
import type { Device, Pasid } from '@iommu/core'
import { forceAll, makeAll } from '@iommu/core/driver'
import type { Points, Warn } from '@iommu/core/driver'
import { loadWords } from '@iommu/hardware'
import type { PointState, WordFacts } from '../domains/words.js'
import { apply } from '../programming/apply.js'
import type { DeviceTlb } from '../programming/invalidate.js'
import type { PlanStep } from '../programming/plan.js'
import type { Unit } from '../unit.js'

/**
 * A device that the driver has probed. `set` throws EBUSY where live PASIDs are in the way of a requester id's state,
 * EINVAL where the requester id's state leaves no room for PASIDs, and ENODEV of a unit that does not answer, where
 * `block` only warns.
 */
export interface DeviceState extends Points<DeviceState, PointState> {
  readonly device: Device
  readonly unit: Unit
  /** Its requester id and its aliases. */
  readonly sources: readonly number[]
  /** PASIDs below this fit its GCR3 table; 0: requests with PASID are not let through. */
  readonly maxPasids: number
  readonly facts: WordFacts
  /** Device TLBs that have to be told of changes: those of sources with ATS enabled. */
  deviceTlbs(): readonly DeviceTlb[]
  /** Makes room for a point's entry. Throws ENOMEM, or EINVAL for a PASID that cannot be; nothing is changed then. */
  reserve(pasid: Pasid): void
  /** Takes the device out of the tables and gives its tables back. Cannot fail. */
  release(): void
}

/** Whether device and unit can do ATS. */
export const canAts = (unit: Unit, device: Device): boolean =>
  device.ats === true && unit.capabilities.deviceTlb
  && unit.machine.endpoint(device.requesterId).config.capabilities.atsQueueDepth !== undefined

export const enabledTlbs = (unit: Unit, sources: readonly number[]): DeviceTlb[] =>
  sources.flatMap((source) => {
    const { config } = unit.machine.endpoint(source)
    return config.enabled.ats ? [{ source, queueDepth: config.capabilities.atsQueueDepth ?? 0 }] : []
  })

type Words = readonly bigint[]

/** An entry in memory, and the steps of a change of it. */
export interface EntryPlace {
  readonly address: bigint
  plan(from: Words, to: Words): readonly PlanStep[]
}

/** One entry's part in a change of a point. */
export interface Stage {
  readonly place: EntryPlace
  readonly from: Words
  readonly to: Words
}

const change = (unit: Unit, { place, from, to }: Stage): void => apply(unit, place.address, place.plan(from, to))

/** Writes the words without asking the unit for anything: the last resort where it has stopped answering. */
const force = (unit: Unit, { place, to }: Omit<Stage, 'from'>): void => {
  const steps = place.plan(loadWords(unit.machine.memory, place.address, to.length), to)
  apply(unit, place.address, steps.filter((step) => step.do !== 'invalidate'))
}

/** Brings back what was before a change that broke off somewhere. */
const undo = (unit: Unit, { place, from }: Stage): void => {
  try {
    change(unit, { place, from: loadWords(unit.machine.memory, place.address, from.length), to: from })
  } catch {
    force(unit, { place, to: from })
  }
}

/** Carries the stages out in order: all of them, or none, and then it throws. */
export const switchEntries = (unit: Unit, stages: readonly Stage[]): void =>
  makeAll(stages, (stage) => change(unit, stage), (stage) => undo(unit, stage))

/** Carries the stages out whatever the unit says; what it says is warned about. Memory says `to` when it returns. */
export const blockEntries = (unit: Unit, stages: readonly Stage[], device: Device, warn: Warn): void => {
  forceAll(stages, (stage) => change(unit, stage), (stage, { message }) => {
    force(unit, stage)
    warn(`${device.name} is blocked in the tables, but the unit may go on using old entries: ${message}`)
  })
}
