// What happens to a DMA: the one routine, with choices where hardware may have kept a copy. Long: both modes are one routine.
//
//   source ─▶ root entry ─▶ context entry ┬─ legacy ────────────────────────────▶ second stage or pass-through
//                                         └─ scalable ─▶ PASID directory ─▶ PASID entry ─▶ first stage, second
//                                                        (PASID, or RID_PASID)              stage, pass-through
import {
  deviceAnswer, fitsIn, frameIn, frameOf, isCanonical, isInterruptRange, passes, permissionsOf, recall, translatedTo,
} from '@iommu/hardware'
import type { DmaRequest, Outcome, PhysicalMemory, Step, Translated } from '@iommu/hardware'
import { ABSENT, LEAF, readLeaf, recallLeaf, RESERVED } from '@iommu/page-table'
import { faultReasons, widthOfLevels } from '../tables/index.js'
import type { Capabilities, Levels } from '../tables/index.js'
import { firstStageTag, pasidKey } from './caches.js'
import type { Caches } from './caches.js'
import { Absent, fetchLegacyContext, fetchPasid, fetchScalableContext, Stopped } from './copies.js'
import type { ContextCopy, LegacyContext, PasidContext, PasidCopy, Reader, ScalableContext } from './copies.js'
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

type Attributes = Translated['attributes']
const attributes = (stage: string): readonly [plain: Attributes, snooped: Attributes] =>
  [Object.freeze({ stage, snoop: false }), Object.freeze({ stage, snoop: true })]
const snooping = (of: ReturnType<typeof attributes>, snoop: boolean): Attributes => of[snoop === true ? 1 : 0]
const FIRST = attributes('first')
const SECOND = attributes('second')
const PASS_THROUGH = attributes('pass-through')
const ATS = attributes('ats')
const INTERRUPT = attributes('interrupt')
const OFF = attributes('off')

/** Attributes of an answer that comes from a device's own TLB. */
export const inDevice = (of: Attributes): Attributes => snooping(ATS, of['snoop'] === true)

const readerOf = (hardware: Hardware, steps: Step[] | undefined): Reader => ({
  view: hardware.memory.walker, capabilities: hardware.capabilities, hostAddressBits: hardware.hostAddressBits, steps,
})

/** A context entry, as it was kept or as it is. */
const context = (hardware: Hardware, source: number, sight: Sight): LegacyContext | ScalableContext => {
  if (sight.supply !== undefined) return sight.supply.context(source)
  const kept = recall(hardware.caches.contexts, source, sight)
  if (kept === undefined) return readContext(hardware, source, sight)
  if (kept instanceof Absent) throw new Stopped(missingContext(hardware), kept.silent)
  return kept
}

/** Why there is no context entry to go by. */
const missingContext = ({ state }: Hardware): number => (state.mode === 'legacy' ? 0x02 : 0x41)

/** Reads a context entry, and keeps it. In caching mode an absent entry is kept too. */
const readContext = (hardware: Hardware, source: number, sight: Sight): LegacyContext | ScalableContext => {
  const { caches: { contexts }, state: { mode, rootTable }, capabilities } = hardware
  const keep = (copy: ContextCopy, domainId: number): void => {
    if (sight.fills) contexts.keep(source, { source, pasid: 0, domainId, absent: copy instanceof Absent }, copy)
  }
  try {
    const reader = readerOf(hardware, sight.steps)
    const read = mode === 'legacy' ? fetchLegacyContext(reader, rootTable, source) : fetchScalableContext(reader, rootTable, source)
    keep(read, read.mode === 'legacy' ? read.domainId : 0)
    return read
  } catch (error) {
    if (capabilities.cachingMode && error instanceof Stopped && error.code === missingContext(hardware)) keep(new Absent(error.silent), 0)
    throw error
  }
}

/** A PASID entry, as it was kept or as it is. */
const pasidEntry = (hardware: Hardware, source: number, from: ScalableContext, pasid: number, sight: Sight): PasidContext => {
  if (sight.supply !== undefined) return sight.supply.pasid(source, from, pasid)
  const kept = recall(hardware.caches.pasids, pasidKey(source, pasid), sight)
  if (kept === undefined) return readPasid(hardware, source, from, pasid, sight)
  if (kept instanceof Absent) throw new Stopped(0x59, from.silent || kept.silent)
  return kept
}

/** Reads a PASID entry, and keeps it. */
const readPasid = (hardware: Hardware, source: number, from: ScalableContext, pasid: number, sight: Sight): PasidContext => {
  const { caches: { pasids }, capabilities } = hardware
  const keep = (copy: PasidCopy, domainId: number): void => {
    if (sight.fills) pasids.keep(pasidKey(source, pasid), { source, pasid, domainId, absent: copy instanceof Absent }, copy)
  }
  try {
    const read = fetchPasid(readerOf(hardware, sight.steps), from, pasid)
    keep(read, read.domainId)
    return read
  } catch (error) {
    if (capabilities.cachingMode && error instanceof Stopped && error.code === 0x59) keep(new Absent(error.silent), 0)
    throw error
  }
}

const answer = (hardware: Hardware, request: DmaRequest, frame: number, leaf: Leaf, tag: string, of: Attributes): Translated => {
  const target = frameIn(leaf.frame, leaf.pageShift, frame)
  if (isInterruptRange(target)) throw interrupted(hardware)
  return translatedTo(target, leaf.pageShift, request.address, permissionsOf(leaf.read, leaf.write), tag, of)
}

const interrupted = ({ state }: Hardware): Stopped => new Stopped(state.mode === 'legacy' ? 0x0e : 0x87)

/** What a leaf of second-stage tables answers. */
const secondStageAnswer = (hardware: Hardware, request: DmaRequest, frame: number, leaf: Leaf, levels: Levels, tag: string): Translated => {
  if (leaf.status !== LEAF) throw noSecondStage(hardware, request, leaf, levels)
  if ((request.access === 'write' ? leaf.write : leaf.read) !== true && request.kind !== 'translate') throw refused(hardware, request)
  return answer(hardware, request, frame, leaf, tag, snooping(SECOND, leaf.snoop))
}

/** Why second-stage tables stop a request: the codes of the two modes differ (section 7.1.3). */
const noSecondStage = (hardware: Hardware, request: DmaRequest, { status, level }: Leaf, levels: Levels): Stopped => {
  const legacy = hardware.state.mode === 'legacy'
  if (status === ABSENT) return refused(hardware, request)
  if (status === RESERVED) return new Stopped(legacy ? 0x0c : 0x7a)
  // A root that cannot be read is the fault of the entry that names it: LCT.4.3 and SSL.4 of section 7.1.3.
  return new Stopped(level === levels ? (legacy ? 0x03 : 0x7b) : legacy ? 0x07 : 0x78)
}

const refused = ({ state }: Hardware, { access }: DmaRequest): Stopped =>
  new Stopped(state.mode === 'legacy' ? (access === 'write' ? 0x05 : 0x06) : 0x79)

const tooWide = ({ state }: Hardware): Stopped => new Stopped(state.mode === 'legacy' ? 0x04 : 0x83)

/** What an entry says of second-stage tables. */
type SecondStage = Pick<LegacyContext, 'root' | 'levels' | 'domainId' | 'tag'>

const secondStage = (
  hardware: Hardware, request: DmaRequest, frame: number, { root, levels, domainId, tag }: SecondStage, sight: Sight,
): Translated => {
  const { capabilities, caches: { secondStage: translations }, formats, memory } = hardware
  if (!fitsIn(frame, Math.min(widthOfLevels(levels), capabilities.guestAddressBits))) throw tooWide(hardware)
  if (sight.supply !== undefined) {
    const { address } = request
    return supplied(hardware, request, frame, { stage: 'second', levels, root, domainId, pasid: 0, forceSnoop: false, address, tag }, sight.supply)
  }
  const leaf = recallLeaf(translations, domainId, frame, sight)
    ?? readLeaf(capabilities.cachingMode ? cachingWalk : vtdWalk,
      { translations, tag: domainId, format: formats.second(levels), root, view: memory.walker, frame }, sight)
  return secondStageAnswer(hardware, request, frame, leaf, levels, tag)
}

/** What a leaf of first-stage tables answers. */
const firstStageAnswer = (
  hardware: Hardware, request: DmaRequest, frame: number, leaf: Leaf, levels: Levels, tag: string, snoop: boolean,
): Translated => {
  if (leaf.status !== LEAF) throw noFirstStage(leaf, levels)
  if (leaf.user !== true && request.privileged !== true) throw new Stopped(0x81)
  if (request.execute === true && !leaf.execute) throw new Stopped(0x82)
  if (request.access === 'write') {
    if (leaf.write !== true && request.kind !== 'translate') throw new Stopped(0x85)
  } else if (leaf.read !== true) throw new Stopped(0x86)
  return answer(hardware, request, frame, leaf, tag, snooping(FIRST, snoop))
}

/** Why first-stage tables stop a request. */
const noFirstStage = ({ status, level }: Leaf, levels: Levels): Stopped => {
  if (status === ABSENT) return new Stopped(0x71)
  if (status === RESERVED) return new Stopped(0x72)
  return new Stopped(level === levels ? 0x73 : 0x70)
}

const firstStage = (hardware: Hardware, request: DmaRequest, frame: number, entry: PasidContext, pasid: number, sight: Sight): Translated => {
  const { caches: { firstStage: translations }, formats, memory } = hardware
  const { levels, root, domainId, forceSnoop, tag } = entry
  if (!isCanonical(frame, widthOfLevels(levels))) throw new Stopped(0x80)
  if (request.privileged === true && !entry.supervisor) throw new Stopped(0x5d)
  if (request.execute === true && !entry.execute) throw new Stopped(0x5c)
  if (sight.supply !== undefined) {
    const { address } = request
    return supplied(hardware, request, frame, { stage: 'first', levels, root, domainId, pasid, forceSnoop, address, tag }, sight.supply)
  }
  const under = firstStageTag(domainId, pasid)
  const leaf = recallLeaf(translations, under, frame, sight)
    ?? readLeaf(vtdWalk, { translations, tag: under, format: formats.first(levels), root, view: memory.walker, frame }, sight)
  return firstStageAnswer(hardware, request, frame, leaf, levels, tag, forceSnoop)
}

const passesThrough = (address: bigint, tag: string): Translated => passes(address, tag, snooping(PASS_THROUGH, false))

/** `bits`: how wide addresses may be. */
const passThrough = (
  hardware: Hardware, request: DmaRequest, frame: number, bits: number, { domainId, tag }: Pick<LegacyContext, 'domainId' | 'tag'>,
  pasid: number, sight: Sight,
): Translated => {
  const { address } = request
  if (!fitsIn(frame, Math.min(bits, hardware.hostAddressBits))) throw tooWide(hardware)
  if (sight.supply === undefined) return passesThrough(address, tag)
  return supplied(hardware, request, frame, {
    stage: 'pass-through', levels: 4, root: 0, domainId, pasid, forceSnoop: false, address, tag,
  }, sight.supply)
}

/** A translation that is not looked for here. One that was kept may be of another stage than the entry at hand. */
const supplied = (hardware: Hardware, request: DmaRequest, frame: number, asked: Asked, supply: Supply): Translated => {
  const { leaf, stage, snoop } = supply.leaf(asked)
  switch (stage) {
    case 'second': return secondStageAnswer(hardware, request, frame, leaf, asked.levels, asked.tag)
    case 'first': return firstStageAnswer(hardware, request, frame, leaf, asked.levels, asked.tag, snoop)
    case 'pass-through': return passesThrough(request.address, asked.tag)
    default: return stage satisfies never
  }
}

/** A request in legacy mode: the context entry says it all. */
const legacyRequest = (hardware: Hardware, request: DmaRequest, frame: number, sight: Sight): Translated => {
  if (request.pasid !== undefined) throw new Stopped(0x31)
  if (request.kind === 'page-request') throw new Stopped(0x32)
  const entry = context(hardware, request.source, sight) as LegacyContext
  try {
    if (request.kind !== 'untranslated') {
      if (!entry.ats) throw new Stopped(0x0d)
      if (request.kind === 'translated') return passes(request.address, 'ats', snooping(ATS, false))
    }
    return entry.passThrough
      ? passThrough(hardware, request, frame, widthOfLevels(entry.levels), entry, 0, sight)
      : secondStage(hardware, request, frame, entry, sight)
  } catch (error) {
    throw silenced(error, entry.silent)
  }
}

/** A request in scalable mode: the context entry, then the entry of its PASID or of RID_PASID. */
const scalableRequest = (hardware: Hardware, request: DmaRequest, frame: number, sight: Sight): Translated => {
  const from = context(hardware, request.source, sight) as ScalableContext
  try {
    if (request.pasid !== undefined && !from.pasids) throw new Stopped(0x45)
    if (request.kind !== 'untranslated') checkAts(from, request)
    const pasid = request.pasid ?? from.ridPasid
    if (pasid >= from.pasidLimit) throw new Stopped(0x46)
    if (request.kind === 'translated') return passes(request.address, 'ats', snooping(ATS, false))
    return pasidRequest(hardware, request, frame, pasidEntry(hardware, request.source, from, pasid, sight), pasid, sight)
  } catch (error) {
    throw silenced(error, from.silent)
  }
}

const checkAts = ({ ats }: ScalableContext, { kind }: DmaRequest): void => {
  if (kind === 'page-request') throw new Stopped(0x47)
  if (!ats) throw new Stopped(0x44)
}

const pasidRequest = (hardware: Hardware, request: DmaRequest, frame: number, entry: PasidContext, pasid: number, sight: Sight): Translated => {
  try {
    switch (entry.type) {
      case 'first': return firstStage(hardware, request, frame, entry, pasid, sight)
      case 'second': return secondStage(hardware, request, frame, entry, sight)
      case 'pass-through': return passThrough(hardware, request, frame, hardware.hostAddressBits, entry, pasid, sight)
      default: return entry.type satisfies never
    }
  } catch (error) {
    throw silenced(error, entry.silent)
  }
}

/** FPD on the way: qualified faults from there on are not recorded. */
const silenced = (error: unknown, silent: boolean): unknown =>
  (silent && error instanceof Stopped && !error.silent ? new Stopped(error.code, true) : error)

/** A request for the range of interrupts. */
const interruptAnswer = (hardware: Hardware, { pasid, access, kind, address }: DmaRequest): Translated => {
  const { mode } = hardware.state
  if (mode === 'abort' || mode === 'reserved') throw new Stopped(0x33)
  if (pasid !== undefined || access !== 'write' || kind !== 'untranslated') throw interrupted(hardware)
  return passes(address, 'interrupt', snooping(INTERRUPT, false))
}

const unitAnswer = (hardware: Hardware, request: DmaRequest, sight: Sight): Translated => {
  const { mode, translating } = hardware.state
  if (translating !== true) return passes(request.address, 'translation off', snooping(OFF, false))
  const frame = frameOf(request.address)
  if (isInterruptRange(frame)) return interruptAnswer(hardware, request)
  if (mode === 'scalable') return scalableRequest(hardware, request, frame, sight)
  if (mode === 'legacy') return legacyRequest(hardware, request, frame, sight)
  throw new Stopped(0x33)
}

const blocked = (request: DmaRequest, error: unknown, sight: Sight): Outcome => {
  if (!(error instanceof Stopped)) throw error
  const reason = faultReasons.get(error.code)
  const recorded = request.kind !== 'translate' && !(error.silent && reason?.qualified === true)
  if (recorded) sight.log?.(request, error)
  return { result: 'blocked', fault: { code: error.code, name: reason?.meaning ?? 'unknown', recorded } }
}

/** The answer to a request, as the sight allows it to be given. */
export const translate = (hardware: Hardware, request: DmaRequest, sight: Sight): Outcome => {
  try {
    return deviceAnswer(hardware.caches.devices, request, sight) ?? unitAnswer(hardware, request, sight)
  } catch (error) {
    return blocked(request, error, sight)
  }
}
