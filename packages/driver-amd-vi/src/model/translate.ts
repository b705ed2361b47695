// What happens to a DMA: the one routine, with choices where hardware may have kept a copy.
//
//   source ─▶ device table entry ┬─ V=0 ──────────────────────▶ passes untranslated
//                                ├─ TV=0 ─────────────────────▶ aborted
//                                ├─ no PASID, GIoV=0 ┬─ Mode 0 ▶ pass-through
//                                │                   └─ Mode n ▶ host (v1) tables
//                                └─ PASID, or GIoV=1 ─▶ GCR3 table ─▶ guest (v2) tables
import {
  deviceAnswer, fitsIn, frameIn, frameOf, isCanonical, isInterruptRange, passes, permissionsOf, recall, translatedTo,
} from '@iommu/hardware'
import type { DmaRequest, Outcome, PhysicalMemory, Step, Translated } from '@iommu/hardware'
import { ABSENT, LEAF, readLeaf, recallLeaf, RESERVED } from '@iommu/page-table'
import { EVENT_CODES, events, widthOfMode } from '../tables/index.js'
import type { Capabilities, GuestLevels } from '../tables/index.js'
import { guestTag } from './caches.js'
import type { Caches } from './caches.js'
import { fetchDeviceEntry, fetchGcr3, Stopped } from './copies.js'
import type { DeviceContext, DeviceTable, Gcr3From, GuestRoot, Reader } from './copies.js'
import type { Cause } from './event-log.js'
import type { Formats } from './formats.js'
import type { Asked, Supply } from './supply.js'
import { amdWalk, npCacheWalk, passingLeaf } from './walks.js'
import type { Leaf, Sight } from './walks.js'

/** What of the registers the routine depends on. */
export interface TranslationState {
  readonly translating: boolean
  readonly guestEnabled: boolean
  readonly deviceTable: DeviceTable
}

/** What the routine reads. */
export interface Hardware {
  readonly memory: Pick<PhysicalMemory, 'walker'>
  readonly state: TranslationState
  readonly caches: Caches
  readonly capabilities: Capabilities
  readonly hostAddressBits: number
  readonly formats: Formats
}

/** No event: guest tables over host tables (nested translation) are not walked here, and nothing is said of them. */
const NOT_MODELLED = 0

/** Types of INVALID_DEVICE_REQUEST. */
const REQUEST_TYPES = { interruptRange: 0, translatedWithoutAts: 1, translationWithoutAts: 6 } as const

type Attributes = Translated['attributes']
const attributesOf = (stage: string): readonly [plain: Attributes, coherent: Attributes] =>
  [Object.freeze({ stage, coherent: false }), Object.freeze({ stage, coherent: true })]
const STAGES = { host: attributesOf('host'), guest: attributesOf('guest'), 'pass-through': attributesOf('pass-through') } as const
const ATS = attributesOf('ats')
const INTERRUPT = attributesOf('interrupt')
const OFF = attributesOf('off')

/** Attributes of an answer that comes from a device's own TLB. */
export const inDevice = (of: Attributes): Attributes => ATS[of['coherent'] === true ? 1 : 0]

/** How entries are read now: from memory as it is. */
export const readerOf = ({ memory, capabilities, hostAddressBits, state }: Hardware, steps?: Step[]): Reader => ({
  view: memory.walker, capabilities, hostAddressBits, guestEnabled: state.guestEnabled, steps,
})

/** A device table entry, as it was kept or as it is. */
const deviceEntry = (hardware: Hardware, source: number, sight: Sight): DeviceContext => {
  if (sight.supply !== undefined) return sight.supply.entry(source)
  const kept = recall(hardware.caches.entries, source, sight)
  if (kept === undefined) return readDeviceEntry(hardware, source, sight)
  if (kept instanceof Stopped) throw kept
  return kept
}

/** Reads a device table entry, and keeps it whatever it says. */
const readDeviceEntry = (hardware: Hardware, source: number, { fills, steps }: Sight): DeviceContext => {
  const { caches: { entries }, state } = hardware
  try {
    const read = fetchDeviceEntry(readerOf(hardware, steps), state.deviceTable, source)
    if (fills) entries.keep(source, undefined, read)
    return read
  } catch (error) {
    if (fills && error instanceof Stopped) entries.keep(source, undefined, error)
    throw error
  }
}

/** The root that the entry of a PASID names, as it was kept or as it is. */
const guestRoot = (hardware: Hardware, from: Gcr3From, pasid: number, sight: Sight): GuestRoot => {
  const kept = recall(hardware.caches.gcr3, guestTag(from.domainId, pasid), sight)
  if (kept === undefined) return readGuestRoot(hardware, from, pasid, sight)
  if (kept === 'absent') throw absentGuest(from.domainId)
  return kept
}

/** Reads the entry of a PASID, and keeps it; absent ones with NpCache. */
const readGuestRoot = (hardware: Hardware, from: Gcr3From, pasid: number, { fills, steps }: Sight): GuestRoot => {
  const { caches: { gcr3 }, capabilities } = hardware
  const { domainId } = from
  try {
    const read: GuestRoot = { root: fetchGcr3(readerOf(hardware, steps), from, pasid), tag: guestDomain(domainId, pasid) }
    if (fills) gcr3.keep(guestTag(domainId, pasid), { domainId, pasid }, read)
    return read
  } catch (error) {
    const absent = error instanceof Stopped && error.cause.present !== true && error.cause.code === EVENT_CODES.ioPageFault
    if (fills && absent && capabilities.notPresentCache) gcr3.keep(guestTag(domainId, pasid), { domainId, pasid }, 'absent')
    throw error
  }
}

const absentGuest = (domainId: number): Stopped => new Stopped({ code: EVENT_CODES.ioPageFault, guest: true, domainId })

/**
 * What a leaf answers to a request. IR and IW of the device table entry count like those of a level. A translation request is
 * told what there is, unless that is nothing.
 */
const leafAnswer = (
  request: DmaRequest, frame: number, leaf: Leaf, stage: Asked['stage'], domainId: number, tag: string, entry: DeviceContext,
): Translated => {
  if (leaf.status !== LEAF) throw leafFault(leaf, stage, domainId)
  const read = leaf.read === true && entry.read === true
  const write = leaf.write === true && entry.write === true
  const granted = (leaf.user === true || request.privileged === true) && (request.execute !== true || leaf.execute)
    && ((request.access === 'write' ? write : read) || (request.kind === 'translate' && (read || write)))
  if (!granted) throw refusal(stage, domainId)
  const { pageShift, coherent } = leaf
  const attributes = STAGES[stage][coherent === true ? 1 : 0]
  return translatedTo(frameIn(leaf.frame, pageShift, frame), pageShift, request.address, permissionsOf(read, write), tag, attributes)
}

const faultIn = (stage: Asked['stage'], domainId: number): Cause => ({ code: EVENT_CODES.ioPageFault, guest: stage === 'guest', domainId })

const refusal = (stage: Asked['stage'], domainId: number): Stopped =>
  new Stopped({ ...faultIn(stage, domainId), present: true, permission: true })

const leafFault = ({ status }: Leaf, stage: Asked['stage'], domainId: number): Stopped => {
  const fault = faultIn(stage, domainId)
  if (status === ABSENT) return new Stopped(fault)
  return new Stopped(status === RESERVED ? { ...fault, present: true, reserved: true } : { ...fault, code: EVENT_CODES.pageTabHardwareError })
}

const guestDomain = (domainId: number, pasid: number): string => `domain ${domainId} PASID ${pasid}`

/** A translation that is not looked for here. One that was kept may be of another stage than the entry at hand. */
const supplied = (request: DmaRequest, frame: number, asked: Asked, entry: DeviceContext, supply: Supply): Translated => {
  const { leaf, stage } = supply.leaf(asked)
  if (leaf instanceof Stopped) throw leaf
  const { domainId, pasid } = asked
  return leafAnswer(request, frame, leaf, stage, domainId, stage === 'guest' ? guestDomain(domainId, pasid) : entry.tag, entry)
}

/** Requests with PASID, and those without that GIoV takes for PASID 0's. */
const guestAnswer = (
  hardware: Hardware, request: DmaRequest, frame: number, entry: DeviceContext, guest: NonNullable<DeviceContext['guest']>, sight: Sight,
): Translated => {
  const { domainId, levels } = guest
  const pasid = request.pasid ?? 0
  if (entry.host !== undefined) throw new Stopped({ code: NOT_MODELLED })
  if (!isCanonical(frame, ADDRESS_BITS[levels])) throw absentGuest(domainId)
  if (sight.supply !== undefined) {
    const { address } = request
    return supplied(request, frame, { stage: 'guest', levels, root: 0, gcr3: guest, domainId, pasid, address }, entry, sight.supply)
  }
  const { caches: { guest: translations }, formats, memory } = hardware
  const { root, tag } = guestRoot(hardware, guest, pasid, sight)
  const under = guestTag(domainId, pasid)
  const leaf = recallLeaf(translations, under, frame, sight)
    ?? readLeaf(walkOf(hardware), { translations, tag: under, format: formats.guest(levels), root, view: memory.walker, frame }, sight)
  return leafAnswer(request, frame, leaf, 'guest', domainId, tag, entry)
}

/** Address bits of guest tables, by levels. */
const ADDRESS_BITS: Readonly<Record<GuestLevels, number>> = { 4: 48, 5: 57 }

const walkOf = ({ capabilities }: Hardware): typeof amdWalk => (capabilities.notPresentCache === true ? npCacheWalk : amdWalk)

const hostAnswer = (hardware: Hardware, request: DmaRequest, frame: number, entry: DeviceContext, sight: Sight): Translated => {
  const { address } = request
  const { domainId, host, tag } = entry
  if (!fitsIn(frame, host === undefined ? hardware.hostAddressBits : widthOfMode(host.levels))) {
    throw new Stopped({ code: EVENT_CODES.ioPageFault, domainId })
  }
  if (sight.supply !== undefined) {
    const asked: Asked = host === undefined
      ? { stage: 'pass-through', levels: 1, root: 0, domainId, pasid: 0, address }
      : { stage: 'host', ...host, domainId, pasid: 0, address }
    return supplied(request, frame, asked, entry, sight.supply)
  }
  if (host === undefined) return leafAnswer(request, frame, passingLeaf(frame), 'pass-through', domainId, tag, entry)
  const { caches: { host: translations }, formats, memory } = hardware
  const { root, levels } = host
  const leaf = recallLeaf(translations, domainId, frame, sight)
    ?? readLeaf(walkOf(hardware), { translations, tag: domainId, format: formats.host(levels), root, view: memory.walker, frame }, sight)
  return leafAnswer(request, frame, leaf, 'host', domainId, tag, entry)
}

/** What an entry says to ATS traffic. Answers: a translated request passes. */
const atsAnswer = ({ kind, address }: DmaRequest, entry: DeviceContext): Translated | undefined => {
  if (kind === 'page-request') throw new Stopped({ code: EVENT_CODES.invalidDeviceRequest })
  if (!entry.ats) {
    throw new Stopped({
      code: EVENT_CODES.invalidDeviceRequest,
      type: kind === 'translated' ? REQUEST_TYPES.translatedWithoutAts : REQUEST_TYPES.translationWithoutAts,
    })
  }
  return kind === 'translated' && entry.kind !== 'aborts' ? passes(address, 'ats', ATS[0]) : undefined
}

const entryAnswer = (hardware: Hardware, request: DmaRequest, frame: number, entry: DeviceContext, sight: Sight): Translated => {
  const { address, kind, pasid } = request
  if (entry.kind === 'passes') return passes(address, 'not valid', OFF[0])
  const ats = kind === 'untranslated' ? undefined : atsAnswer(request, entry)
  if (ats !== undefined) return ats
  if (entry.kind === 'aborts') throw new Stopped({ code: EVENT_CODES.ioPageFault })
  if (entry.guest !== undefined && (pasid !== undefined || entry.guest.io === true)) {
    return guestAnswer(hardware, request, frame, entry, entry.guest, sight)
  }
  // A PASID, and nothing that it could be looked up in.
  if (pasid !== undefined) throw new Stopped({ code: EVENT_CODES.ioPageFault, guest: true, domainId: entry.domainId })
  return hostAnswer(hardware, request, frame, entry, sight)
}

/** A request for the range of interrupts. */
const interruptAnswer = ({ pasid, access, kind, address }: DmaRequest): Translated => {
  if (pasid !== undefined || access !== 'write' || kind !== 'untranslated') {
    throw new Stopped({ code: EVENT_CODES.invalidDeviceRequest, type: REQUEST_TYPES.interruptRange })
  }
  return passes(address, 'interrupt', INTERRUPT[0])
}

const unitAnswer = (hardware: Hardware, request: DmaRequest, sight: Sight): Translated => {
  if (hardware.state.translating !== true) return passes(request.address, 'translation off', OFF[0])
  const frame = frameOf(request.address)
  if (isInterruptRange(frame)) return interruptAnswer(request)
  const entry = deviceEntry(hardware, request.source, sight)
  try {
    return entryAnswer(hardware, request, frame, entry, sight)
  } catch (error) {
    throw entry.silent && error instanceof Stopped ? new Stopped(error.cause, true) : error
  }
}

/** Whether a stopped request is logged. A translation request is answered "nothing", which says it to the device. */
const isLogged = ({ kind }: DmaRequest, { cause, silent }: Stopped): boolean =>
  cause.code !== NOT_MODELLED && !(cause.code === EVENT_CODES.ioPageFault && (silent || kind === 'translate'))

const blocked = (request: DmaRequest, error: unknown, sight: Sight): Outcome => {
  if (!(error instanceof Stopped)) throw error
  const { code } = error.cause
  const recorded = isLogged(request, error)
  if (recorded) sight.log?.(request, error)
  return { result: 'blocked', fault: { code, name: events.get(code)?.name ?? 'unknown', recorded } }
}

/** The answer to a request, as the sight allows it to be given. */
export const translate = (hardware: Hardware, request: DmaRequest, sight: Sight): Outcome => {
  try {
    return deviceAnswer(hardware.caches.devices, request, sight) ?? unitAnswer(hardware, request, sight)
  } catch (error) {
    return blocked(request, error, sight)
  }
}
