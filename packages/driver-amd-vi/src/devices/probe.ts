// Probes a device: its entries in the device table, its GCR3 table, and the order in which a switch changes them.
import { IommuError } from '@iommu/core'
import type { Device, Pasid } from '@iommu/core'
import { sourcesOf } from '@iommu/core/driver'
import type { Warn } from '@iommu/core/driver'
import { loadWords } from '@iommu/hardware'
import { guestMode, entryTag, gcr3Words, leavesRoom, usesSlot } from '../domains/words.js'
import type { PointState, WordFacts } from '../domains/words.js'
import { pasidBitsOfLevels } from '../tables/index.js'
import type { Unit } from '../unit.js'
import { createGcr3Table } from './gcr3.js'
import type { Gcr3Table } from './gcr3.js'
import { blockEntries, canAts, enabledTlbs, switchEntries } from './state.js'
import type { DeviceState, EntryPlace, Stage } from './state.js'

const ENTRY_WORDS = 4
const BLOCKED: PointState = { kind: 'blocked' }

/** PASIDs that device and unit have in common, and that a GCR3 table of the unit has entries for, as bits. */
const pasidBitsOf = ({ capabilities, machine }: Unit, { requesterId }: Device): number =>
  (capabilities.guest ? Math.min(
    machine.endpoint(requesterId).config.capabilities.pasidWidth ?? 0, capabilities.pasidBits, pasidBitsOfLevels(capabilities.gcr3Levels),
  ) : 0)

/** Throws ENODEV for a source beyond the device table, ENOMEM or ENOSPC; nothing is left behind then. */
export const probe = (unit: Unit, device: Device, warn: Warn): DeviceState => {
  const { capabilities, programming, machine: { memory } } = unit
  const sources = sourcesOf(device)
  const addresses = sources.map((source) => unit.entryAddress(source))
  const pasidBits = pasidBitsOf(unit, device)
  const maxPasids = pasidBits > 0 ? 2 ** pasidBits : 0

  // Requests without PASID can have guest tables on devices without PASIDs too.
  const domainId = maxPasids > 0 || capabilities.guestIo ? unit.domainIds.take() : undefined
  let table: Gcr3Table | undefined
  try {
    table = domainId === undefined ? undefined : createGcr3Table(unit, pasidBits)
  } catch (error) {
    if (domainId !== undefined) unit.domainIds.give(domainId)
    throw error
  }
  const facts: WordFacts = {
    ats: canAts(unit, device),
    gcr3: table === undefined || domainId === undefined ? undefined : {
      root: table.root, levels: table.levels, domainId, pasids: maxPasids > 0, guestIo: capabilities.guestIo, pasidLevels: unit.pasidLevels,
    },
  }

  const deviceTlbs = (): ReturnType<typeof enabledTlbs> => enabledTlbs(unit, sources)
  const occupants: DeviceState['occupants'] = new Map()
  const livePasids = (): Pasid[] => [...occupants.keys()].filter((each) => each !== 0)
  const stagesTo = (next: PointState, by: WordFacts): Stage[] => sources.map((source, index) => {
    const address = addresses[index] as bigint
    const from = loadWords(memory, address, ENTRY_WORDS)
    const place: EntryPlace = {
      address,
      plan: (before, after) => programming.planEntry(before, after, programming.flushEntry({
        source, old: entryTag(before), deviceTlbs: deviceTlbs().filter((each) => each.source === source),
        pasids: leavesRoom(next, by) ? [] : livePasids(),
      })),
    }
    return { place, from, to: programming.entryWords(next, by, from) }
  })
  const slot = (pasid: Pasid): EntryPlace | undefined => {
    const address = table?.entry(pasid)
    if (address === undefined || domainId === undefined) return undefined
    return {
      address,
      plan: (from, to) => programming.planSlot(from, to, programming.flushSlot({ tag: { domainId, pasid }, deviceTlbs: deviceTlbs() })),
    }
  }
  const slotStages = (pasid: Pasid, to: readonly bigint[]): Stage[] => {
    const place = slot(pasid)
    return place === undefined ? [] : [{ place, from: loadWords(memory, place.address, 1), to }]
  }

  /**
   * The stages of a switch of the requester id. GCR3[0] is filled before the entry leads there and emptied when it
   * does not lead there any more; where both entries do, with guest tables of different depth, it is empty in between.
   */
  const ridStages = (state: PointState): Stage[] => {
    const changes = stagesTo(state, facts)
    const { from, to } = changes[0] as Stage
    const place = slot(0)
    if (place === undefined) return changes
    const now = loadWords(memory, place.address, 1)
    const final = gcr3Words(state.kind === 'guest' ? state.root : undefined)
    const between = !usesSlot(from) ? final : usesSlot(to) && guestMode(from) !== guestMode(to) ? gcr3Words(undefined) : now
    return [{ place, from: now, to: between }, ...changes, { place, from: between, to: final }]
  }

  let rid: PointState = BLOCKED
  const state: DeviceState = {
    device,
    unit,
    sources,
    maxPasids,
    occupants,
    facts,
    deviceTlbs,
    reserve(pasid) {
      if (pasid === 0) return
      if (pasid >= maxPasids) throw new IommuError('EINVAL', 'the PASID is beyond what device and unit have', { pasid, maxPasids })
      table?.reserve(pasid)
    },
    set(pasid, next) {
      if (pasid === 0) {
        if (!leavesRoom(next, facts) && livePasids().length > 0) {
          throw new IommuError('EBUSY', `live PASIDs cannot go on beside ${next.kind} tables on the requester id`, { device: device.name })
        }
        switchEntries(unit, ridStages(next))
        rid = next
        return
      }
      if (next.kind !== 'guest') throw new IommuError('EINVAL', 'a PASID can have guest tables only', { pasid })
      if (!leavesRoom(rid, facts)) {
        throw new IommuError('EINVAL', `what the requester id has leaves no room for PASIDs: ${rid.kind}`, { device: device.name, pasid })
      }
      state.reserve(pasid)
      switchEntries(unit, slotStages(pasid, gcr3Words(next.root)))
    },
    block(pasid) {
      blockEntries(unit, pasid === 0 ? ridStages(BLOCKED) : slotStages(pasid, gcr3Words(undefined)), device, warn)
      if (pasid === 0) rid = BLOCKED
    },
    release() {
      blockEntries(unit, ridStages(BLOCKED), device, warn)
      // The GCR3 table goes: nothing leads there any more.
      const plain: WordFacts = { ats: false, gcr3: undefined }
      blockEntries(unit, stagesTo(BLOCKED, plain), device, warn)
      table?.free()
      if (domainId !== undefined) unit.domainIds.give(domainId)
    },
  }
  // The table starts with entries that abort; with PASIDs the requester id's block is another one.
  try {
    switchEntries(unit, ridStages(BLOCKED))
  } catch (error) {
    state.release()
    throw error
  }
  return state
}
