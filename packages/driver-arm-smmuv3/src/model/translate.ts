// What happens to a DMA: the one routine, with choices where hardware may have kept a copy.
//
//   StreamID ─▶ (level 1) ─▶ stream table entry ┬─ abort
//                                               ├─ bypass
//                                               ├─ stage 2 tables
//                                               └─ SSID ─▶ (level 1) ─▶ context descriptor ─▶ stage 1 tables
import { deviceAnswer, fitsIn, frameIn, frameOf, passes, permissionsOf, stoppedBy, translatedTo } from '@iommu/hardware'
import type { DmaRequest, EntryCache, HardwareView, Outcome, PhysicalMemory, Translated } from '@iommu/hardware'
import { ABSENT, ACCESS_FLAG, ADDRESS_SIZE, LEAF, readLeaf, recallLeaf, UNREADABLE } from '@iommu/page-table'
import { EVENTS, events } from '../tables/index.js'
import type { Capabilities, EventName } from '../tables/index.js'
import { contextKey, stage1Tag } from './caches.js'
import type { Caches, Copied, Entries, Place } from './caches.js'
import {
  answersOf, contextAddress, fetchContext, fetchLevelOneContext, fetchLevelOneStream, fetchStream, Stopped, streamAddress,
} from './copies.js'
import type { ContextCopy, Faulting, Reader, StageOne, StageTwo, StreamCopy, Tables } from './copies.js'
import { isTranslationFault } from './event-queue.js'
import type { Formats } from './formats.js'
import type { UnitState } from './registers.js'
import type { Supply } from './supply.js'
import { smmuWalk } from './walks.js'
import type { Leaf, Sight } from './walks.js'

/** What the routine reads. */
export interface Hardware {
  readonly memory: Pick<PhysicalMemory, 'walker'>
  readonly state: Pick<UnitState, 'translating' | 'abortsWhileOff' | 'checksAts' | 'recordsBadStreams' | 'streamTable'>
  readonly caches: Caches
  readonly capabilities: Capabilities
  readonly formats: Formats
}

type Attributes = Translated['attributes']
const ATS: Attributes = Object.freeze({ stage: 'ats' })
const OFF: Attributes = Object.freeze({ stage: 'off' })

/** Attributes of an answer that comes from a device's own TLB: it has none. */
export const inDevice = (): Attributes => ATS

const { attempt, usable } = stoppedBy(Stopped)

/** Whether memory says at an address what was read there before. */
const unchanged = (view: HardwareView, address: bigint, [at, ...words]: readonly bigint[]): boolean =>
  at === address && words.every((word, index) => view.load64(address + BigInt(index * 8)) === word)

/**
 * An entry, read now or as it was kept; there is no choice where the two are the same. Whatever was read is kept,
 * entries that are invalid or illegal too. An entry that was kept needs no address: `address` may be why there is none.
 */
const copy = <T>(
  hardware: Hardware, cache: EntryCache<Place, Copied<T>>, key: number, place: Place, sight: Sight, address: bigint | Stopped,
  fetch: (reader: Reader, address: bigint) => T,
): T => {
  const { memory: { walker: view }, capabilities, formats } = hardware
  const { cached, fills, steps, choose } = sight
  const kept = cached ? cache.get(key)?.copy : undefined
  const same = kept !== undefined && !(address instanceof Stopped) && unchanged(view, address, kept.read)
  if (kept !== undefined && (same || choose(2) === 0)) return usable(kept.value)
  const from = usable(address)
  const read: bigint[] = []
  const seen = (at: bigint, words: readonly bigint[]): void => void read.push(at, ...words)
  const value = attempt(() => fetch({ view, capabilities, formats, steps, seen }, from))
  if (fills) cache.keep(key, place, { value, read })
  return usable(value)
}

/** What a DMA that happens takes: a kept copy, without a look at the way to it. */
const taken = <T>(cache: Entries<T>, key: number, { cached, fills }: Sight): T | Stopped | undefined =>
  (cached === true && fills === true ? cache.get(key)?.copy.value : undefined)

const streamOf = (hardware: Hardware, source: number, sight: Sight): StreamCopy => {
  if (sight.supply !== undefined) return sight.supply.stream(source)
  const found = taken(hardware.caches.streams, source, sight) ?? lookForStream(hardware, source, sight)
  if (found instanceof Stopped) throw found
  return found
}

const lookForStream = (hardware: Hardware, source: number, sight: Sight): StreamCopy => {
  const { caches, state: { streamTable } } = hardware
  const { base, split } = streamTable
  const span = 2 ** split
  const first = source - (source % span)
  const address = attempt(() => streamAddress(streamTable, source, () =>
    copy(hardware, caches.levelOneStreams, first, { source: first, pasid: 0, span }, sight, base + BigInt(first / span) * 8n,
      (reader) => fetchLevelOneStream(reader, streamTable, source))))
  return copy(hardware, caches.streams, source, { source, pasid: 0, span: 1 }, sight, address, fetchStream)
}

const contextOf = (hardware: Hardware, source: number, stream: StageOne, pasid: number, sight: Sight): ContextCopy => {
  if (sight.supply !== undefined) return sight.supply.context(source, stream, pasid)
  const found = taken(hardware.caches.contexts, contextKey(source, pasid), sight) ?? lookForContext(hardware, source, stream, pasid, sight)
  if (found instanceof Stopped) throw found
  return found
}

const lookForContext = (hardware: Hardware, source: number, stream: StageOne, pasid: number, sight: Sight): ContextCopy => {
  const { caches } = hardware
  const span = 2 ** stream.leafBits
  const first = pasid - (pasid % span)
  const address = attempt(() => contextAddress(stream, pasid, () => {
    const place: Place = { source, pasid: first, span }
    return copy(hardware, caches.levelOneContexts, contextKey(source, first), place, sight, stream.contexts + BigInt(first / span) * 8n,
      (reader) => fetchLevelOneContext(reader, stream, pasid))
  }))
  return copy(hardware, caches.contexts, contextKey(source, pasid), { source, pasid, span: 1 }, sight, address,
    (reader, at) => fetchContext(reader, stream, at, pasid))
}

const WALK_EVENTS: Readonly<Record<number, EventName>> = {
  [ABSENT]: 'F_TRANSLATION', [ADDRESS_SIZE]: 'F_ADDR_SIZE', [ACCESS_FLAG]: 'F_ACCESS',
}

/** What a leaf of a stage's tables answers. */
const leafAnswer = (
  request: DmaRequest, frame: number, leaf: Leaf, stage: 1 | 2, faulting: Faulting, tag: string, answers: Attributes,
): Translated => {
  if (leaf.status !== LEAF) throw walkFault(leaf, stage, faulting)
  const granted = (leaf.user === true || request.privileged === true) && (request.access === 'write' ? leaf.write : leaf.read) === true
    && (request.execute !== true || (request.privileged === true ? leaf.privilegedExecute : leaf.execute))
  // A translation request is told what is permitted.
  if (!granted && request.kind !== 'translate') throw inputFault('F_PERMISSION', stage, faulting)
  return translatedTo(frameIn(leaf.frame, leaf.pageShift, frame), leaf.pageShift, request.address, permissionsOf(leaf.read, leaf.write), tag, answers)
}

const inputFault = (event: EventName | undefined, stage: 1 | 2, { records, stalls }: Faulting): Stopped =>
  new Stopped(event, { stage, class: 'input', records, stalls })

/** Of a table that cannot be read stage 2 alone says that it was translating its input (IHI0070 7.3.12). */
const walkFault = ({ status, entry }: Leaf, stage: 1 | 2, faulting: Faulting): Stopped =>
  (status === UNREADABLE ? new Stopped('F_WALK_EABT', { stage, class: stage === 1 ? 'walk' : 'input', fetch: entry })
    : inputFault(WALK_EVENTS[status], stage, faulting))

/** A translation that is not looked for here, with the attributes that it was kept with. */
const supplied = (
  request: DmaRequest, frame: number, asked: Parameters<Supply['leaf']>[0], faulting: Faulting, tag: string, supply: Supply,
): Translated => {
  const { leaf, attributes } = supply.leaf(asked)
  return leafAnswer(request, frame, leaf, asked.stage, faulting, tag, { stage: asked.stage, memory: attributes })
}

/**
 * An address that stage 1 does not translate must fit the output all the same. It is a fault of stage 1, and always recorded: there is no
 * context that could ask for silence (IHI0070 3.4, 3.12).
 */
const checkUntranslated = ({ capabilities }: Hardware, frame: number): void => {
  if (!fitsIn(frame, capabilities.outputBits)) throw new Stopped('F_ADDR_SIZE', { stage: 1, class: 'input' })
}

const stageTwo = (hardware: Hardware, request: DmaRequest, stream: StageTwo, sight: Sight): Translated => {
  const { format, root, vmid, answers, tag } = stream
  const { address } = request
  const frame = frameOf(address)
  checkUntranslated(hardware, frame)
  if (!fitsIn(frame, format.inputBits)) throw inputFault('F_TRANSLATION', 2, stream)
  if (sight.supply !== undefined) {
    return supplied(request, frame, { stage: 2, vmid, asid: 0, format, root, address, attributes: answers.memory }, stream, tag, sight.supply)
  }
  const { caches: { stage2: translations }, memory } = hardware
  const leaf = recallLeaf(translations, vmid, frame, sight)
    ?? readLeaf(smmuWalk, { translations, tag: vmid, format, root, view: memory.walker, frame }, sight)
  return leafAnswer(request, frame, leaf, 2, stream, tag, answers)
}

/** Frames of addresses up to bit 54, of those without their top byte, and of all. */
const HALF_FRAMES = 2 ** 43
const FRAMES_BELOW_TOP = 2 ** 44
const ALL_FRAMES = 2 ** 52

/** The half of the address space that a frame lies in, by bit 55, if the bits above those that are translated are all like it. */
const half = ({ low, high, topByteIgnored }: ContextCopy, frame: number): Tables | undefined => {
  const upper = frame >= HALF_FRAMES && Math.floor(frame / HALF_FRAMES) % 2 === 1
  const tables = upper ? high : low
  if (tables === undefined) return undefined
  const all = topByteIgnored[upper ? 1 : 0] === true ? FRAMES_BELOW_TOP : ALL_FRAMES
  const whole = all === ALL_FRAMES ? frame : frame % all
  return fitsIn(upper ? all - 1 - whole : whole, tables.format.inputBits) ? tables : undefined
}

const stageOne = (hardware: Hardware, request: DmaRequest, stream: StageOne, pasid: number, sight: Sight): Translated => {
  const context = contextOf(hardware, request.source, stream, pasid, sight)
  const { address } = request
  const frame = frameOf(address)
  const tables = half(context, frame)
  if (tables === undefined) throw inputFault('F_TRANSLATION', 1, context)
  const { vmid } = stream
  const { asid, answers } = context
  const { format, root } = tables
  const tag = stream.tag + context.tag
  if (sight.supply !== undefined) {
    return supplied(request, frame, { stage: 1, vmid, asid, format, root, address, attributes: answers.memory }, context, tag, sight.supply)
  }
  const { caches: { stage1: translations }, memory } = hardware
  const under = stage1Tag(vmid, asid)
  const leaf = recallLeaf(translations, under, frame, sight)
    ?? readLeaf(smmuWalk, { translations, tag: under, format, root, view: memory.walker, frame }, sight)
  return leafAnswer(request, frame, leaf, 1, context, tag, answers)
}

const bypass = (hardware: Hardware, { address }: DmaRequest, shareability: number): Translated => {
  checkUntranslated(hardware, frameOf(address))
  return passes(address, 'bypass', answersOf('bypass', `SHCFG ${shareability}`))
}

/** ATS traffic, which is allowed where the stream's entry says so; a translated request passes then. */
const atsAnswer = ({ state }: Hardware, { kind, address }: DmaRequest, allowed: boolean): Translated | undefined => {
  if (kind === 'translate' && !allowed) throw new Stopped('F_BAD_ATS_TREQ')
  if (kind === 'translated' && state.checksAts && !allowed) throw new Stopped('F_TRANSL_FORBIDDEN')
  return kind === 'translated' ? passes(address, 'ats', ATS) : undefined
}

/** A stream whose entry has no tables. */
const streamWithoutTables = (hardware: Hardware, request: DmaRequest, stream: Exclude<StreamCopy, StageOne | StageTwo>): Translated => {
  if (stream.kind !== 'bypass') throw new Stopped(undefined)
  const { kind, pasid } = request
  if (kind !== 'untranslated') atsAnswer(hardware, request, false)
  if (pasid !== undefined) throw new Stopped('C_BAD_SUBSTREAMID')
  return bypass(hardware, request, stream.shareability)
}

/** A stream of stage 1 that has several contexts. */
const substreamAnswer = (hardware: Hardware, request: DmaRequest, stream: StageOne, sight: Sight): Translated => {
  const { pasid } = request
  const { max, substream } = stream
  if (pasid !== undefined && (max === 0 || pasid >= 2 ** max)) throw new Stopped('C_BAD_SUBSTREAMID')
  if (pasid === undefined && substream === 'bypass') return bypass(hardware, request, stream.shareability)
  if (pasid === undefined ? substream === 'terminate' : pasid === 0 && substream === 'first') throw new Stopped('F_STREAM_DISABLED')
  return stageOne(hardware, request, stream, pasid ?? 0, sight)
}

const streamAnswer = (hardware: Hardware, request: DmaRequest, sight: Sight): Translated => {
  const stream = streamOf(hardware, request.source, sight)
  if (stream.kind !== 'stage 1' && stream.kind !== 'stage 2') return streamWithoutTables(hardware, request, stream)
  const answered = request.kind === 'untranslated' ? undefined : atsAnswer(hardware, request, stream.ats)
  if (answered !== undefined) return answered
  if (stream.kind === 'stage 2') {
    if (request.pasid !== undefined) throw new Stopped('C_BAD_SUBSTREAMID')
    return stageTwo(hardware, request, stream, sight)
  }
  return stream.max === 0 && request.pasid === undefined
    ? stageOne(hardware, request, stream, 0, sight) : substreamAnswer(hardware, request, stream, sight)
}

const unitAnswer = (hardware: Hardware, request: DmaRequest, sight: Sight): Translated => {
  const { translating, abortsWhileOff, checksAts } = hardware.state
  const { kind, address } = request
  // Page requests go to the PRI queue, which is off.
  if (kind === 'page-request') throw new Stopped(undefined)
  if (!translating) {
    if (abortsWhileOff || !fitsIn(frameOf(address), hardware.capabilities.outputBits)) throw new Stopped(undefined)
    return passes(address, 'translation off', OFF)
  }
  if (kind === 'translated' && !checksAts) return passes(address, 'ats', ATS)
  return streamAnswer(hardware, request, sight)
}

/** Whether the event of a DMA that stopped goes to the event queue. */
const isRecorded = ({ state }: Hardware, { kind }: DmaRequest, { event, code, detail }: Stopped): boolean => {
  if (event === undefined) return false
  if (event === 'C_BAD_STREAMID') return state.recordsBadStreams
  // A translation request is answered, and recorded only where it was not allowed at all.
  if (kind === 'translate') return code === EVENTS.F_BAD_ATS_TREQ
  return !isTranslationFault(code) || detail.records !== false
}

const blocked = (hardware: Hardware, request: DmaRequest, error: unknown, sight: Sight): Outcome => {
  if (!(error instanceof Stopped)) throw error
  const { event, code } = error
  if (event === undefined) return { result: 'blocked' }
  const recorded = isRecorded(hardware, request, error)
  if (recorded) sight.log?.(request, error)
  return { result: 'blocked', fault: { code, name: events.get(code)?.name ?? 'unknown', recorded } }
}

/** The answer to a request, as the sight allows it to be given. */
export const translate = (hardware: Hardware, request: DmaRequest, sight: Sight): Outcome => {
  try {
    return deviceAnswer(hardware.caches.devices, request, sight) ?? unitAnswer(hardware, request, sight)
  } catch (error) {
    return blocked(hardware, request, error, sight)
  }
}
