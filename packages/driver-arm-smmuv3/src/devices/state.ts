// A probed device: its translation points, and the changes that switch them.
import type { Device, Pasid } from '@iommu/core'
import { forceAll, makeAll } from '@iommu/core/driver'
import type { Points, Warn } from '@iommu/core/driver'
import { loadWords } from '@iommu/hardware'
import type { Words } from '@iommu/bits'
import type { StageTwoFacts } from '../domains/words.js'
import { apply } from '../programming/apply.js'
import type { Command, PlanStep } from '../programming/plan.js'
import type { Unit } from '../unit.js'

/** What a point is to say. On PASIDs only contexts of stage 1 can be; the requester id's stream says the rest. */
export type PointState =
  | { readonly kind: 'blocked' }
  | { readonly kind: 'bypass' }
  | { readonly kind: 'stage 1'; readonly context: Words }
  | ({ readonly kind: 'stage 2' } & StageTwoFacts)

/** A device that the driver has probed. Of an SMMU that does not answer, `set` throws ENODEV and `block` only warns. */
export interface DeviceState extends Points<DeviceState, PointState> {
  readonly device: Device
  readonly unit: Unit
  /** Its requester id and its aliases: the StreamIDs. */
  readonly sources: readonly number[]
  /** PASIDs below this fit its CD table; 0: requests with PASID are not let through. */
  readonly maxPasids: number
  /** Whether the device's ATS may be enabled, where an entry allows it. */
  readonly ats: boolean
  /** Sources whose own TLB has to be told of changes: those with ATS enabled. */
  deviceTlbs(): readonly number[]
  /**
   * Makes room for tables of a stage on a point. Throws ENOMEM, EINVAL for a PASID that cannot be, or EBUSY for stage 2
   * while PASIDs are alive; nothing is changed then.
   */
  reserve(pasid: Pasid, stage: 1 | 2): void
  /** Takes the device out of the tables and gives its tables back. Cannot fail. */
  release(): void
}

/** Whether device and SMMU can do ATS. */
export const canAts = (unit: Unit, device: Device): boolean =>
  device.ats === true && unit.capabilities.ats
  && unit.machine.endpoint(device.requesterId).config.capabilities.atsQueueDepth !== undefined

export const enabledTlbs = (unit: Unit, sources: readonly number[]): number[] =>
  sources.filter((source) => unit.machine.endpoint(source).config.enabled.ats)

/** One part of a switch: a change of an entry, commands, or a switch at the endpoint. */
export type Change =
  | { readonly what: 'entry'; readonly address: bigint; readonly from: Words; readonly to: Words; plan(from: Words, to: Words): readonly PlanStep[] }
  | { readonly what: 'flush'; readonly commands: readonly Command[] }
  | { readonly what: 'ats'; readonly on: boolean; readonly sources: readonly number[] }

type EntryChange = Extract<Change, { what: 'entry' }>

const isChanged = ({ from, to }: EntryChange): boolean => from.some((word, index) => word !== to[index])

const load = (unit: Unit, { address, from }: EntryChange): bigint[] =>
  loadWords(unit.machine.memory, address, from.length)

const bytesOf = ({ from }: EntryChange): number => from.length * 8

/** Writes the words without asking the SMMU for anything: the last resort where it has stopped answering. */
const force = (unit: Unit, change: EntryChange, words: Words): void =>
  apply(unit, change.address, bytesOf(change), change.plan(load(unit, change), words).filter((step) => step.do !== 'invalidate'))

const switchAts = (unit: Unit, sources: readonly number[], on: boolean): void => {
  for (const source of sources) {
    const { config } = unit.machine.endpoint(source)
    if (on) config.enable('ats')
    else config.disable('ats')
  }
}

const make = (unit: Unit, change: Change): void => {
  switch (change.what) {
    case 'entry': if (isChanged(change)) apply(unit, change.address, bytesOf(change), change.plan(change.from, change.to)); break
    case 'flush': if (change.commands.length > 0) unit.queue.submit(change.commands); break
    case 'ats': switchAts(unit, change.sources, change.on); break
    default: change satisfies never
  }
}

/** Brings back what was before a change that broke off somewhere. */
const undo = (unit: Unit, change: Change): void => {
  switch (change.what) {
    case 'entry':
      try {
        apply(unit, change.address, bytesOf(change), change.plan(load(unit, change), change.from))
      } catch {
        force(unit, change, change.from)
      }
      break
    case 'flush': break
    case 'ats': switchAts(unit, change.sources, !change.on); break
    default: change satisfies never
  }
}

/** Makes all changes, in order; or none, and then it throws. */
export const makeChanges = (unit: Unit, changes: readonly Change[]): void =>
  makeAll(changes, (change) => make(unit, change), (change) => undo(unit, change))

/** Makes all changes whatever the SMMU says; what it says is warned about. Memory is changed when it returns. */
export const forceChanges = (unit: Unit, changes: readonly Change[], device: Device, warn: Warn): void => {
  forceAll(changes, (change) => make(unit, change), (change, { message }) => {
    if (change.what === 'entry') force(unit, change, change.to)
    warn(`${device.name} is blocked in the tables, but the SMMU may go on using old entries: ${message}`)
  })
}
