// What happens to a DMA: the one routine, with choices where hardware may have kept a copy.
//
//   StreamID ─▶ (level 1) ─▶ stream table entry ┬─ abort
//                                               ├─ bypass
//                                               ├─ stage 2 tables
//                                               └─ SSID ─▶ (level 1) ─▶ context descriptor ─▶ stage 1 tables
import { frameAddress } from '@iommu/hardware'
import type { Choose, DmaRequest, EntryCache, HardwareView, Outcome, PhysicalMemory, Translated } from '@iommu/hardware'
import { ABSENT, ACCESS_FLAG, ADDRESS_SIZE, LEAF, lookupLeaf, UNREADABLE } from '@iommu/page-table'
import { EVENTS, events } from '../tables/index.js'
import type { Capabilities, EventName } from '../tables/index.js'
import { contextKey, stage1Tag } from './caches.js'
import type { Caches, Copied, Place } from './caches.js'
import {
  contextAddress, fetchContext, fetchLevelOneContext, fetchLevelOneStream, fetchStream, Stopped, streamAddress,
} from './copies.js'
import type { ContextCopy, Faulting, Reader, StageOne, StageTwo, StreamCopy, Tables } from './copies.js'
import { isTranslationFault } from './event-queue.js'
import type { Formats } from './formats.js'
import type { UnitState } from './registers.js'
import type { Asked } from './supply.js'
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

/** How a DMA ended: where it went, or why it stopped. */
export type Answer = Translated | Stopped

const passes = (address: bigint, tag: string, attributes: Translated['attributes'], pageSize = 4096n): Translated => ({
  result: 'translated', address, tag, attributes, permissions: { read: true, write: true }, pageSize,
})

const attempt = <T>(run: () => T): T | Stopped => {
  try {
    return run()
  } catch (error) {
    if (error instanceof Stopped) return error
    throw error
  }
}

/** Whether memory says at an address what was read there before. */
const unchanged = (view: HardwareView, address: bigint, [at, ...words]: readonly bigint[]): boolean =>
  at === address && words.every((word, index) => view.load64(address + BigInt(index * 8)) === word)

/**
 * An entry, read now or as it was kept; there is no choice where the two are the same. Whatever was read is kept,
 * entries that are invalid or illegal too.
 */
const copy = <T>(
  hardware: Hardware, cache: EntryCache<Place, Copied<T>>, key: number, place: Place, sight: Sight, address: bigint, fetch: (reader: Reader) => T,
): T => {
  const { memory: { walker: view }, capabilities, formats } = hardware
  const { cached, fills, steps, choose } = sight
  const kept = cached ? cache.get(key)?.copy : undefined
  let chosen: T | Stopped | undefined
  if (kept !== undefined && (unchanged(view, address, kept.read) || choose(2) === 0)) chosen = kept.value
  if (chosen === undefined) {
    const read: bigint[] = []
    const seen = (at: bigint, words: readonly bigint[]): void => void read.push(at, ...words)
    const value = attempt(() => fetch({ view, capabilities, formats, steps, seen }))
    if (fills) cache.keep(key, place, { value, read })
    chosen = value
  }
  if (chosen instanceof Stopped) throw chosen
  return chosen
}

const streamOf = (hardware: Hardware, source: number, sight: Sight): StreamCopy => {
  if (sight.supply !== undefined) return sight.supply.stream(source)
  const { caches, state: { streamTable } } = hardware
  const { base, split } = streamTable
  const span = 2 ** split
  const first = source - (source % span)
  const address = streamAddress(streamTable, source, () =>
    copy(hardware, caches.levelOneStreams, first, { source: first, pasid: 0, span }, sight, base + BigInt(first / span) * 8n,
      (reader) => fetchLevelOneStream(reader, streamTable, source)))
  return copy(hardware, caches.streams, source, { source, pasid: 0, span: 1 }, sight, address, (reader) => fetchStream(reader, address))
}

const contextOf = (hardware: Hardware, source: number, stream: StageOne, pasid: number, sight: Sight): ContextCopy => {
  if (sight.supply !== undefined) return sight.supply.context(source, stream, pasid)
  const { caches } = hardware
  const span = 2 ** stream.leafBits
  const first = pasid - (pasid % span)
  const address = contextAddress(stream, pasid, () => {
    const place: Place = { source, pasid: first, span }
    return copy(hardware, caches.levelOneContexts, contextKey(source, first), place, sight, stream.contexts + BigInt(first / span) * 8n,
      (reader) => fetchLevelOneContext(reader, stream, pasid))
  })
  return copy(hardware, caches.contexts, contextKey(source, pasid), { source, pasid, span: 1 }, sight, address,
    (reader) => fetchContext(reader, stream, address, pasid))
}

const leafOf = (hardware: Hardware, asked: Asked, sight: Sight): { readonly leaf: Leaf; readonly attributes: string } => {
  if (sight.supply !== undefined) return sight.supply.leaf(asked)
  const { caches, memory } = hardware
  const { stage, vmid, asid, format, root, address, attributes } = asked
  const leaf = lookupLeaf(smmuWalk, {
    translations: stage === 1 ? caches.stage1 : caches.stage2, tag: stage === 1 ? stage1Tag(vmid, asid) : vmid,
    format, root, view: memory.walker, address,
  }, sight)
  return { leaf, attributes }
}

const WALK_EVENTS: Readonly<Record<number, EventName>> = {
  [ABSENT]: 'F_TRANSLATION', [UNREADABLE]: 'F_WALK_EABT', [ADDRESS_SIZE]: 'F_ADDR_SIZE', [ACCESS_FLAG]: 'F_ACCESS',
}

/** Looks an address up in the tables of a stage, and judges the access. */
const tablesAnswer = (hardware: Hardware, request: DmaRequest, asked: Asked, faulting: Faulting, tag: string, sight: Sight): Translated => {
  const { leaf, attributes } = leafOf(hardware, asked, sight)
  const { stage } = asked
  const { records, stalls } = faulting
  if (leaf.status !== LEAF) {
    const event = WALK_EVENTS[leaf.status]
    throw new Stopped(event, leaf.status === UNREADABLE
      ? { stage, class: 'walk', fetch: leaf.entry, records, stalls } : { stage, class: 'input', records, stalls })
  }
  const { privileged = false, execute = false, access } = request
  const granted = (privileged || leaf.user) && (access === 'write' ? leaf.write : leaf.read)
    && (!execute || (privileged ? leaf.privilegedExecute : leaf.execute))
  // A translation request is told what is permitted.
  if (!granted && request.kind !== 'translate') throw new Stopped('F_PERMISSION', { stage, class: 'input', records, stalls })
  const offset = request.address & ((1n << BigInt(leaf.pageShift)) - 1n)
  return {
    result: 'translated', address: frameAddress(leaf.frame) + offset, tag, attributes: { stage, memory: attributes },
    permissions: { read: leaf.read, write: leaf.write }, pageSize: 1n << BigInt(leaf.pageShift),
  }
}

const stageTwo = (hardware: Hardware, request: DmaRequest, stream: StageTwo, sight: Sight): Translated => {
  const { format, root, vmid, shareability, records, stalls } = stream
  const { address } = request
  if (address >> BigInt(format.inputBits) !== 0n) throw new Stopped('F_TRANSLATION', { stage: 2, class: 'input', records, stalls })
  return tablesAnswer(hardware, request, { stage: 2, vmid, asid: 0, format, root, address, attributes: `SHCFG ${shareability}` },
    stream, `VMID ${vmid}`, sight)
}

/** The half of the address space that an address lies in, with the bits that are translated; undefined: in none. */
const half = ({ low, high, topByteIgnored: [ignoreLow, ignoreHigh] }: ContextCopy, address: bigint): Tables | undefined => {
  const upper = ((address >> 55n) & 1n) === 1n
  const tables = upper ? high : low
  if (tables === undefined) return undefined
  const whole = (upper ? ignoreHigh : ignoreLow) ? BigInt.asIntN(56, address) : BigInt.asIntN(64, address)
  return whole >> BigInt(tables.format.inputBits) === (upper ? -1n : 0n) ? tables : undefined
}

const stageOne = (hardware: Hardware, request: DmaRequest, stream: StageOne, pasid: number, sight: Sight): Translated => {
  const context = contextOf(hardware, request.source, stream, pasid, sight)
  const { address } = request
  const tables = half(context, address)
  const faulting: Faulting = { records: context.records, stalls: context.stalls }
  if (tables === undefined) throw new Stopped('F_TRANSLATION', { stage: 1, class: 'input', ...faulting })
  const { vmid } = stream
  return tablesAnswer(hardware, request, {
    stage: 1, vmid, asid: context.asid, ...tables, address, attributes: `MAIR 0x${context.mair.toString(16)}`,
  }, faulting, `${hardware.capabilities.stage2 ? `VMID ${vmid} ` : ''}ASID ${context.asid}`, sight)
}

const bypass = (request: DmaRequest, shareability: number): Translated =>
  passes(request.address, 'bypass', { stage: 'bypass', memory: `SHCFG ${shareability}` })

/** ATS traffic is allowed where the stream's entry says so. */
const checkAts = ({ state }: Hardware, { kind }: DmaRequest, allowed: boolean): void => {
  if (kind === 'translate' && !allowed) throw new Stopped('F_BAD_ATS_TREQ')
  if (kind === 'translated' && state.checksAts && !allowed) throw new Stopped('F_TRANSL_FORBIDDEN')
}

const streamAnswer = (hardware: Hardware, request: DmaRequest, sight: Sight): Translated => {
  const stream = streamOf(hardware, request.source, sight)
  const { pasid, kind } = request
  const ats = (): Translated => passes(request.address, 'ats', { stage: 'ats' })
  switch (stream.kind) {
    case 'abort': case 'nested': throw new Stopped(undefined)
    case 'bypass':
      checkAts(hardware, request, false)
      if (pasid !== undefined) throw new Stopped('C_BAD_SUBSTREAMID')
      return bypass(request, stream.shareability)
    case 'stage 2':
      checkAts(hardware, request, stream.ats)
      if (kind === 'translated') return ats()
      if (pasid !== undefined) throw new Stopped('C_BAD_SUBSTREAMID')
      return stageTwo(hardware, request, stream, sight)
    case 'stage 1': {
      checkAts(hardware, request, stream.ats)
      if (kind === 'translated') return ats()
      const { max, substream } = stream
      if (pasid !== undefined && (max === 0 || pasid >= 2 ** max)) throw new Stopped('C_BAD_SUBSTREAMID')
      if (pasid === undefined && max > 0 && substream === 'bypass') return bypass(request, stream.shareability)
      if (max > 0 && (pasid === undefined ? substream === 'terminate' : pasid === 0 && substream === 'first')) {
        throw new Stopped('F_STREAM_DISABLED')
      }
      return stageOne(hardware, request, stream, pasid ?? 0, sight)
    }
    default: return stream satisfies never
  }
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
    attributes: { stage: 'ats' },
    permissions: { read: kept.read, write: kept.write },
    pageSize: 1n << BigInt(kept.pageShift),
  }
}

/** The answer to a request, as the sight allows it to be given. */
export const answer = (hardware: Hardware, request: DmaRequest, sight: Sight): Answer => {
  const device = deviceAnswer(hardware, request, sight)
  if (device !== undefined) return device
  const { translating, abortsWhileOff, checksAts } = hardware.state
  // Page requests go to the PRI queue, which is off.
  if (request.kind === 'page-request') return new Stopped(undefined)
  if (!translating) return abortsWhileOff ? new Stopped(undefined) : passes(request.address, 'translation off', { stage: 'off' })
  if (request.kind === 'translated' && !checksAts) return passes(request.address, 'ats', { stage: 'ats' })
  return attempt(() => streamAnswer(hardware, request, sight))
}

/** Whether the event of a DMA that stopped goes to the event queue. */
export const isRecorded = ({ state }: Hardware, { kind }: DmaRequest, { event, code, detail }: Stopped): boolean => {
  if (event === undefined) return false
  if (event === 'C_BAD_STREAMID') return state.recordsBadStreams
  // A translation request is answered, and recorded only where it was not allowed at all.
  if (kind === 'translate') return code === EVENTS.F_BAD_ATS_TREQ
  return !isTranslationFault(code) || detail.records !== false
}

export const outcomeOf = (hardware: Hardware, request: DmaRequest, ended: Answer): Outcome => {
  if (!(ended instanceof Stopped)) return ended
  const { event, code } = ended
  if (event === undefined) return { result: 'blocked' }
  return { result: 'blocked', fault: { code, name: events.get(code)?.name ?? 'unknown', recorded: isRecorded(hardware, request, ended) } }
}

/** Caches looked into, and left as they are. */
export const exploring = (choose: Choose): Sight => ({ choose, cached: true, fills: false })
