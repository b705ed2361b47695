// A device behind an SMMU: the stream table entries of its sources, and the CD table of its PASIDs.
import { IommuError } from '@iommu/core'
import type { Device, Pasid } from '@iommu/core'
import { sourcesOf } from '@iommu/core/driver'
import type { Warn } from '@iommu/core/driver'
import type { Words } from '@iommu/bits'
import { abortWords, streamWords } from '../domains/words.js'
import type { StreamFacts } from '../domains/words.js'
import type { Unit } from '../unit.js'
import { contextBits, createContexts } from './contexts.js'
import { canAts, enabledTlbs, forceChanges, makeChanges } from './state.js'
import type { Change, DeviceState, PointState } from './state.js'

const BLOCKED: PointState = { kind: 'blocked' }
const NO_CONTEXT: Words = Array.from({ length: 8 }, () => 0n)

/** Makes the entries, which abort. Throws ENOMEM, ENODEV, EINVAL for a source too large; nothing is left behind then. */
export const probeStream = (unit: Unit, device: Device, warn: Warn): DeviceState => {
  const { capabilities, programming } = unit
  const sources = sourcesOf(device)
  const { capabilities: endpoint } = unit.machine.endpoint(device.requesterId).config
  const max = capabilities.stage1 ? contextBits(unit, endpoint.pasidWidth ?? 0) : 0
  const ats = canAts(unit, device)
  const entries = sources.map((source) => ({ source, address: unit.streamEntry(source) }))
  const contexts = capabilities.stage1 ? createContexts(unit, sources, max) : undefined
  try {
    contexts?.reserve(0)
  } catch (error) {
    contexts?.free()
    throw error
  }

  const facts: StreamFacts = { capabilities, ats, contexts }
  /** What the requester id is on, the contexts that are valid, and the entry that all sources have. */
  let rid: PointState = BLOCKED
  const live = new Map<Pasid, Words>()
  let stream = abortWords()

  const deviceTlbs = (): number[] => enabledTlbs(unit, sources)
  const pasidsAlive = (besides?: Pasid): boolean => [...live.keys()].some((pasid) => pasid !== 0 && pasid !== besides)
  const contextChange = (pasid: Pasid, to: Words): Change[] => {
    const address = contexts?.entry(pasid)
    return address === undefined ? [] : [{
      what: 'entry', address, from: live.get(pasid) ?? NO_CONTEXT, to,
      plan: (from, next) => programming.planContext(from, next, programming.syncContext(sources, pasid)),
    }]
  }
  const streamChanges = (to: Words): Change[] => entries.map(({ source, address }) => ({
    what: 'entry', address, from: stream, to, plan: (from, next) => programming.planStream(from, next, programming.syncStream(source)),
  }))
  /** Whether the entry for these states lets ATS through: bypass and abort ignore EATS. */
  const allowsAts = (to: PointState, pasids: boolean): boolean =>
    ats && !(to.kind === 'stage 2' && capabilities.stalls === 'always') && (pasids || to.kind === 'stage 1' || to.kind === 'stage 2')
  /**
   * The changes around a new entry: ATS goes off before the entry stops allowing it and on after the entry allows it,
   * and whatever the device's own TLB may hold is forgotten. `pasid`: of the point that changes.
   */
  const around = (to: PointState, pasids: boolean, pasid: Pasid, entryChanges: readonly Change[]): Change[] => {
    const before = deviceTlbs()
    const after = allowsAts(to, pasids) ? sources : []
    const [starting, stopping] = [after.filter((each) => !before.includes(each)), before.filter((each) => !after.includes(each))]
    const staying = before.filter((each) => after.includes(each))
    return [
      ...(stopping.length > 0 ? [{ what: 'ats', on: false, sources: stopping } as const] : []),
      ...entryChanges,
      { what: 'flush', commands: [
        ...staying.map((source) => programming.flushDevice(source, pasid)),
        ...[...stopping, ...starting].map((source) => programming.flushWholeDevice(source)),
      ] },
      ...(starting.length > 0 ? [{ what: 'ats', on: true, sources: starting } as const] : []),
    ]
  }
  /** Changes of the requester id: a context before the entry that uses it, and gone after the entry no longer does. */
  const ridChanges = (to: PointState): Change[] => {
    const pasids = pasidsAlive()
    const words = streamWords(facts, to, pasids)
    const context = contexts === undefined ? [] : contextChange(0, to.kind === 'stage 1' ? to.context : NO_CONTEXT)
    const changes = to.kind === 'stage 1' ? [...context, ...streamChanges(words)] : [...streamChanges(words), ...context]
    return around(to, pasids, 0, changes)
  }
  const ridChanged = (to: PointState): void => {
    rid = to
    if (to.kind === 'stage 1') live.set(0, to.context)
    else live.delete(0)
    stream = streamWords(facts, to, pasidsAlive())
  }
  const pasidChanged = (pasid: Pasid, context: Words | undefined): void => {
    if (context === undefined) live.delete(pasid)
    else live.set(pasid, context)
    stream = streamWords(facts, rid, pasidsAlive())
  }
  /** A context goes before the entry shrinks: requests of the PASID fault from the first moment on. */
  const pasidRemoval = (pasid: Pasid): Change[] => {
    const pasids = pasidsAlive(pasid)
    return around(rid, pasids, pasid, [...contextChange(pasid, NO_CONTEXT), ...streamChanges(streamWords(facts, rid, pasids))])
  }
  const block = (pasid: Pasid): void => {
    if (pasid === 0) {
      forceChanges(unit, ridChanges(BLOCKED), device, warn)
      ridChanged(BLOCKED)
    } else if (live.has(pasid)) {
      forceChanges(unit, pasidRemoval(pasid), device, warn)
      pasidChanged(pasid, undefined)
    }
  }
  const maxPasids = max > 0 ? 2 ** max : 0

  return {
    device,
    unit,
    sources,
    maxPasids,
    occupants: new Map(),
    ats,
    deviceTlbs,
    reserve(pasid, stage) {
      if (pasid === 0 && stage === 2 && pasidsAlive()) {
        throw new IommuError('EBUSY', 'PASIDs are alive, and stage 2 has no CD table', { device: device.name })
      }
      if (pasid === 0) return
      if (pasid >= maxPasids) throw new IommuError('EINVAL', 'the PASID is beyond what device and SMMU have', { pasid, maxPasids })
      if (rid.kind === 'stage 2') throw new IommuError('EINVAL', 'PASIDs need a CD table, and the requester id is on stage 2', { pasid })
      contexts?.reserve(pasid)
    },
    set(pasid, next) {
      if (pasid === 0) {
        makeChanges(unit, ridChanges(next))
        ridChanged(next)
        return
      }
      if (next.kind !== 'stage 1') throw new IommuError('EINVAL', `a PASID cannot be on ${next.kind}`, { pasid })
      makeChanges(unit, around(rid, true, pasid, [...contextChange(pasid, next.context), ...streamChanges(streamWords(facts, rid, true))]))
      pasidChanged(pasid, next.context)
    },
    block,
    release() {
      for (const pasid of [...live.keys()]) block(pasid)
      block(0)
      contexts?.free()
    },
  }
}
