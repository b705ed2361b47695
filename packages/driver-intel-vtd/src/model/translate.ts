// What happens to a DMA: the one routine, with choices where hardware may have kept a copy.
//
//   source ─▶ root entry ─▶ context entry ┬─ legacy ────────────────────────────▶ second stage or pass-through
//                                         └─ scalable ─▶ PASID directory ─▶ PASID entry ─▶ first stage, second
//                                                        (PASID, or RID_PASID)              stage, pass-through
import { frameAddress } from '@iommu/hardware'
import type { Choose, DmaRequest, Outcome, PhysicalMemory, Step, Translated } from '@iommu/hardware'
import { ABSENT, LEAF, lookupLeaf, RESERVED } from '@iommu/page-table'
import { faultReasons } from '../tables/index.js'
import type { Capabilities, Levels } from '../tables/index.js'
import { firstStageTag, pasidKey } from './caches.js'
import type { Caches } from './caches.js'
import { fetchLegacyContext, fetchPasid, fetchScalableContext, fitsSecondStage, isCanonical, Stopped } from './copies.js'
import type { AbsentCopy, ContextCopy, LegacyContext, PasidContext, PasidCopy, Reader, ScalableContext } from './copies.js'
import type { Formats } from './formats.js'
import type { UnitState } from './registers.js'
import type { Asked, Supply } from './supply.js'
import { cachingWalk, vtdWalk } from './walks.js'
import type { Leaf, Sight } from './walks.js'

/** What the routine reads. */
export interface Hardware {
  readonly memory: Pick<PhysicalMemory, 'walker'>
  readonly state: Pick<UnitState, 'translating' | 'rootTable' | 'mode'>
  readonly caches: Caches
  readonly capabilities: Capabilities
  readonly hostAddressBits: number
  readonly formats: Formats
}

const INTERRUPTS = 0xfee0_0000n
/** 0xfee00000 to 0xfeefffff: writes without PASID are interrupt requests, never memory. */
const isInterrupt = (address: bigint): boolean => (address & ~0xf_ffffn) === INTERRUPTS

const passes = (
  address: bigint, tag: string, attributes: Translated['attributes'], pageSize = 4096n,
): Translated => ({
  result: 'translated', address, tag, attributes, permissions: { read: true, write: true }, pageSize,
})

const readerOf = (hardware: Hardware, steps: Step[] | undefined): Reader => ({
  view: hardware.memory.walker, capabilities: hardware.capabilities, hostAddressBits: hardware.hostAddressBits, steps,
})

/** What is kept of an entry that was not present. */
const absentCopy = ({ silent }: Stopped): AbsentCopy => (silent ? 'absent and silent' : 'absent')

/** Reads a context entry, or takes the kept copy. In caching mode an absent entry is kept too. */
const context = (hardware: Hardware, source: number, sight: Sight): LegacyContext | ScalableContext => {
  if (sight.supply !== undefined) return sight.supply.context(source)
  const { caches: { contexts }, state, capabilities } = hardware
  const legacy = state.mode === 'legacy'
  const missing = legacy ? 0x02 : 0x41
  const kept = sight.cached ? contexts.get(source) : undefined
  if (kept !== undefined && sight.choose(2) === 0) {
    if (typeof kept.copy === 'string') throw new Stopped(missing, kept.copy === 'absent and silent')
    return kept.copy
  }
  const keep = (copy: ContextCopy, domainId: number): void => {
    if (sight.fills) contexts.keep(source, { source, pasid: 0, domainId, absent: typeof copy === 'string' }, copy)
  }
  try {
    const reader = readerOf(hardware, sight.steps)
    const read = legacy ? fetchLegacyContext(reader, state.rootTable, source) : fetchScalableContext(reader, state.rootTable, source)
    keep(read, read.mode === 'legacy' ? read.domainId : 0)
    return read
  } catch (error) {
    if (capabilities.cachingMode && error instanceof Stopped && error.code === missing) keep(absentCopy(error), 0)
    throw error
  }
}

/** Reads a PASID entry, or takes the kept copy. */
const pasidEntry = (hardware: Hardware, source: number, from: ScalableContext, pasid: number, sight: Sight): PasidContext => {
  if (sight.supply !== undefined) return sight.supply.pasid(source, from, pasid)
  const { caches: { pasids }, capabilities } = hardware
  const key = pasidKey(source, pasid)
  const kept = sight.cached ? pasids.get(key) : undefined
  if (kept !== undefined && sight.choose(2) === 0) {
    if (typeof kept.copy === 'string') throw new Stopped(0x59, from.silent || kept.copy === 'absent and silent')
    return kept.copy
  }
  const keep = (copy: PasidCopy, domainId: number): void => {
    if (sight.fills) pasids.keep(key, { source, pasid, domainId, absent: typeof copy === 'string' }, copy)
  }
  try {
    const read = fetchPasid(readerOf(hardware, sight.steps), from, pasid)
    keep(read, read.domainId)
    return read
  } catch (error) {
    if (capabilities.cachingMode && error instanceof Stopped && error.code === 0x59) keep(absentCopy(error), 0)
    throw error
  }
}

const leafOutcome = (hardware: Hardware, request: DmaRequest, leaf: Leaf, tag: string, attributes: Translated['attributes']): Translated => {
  const offset = request.address & ((1n << BigInt(leaf.pageShift)) - 1n)
  const address = frameAddress(leaf.frame) + offset
  if (isInterrupt(address)) throw new Stopped(hardware.state.mode === 'legacy' ? 0x0e : 0x87)
  return {
    result: 'translated', address, tag, attributes, permissions: { read: leaf.read, write: leaf.write },
    pageSize: 1n << BigInt(leaf.pageShift),
  }
}

/** What a leaf of second-stage tables answers: the codes of the two modes differ (reference 6). */
const secondStageAnswer = (hardware: Hardware, request: DmaRequest, leaf: Leaf, levels: Levels, domainId: number): Translated => {
  const legacy = hardware.state.mode === 'legacy'
  const refused = legacy ? (request.access === 'write' ? 0x05 : 0x06) : 0x79
  if (leaf.status === ABSENT) throw new Stopped(refused)
  if (leaf.status === RESERVED) throw new Stopped(legacy ? 0x0c : 0x7a)
  if (leaf.status !== LEAF) throw new Stopped(legacy ? 0x07 : leaf.level === levels ? 0x7b : 0x78)
  const granted = request.access === 'write' ? leaf.write : leaf.read
  if (!granted && request.kind !== 'translate') throw new Stopped(refused)
  return leafOutcome(hardware, request, leaf, `domain ${domainId}`, { stage: 'second', snoop: leaf.snoop })
}

const secondStageWalk = (hardware: Hardware, request: DmaRequest, root: number, levels: Levels, domainId: number, sight: Sight): Translated => {
  const { capabilities, caches, formats, memory, state } = hardware
  if (!fitsSecondStage(request.address, levels, capabilities)) throw new Stopped(state.mode === 'legacy' ? 0x04 : 0x83)
  if (sight.supply !== undefined) {
    return supplied(hardware, request, {
      stage: 'second', levels, root, domainId, pasid: 0, forceSnoop: false, address: request.address, tag: `domain ${domainId}`,
    }, sight.supply)
  }
  const leaf = lookupLeaf(capabilities.cachingMode ? cachingWalk : vtdWalk, {
    translations: caches.secondStage, tag: domainId, format: formats.second(levels), root, view: memory.walker,
    address: request.address,
  }, sight)
  return secondStageAnswer(hardware, request, leaf, levels, domainId)
}

/** What a leaf of first-stage tables answers. */
const firstStageAnswer = (hardware: Hardware, request: DmaRequest, leaf: Leaf, levels: Levels, tag: string, snoop: boolean): Translated => {
  if (leaf.status === ABSENT) throw new Stopped(0x71)
  if (leaf.status === RESERVED) throw new Stopped(0x72)
  if (leaf.status !== LEAF) throw new Stopped(leaf.level === levels ? 0x73 : 0x70)
  if (!leaf.user && request.privileged !== true) throw new Stopped(0x81)
  if (request.execute === true && !leaf.execute) throw new Stopped(0x82)
  if (request.access === 'write' && !leaf.write && request.kind !== 'translate') throw new Stopped(0x85)
  if (request.access === 'read' && !leaf.read) throw new Stopped(0x86)
  return leafOutcome(hardware, request, leaf, tag, { stage: 'first', snoop })
}

const firstStageWalk = (hardware: Hardware, request: DmaRequest, entry: PasidContext, pasid: number, sight: Sight): Translated => {
  const { caches, formats, memory } = hardware
  const { levels, root, domainId, forceSnoop } = entry
  if (!isCanonical(request.address, levels)) throw new Stopped(0x80)
  if (request.privileged === true && !entry.supervisor) throw new Stopped(0x5d)
  if (request.execute === true && !entry.execute) throw new Stopped(0x5c)
  const tag = `domain ${domainId} PASID ${pasid}`
  if (sight.supply !== undefined) {
    return supplied(hardware, request, { stage: 'first', levels, root, domainId, pasid, forceSnoop, address: request.address, tag }, sight.supply)
  }
  const leaf = lookupLeaf(vtdWalk, {
    translations: caches.firstStage, tag: firstStageTag(domainId, pasid), format: formats.first(levels),
    root, view: memory.walker, address: request.address,
  }, sight)
  return firstStageAnswer(hardware, request, leaf, levels, tag, forceSnoop)
}

const passesThrough = (address: bigint, tag: string): Translated => passes(address, tag, { stage: 'pass-through', snoop: false })

const passThrough = (
  hardware: Hardware, request: DmaRequest, bits: number, domainId: number, pasid: number | undefined, sight: Sight,
): Translated => {
  const { address } = request
  const legacy = hardware.state.mode === 'legacy'
  if (address >> BigInt(Math.min(bits, hardware.hostAddressBits)) !== 0n) throw new Stopped(legacy ? 0x04 : 0x83)
  const tag = pasid === undefined ? `domain ${domainId}` : `domain ${domainId} PASID ${pasid}`
  if (sight.supply === undefined) return passesThrough(address, tag)
  return supplied(hardware, request, {
    stage: 'pass-through', levels: 4, root: 0, domainId, pasid: pasid ?? 0, forceSnoop: false, address, tag,
  }, sight.supply)
}

/** A translation that is not looked for here. One that was kept may be of another stage than the entry at hand. */
const supplied = (hardware: Hardware, request: DmaRequest, asked: Asked, supply: Supply): Translated => {
  const { leaf, stage, snoop } = supply.leaf(asked)
  switch (stage) {
    case 'second': return secondStageAnswer(hardware, request, leaf, asked.levels, asked.domainId)
    case 'first': return firstStageAnswer(hardware, request, leaf, asked.levels, asked.tag, snoop)
    case 'pass-through': return passesThrough(request.address, asked.tag)
    default: return stage satisfies never
  }
}

/** A request in legacy mode: the context entry says it all. */
const legacyRequest = (hardware: Hardware, request: DmaRequest, sight: Sight): Translated => {
  if (request.pasid !== undefined) throw new Stopped(0x31)
  if (request.kind === 'page-request') throw new Stopped(0x32)
  const entry = context(hardware, request.source, sight) as LegacyContext
  const quiet = <T>(run: () => T): T => silenced(entry.silent, run)
  return quiet(() => {
    if (request.kind !== 'untranslated' && !entry.ats) throw new Stopped(0x0d)
    if (request.kind === 'translated') return passes(request.address, 'ats', { stage: 'ats', snoop: false })
    return entry.passThrough
      ? passThrough(hardware, request, 12 + 9 * entry.levels, entry.domainId, undefined, sight)
      : secondStageWalk(hardware, request, entry.root, entry.levels, entry.domainId, sight)
  })
}

/** A request in scalable mode: the context entry, then the entry of its PASID or of RID_PASID. */
const scalableRequest = (hardware: Hardware, request: DmaRequest, sight: Sight): Translated => {
  const from = context(hardware, request.source, sight) as ScalableContext
  const pasid = request.pasid ?? from.ridPasid
  const entry = silenced(from.silent, () => {
    if (request.pasid !== undefined && !from.pasids) throw new Stopped(0x45)
    if (request.kind === 'page-request') throw new Stopped(0x47)
    if (request.kind !== 'untranslated' && !from.ats) throw new Stopped(0x44)
    if (pasid >= from.pasidLimit) throw new Stopped(0x46)
    return request.kind === 'translated' ? undefined : pasidEntry(hardware, request.source, from, pasid, sight)
  })
  if (entry === undefined) return passes(request.address, 'ats', { stage: 'ats', snoop: false })
  return silenced(entry.silent, () => {
    switch (entry.type) {
      case 'first': return firstStageWalk(hardware, request, entry, pasid, sight)
      case 'second': return secondStageWalk(hardware, request, entry.root, entry.levels, entry.domainId, sight)
      case 'pass-through':
        return passThrough(hardware, request, hardware.hostAddressBits, entry.domainId, pasid, sight)
      default: return entry.type satisfies never
    }
  })
}

/** FPD on the way: qualified faults from here on are not recorded. */
const silenced = <T>(silent: boolean, run: () => T): T => {
  try {
    return run()
  } catch (error) {
    if (silent && error instanceof Stopped) throw new Stopped(error.code, true)
    throw error
  }
}

const unitAnswer = (hardware: Hardware, request: DmaRequest, sight: Sight): Translated => {
  const { mode } = hardware.state
  if (mode === 'abort' || mode === 'reserved') throw new Stopped(0x33)
  if (isInterrupt(request.address)) {
    if (request.pasid === undefined && request.access === 'write' && request.kind === 'untranslated') {
      return passes(request.address, 'interrupt', { stage: 'interrupt', snoop: false })
    }
    throw new Stopped(mode === 'legacy' ? 0x0e : 0x87)
  }
  return mode === 'legacy' ? legacyRequest(hardware, request, sight) : scalableRequest(hardware, request, sight)
}

/** What the device's own TLB says to a translation request, where it has kept something. */
const deviceAnswer = ({ caches }: Hardware, request: DmaRequest, { cached, choose }: Sight): Translated | undefined => {
  if (request.kind !== 'translate' || !cached) return undefined
  const kept = caches.devices.get(request.source)?.lookup(request.pasid ?? 0, Number(request.address >> 12n))
  if (kept === undefined || choose(2) === 1) return undefined
  return {
    result: 'translated',
    address: frameAddress(kept.frame) + (request.address & ((1n << BigInt(kept.pageShift)) - 1n)),
    tag: 'device TLB',
    attributes: { stage: 'ats', snoop: kept.snoop },
    permissions: { read: kept.read, write: kept.write },
    pageSize: 1n << BigInt(kept.pageShift),
  }
}

/** The answer to a request, as the sight allows it to be given. */
export const translate = (hardware: Hardware, request: DmaRequest, sight: Sight): Outcome => {
  const device = deviceAnswer(hardware, request, sight)
  if (device !== undefined) return device
  if (!hardware.state.translating) return passes(request.address, 'translation off', { stage: 'off', snoop: false })
  try {
    return unitAnswer(hardware, request, sight)
  } catch (error) {
    if (!(error instanceof Stopped)) throw error
    const reason = faultReasons.get(error.code)
    return {
      result: 'blocked',
      fault: {
        code: error.code,
        name: reason?.meaning ?? 'unknown',
        recorded: request.kind !== 'translate' && !(error.silent && reason?.qualified === true),
      },
    }
  }
}

/** Caches looked into, and left as they are. */
export const exploring = (choose: Choose): Sight => ({ choose, cached: true, fills: false })
