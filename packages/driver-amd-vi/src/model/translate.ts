// What happens to a DMA: the one routine, with choices where hardware may have kept a copy.
//
//   source ─▶ device table entry ┬─ V=0 ──────────────────────▶ passes untranslated
//                                ├─ TV=0 ─────────────────────▶ aborted
//                                ├─ no PASID, GIoV=0 ┬─ Mode 0 ▶ pass-through
//                                │                   └─ Mode n ▶ host (v1) tables
//                                └─ PASID, or GIoV=1 ─▶ GCR3 table ─▶ guest (v2) tables
import { frameAddress, frameOf } from '@iommu/hardware'
import type { Choose, DmaRequest, Outcome, PhysicalMemory, Step, Translated } from '@iommu/hardware'
import { ABSENT, LEAF, lookupLeaf, RESERVED } from '@iommu/page-table'
import { EVENT_CODES, events, widthOfMode } from '../tables/index.js'
import type { Capabilities, GuestLevels, HostLevels } from '../tables/index.js'
import { guestTag } from './caches.js'
import type { Caches } from './caches.js'
import { fetchDeviceEntry, fetchGcr3, Stopped } from './copies.js'
import type { DeviceContext, DeviceTable, Gcr3From, Reader } from './copies.js'
import type { Cause } from './event-log.js'
import type { Formats } from './formats.js'
import type { Asked } from './supply.js'
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

const INTERRUPTS = 0xfee0_0000n
/** 0xfee00000 to 0xfeefffff: writes without PASID are interrupt requests, never memory. */
const isInterrupt = (address: bigint): boolean => (address & ~0xf_ffffn) === INTERRUPTS

/** No event: guest tables over host tables (nested translation) are not walked here, and nothing is said of them. */
const NOT_MODELLED = 0

/** Types of INVALID_DEVICE_REQUEST. */
const REQUEST_TYPES = { interruptRange: 0, translatedWithoutAts: 1, translationWithoutAts: 6 } as const

const passes = (address: bigint, tag: string, attributes: Translated['attributes']): Translated => ({
  result: 'translated', address, tag, attributes, permissions: { read: true, write: true }, pageSize: 4096n,
})

/** How entries are read now: from memory as it is. */
export const readerOf = ({ memory, capabilities, hostAddressBits, state }: Hardware, steps?: Step[]): Reader => ({
  view: memory.walker, capabilities, hostAddressBits, guestEnabled: state.guestEnabled, steps,
})

/** Reads a device table entry, or takes the kept copy. */
const deviceEntry = (hardware: Hardware, source: number, sight: Sight): DeviceContext => {
  if (sight.supply !== undefined) return sight.supply.entry(source)
  const { caches: { entries }, state } = hardware
  const kept = sight.cached ? entries.get(source) : undefined
  if (kept !== undefined && sight.choose(2) === 0) {
    if (kept.copy instanceof Stopped) throw kept.copy
    return kept.copy
  }
  try {
    const read = fetchDeviceEntry(readerOf(hardware, sight.steps), state.deviceTable, source)
    if (sight.fills) entries.keep(source, undefined, read)
    return read
  } catch (error) {
    if (sight.fills && error instanceof Stopped) entries.keep(source, undefined, error)
    throw error
  }
}

/** Reads the entry of a PASID, or takes the kept copy. Absent ones are kept with NpCache. */
const guestRoot = (hardware: Hardware, from: Gcr3From, pasid: number, sight: Sight): number => {
  const { caches: { gcr3 }, capabilities } = hardware
  const tag = { domainId: from.domainId, pasid }
  const key = guestTag(from.domainId, pasid)
  const kept = sight.cached ? gcr3.get(key) : undefined
  if (kept !== undefined && sight.choose(2) === 0) {
    if (kept.copy === 'absent') throw absentGuest(from.domainId)
    return kept.copy
  }
  try {
    const root = fetchGcr3(readerOf(hardware, sight.steps), from, pasid)
    if (sight.fills) gcr3.keep(key, tag, root)
    return root
  } catch (error) {
    const absent = error instanceof Stopped && error.cause.present !== true && error.cause.code === EVENT_CODES.ioPageFault
    if (sight.fills && absent && capabilities.notPresentCache) gcr3.keep(key, tag, 'absent')
    throw error
  }
}

const absentGuest = (domainId: number): Stopped => new Stopped({ code: EVENT_CODES.ioPageFault, guest: true, domainId })

const tagOf = ({ stage, domainId, pasid }: Pick<Asked, 'stage' | 'domainId' | 'pasid'>): string =>
  (stage === 'guest' ? `domain ${domainId} PASID ${pasid}` : `domain ${domainId}`)

/** What a leaf answers to a request. IR and IW of the device table entry count like those of a level. */
const leafAnswer = (request: DmaRequest, leaf: Leaf, stage: Asked['stage'], asked: Asked, entry: DeviceContext): Translated => {
  const fault = (cause: Partial<Cause> = {}): Stopped =>
    new Stopped({ code: EVENT_CODES.ioPageFault, guest: stage === 'guest', domainId: asked.domainId, ...cause })
  if (leaf.status === ABSENT) throw fault()
  if (leaf.status === RESERVED) throw fault({ present: true, reserved: true })
  if (leaf.status !== LEAF) throw fault({ code: EVENT_CODES.pageTabHardwareError })
  const permissions = { read: leaf.read && entry.read, write: leaf.write && entry.write }
  const refused = { present: true, permission: true }
  if (!leaf.user && request.privileged !== true) throw fault(refused)
  if (request.execute === true && !leaf.execute) throw fault(refused)
  const granted = request.access === 'write' ? permissions.write : permissions.read
  // A translation request is told what there is, unless that is nothing.
  if (!granted && (request.kind !== 'translate' || (!permissions.read && !permissions.write))) throw fault(refused)
  return {
    result: 'translated',
    address: frameAddress(leaf.frame) + (request.address & ((1n << BigInt(leaf.pageShift)) - 1n)),
    tag: tagOf({ ...asked, stage }),
    attributes: { stage, coherent: leaf.coherent },
    permissions,
    pageSize: 1n << BigInt(leaf.pageShift),
  }
}

/** A translation that is looked for in caches and tables, or supplied. One that was kept may be of another stage. */
const answer = (hardware: Hardware, request: DmaRequest, asked: Asked, entry: DeviceContext, sight: Sight): Translated => {
  const { caches, formats, memory, capabilities } = hardware
  const { stage, levels, root, domainId, pasid, address } = asked
  if (sight.supply !== undefined) {
    const { leaf, stage: kept } = sight.supply.leaf(asked)
    if (leaf instanceof Stopped) throw leaf
    return leafAnswer(request, leaf, kept, asked, entry)
  }
  if (stage === 'pass-through') return leafAnswer(request, passingLeaf(frameOf(address)), stage, asked, entry)
  const leaf = lookupLeaf(capabilities.notPresentCache ? npCacheWalk : amdWalk, {
    translations: stage === 'host' ? caches.host : caches.guest,
    tag: stage === 'host' ? domainId : guestTag(domainId, pasid),
    format: stage === 'host' ? formats.host(levels as HostLevels) : formats.guest(levels as GuestLevels),
    root, view: memory.walker, address,
  }, sight)
  return leafAnswer(request, leaf, stage, asked, entry)
}

/** Whether bits above the table's width repeat the highest one inside. */
const isCanonical = (address: bigint, levels: number): boolean => {
  const top = BigInt.asIntN(64, address) >> BigInt(12 + 9 * levels - 1)
  return top === 0n || top === -1n
}

const guestAnswer = (
  hardware: Hardware, request: DmaRequest, entry: DeviceContext, guest: NonNullable<DeviceContext['guest']>, sight: Sight,
): Translated => {
  const { address } = request
  const { domainId } = entry
  const pasid = request.pasid ?? 0
  if (entry.host !== undefined) throw new Stopped({ code: NOT_MODELLED })
  const gcr3: Gcr3From = { table: guest.table, gcr3Levels: guest.gcr3Levels, domainId }
  const asked = { stage: 'guest', levels: guest.levels, domainId, pasid, address } as const
  if (!isCanonical(address, guest.levels)) throw absentGuest(domainId)
  if (sight.supply !== undefined) return answer(hardware, request, { ...asked, root: 0, gcr3 }, entry, sight)
  return answer(hardware, request, { ...asked, root: guestRoot(hardware, gcr3, pasid, sight) }, entry, sight)
}

const hostAnswer = (hardware: Hardware, request: DmaRequest, entry: DeviceContext, sight: Sight): Translated => {
  const { address } = request
  const { domainId, host } = entry
  const width = host === undefined ? hardware.hostAddressBits : widthOfMode(host.levels)
  if (address >> BigInt(width) !== 0n) throw new Stopped({ code: EVENT_CODES.ioPageFault, domainId })
  const asked: Asked = host === undefined
    ? { stage: 'pass-through', levels: 1, root: 0, domainId, pasid: 0, address }
    : { stage: 'host', levels: host.levels, root: host.root, domainId, pasid: 0, address }
  return answer(hardware, request, asked, entry, sight)
}

const unitAnswer = (hardware: Hardware, request: DmaRequest, sight: Sight): Translated => {
  const { address, kind, pasid, source } = request
  if (isInterrupt(address)) {
    if (pasid === undefined && request.access === 'write' && kind === 'untranslated') {
      return passes(address, 'interrupt', { stage: 'interrupt', coherent: false })
    }
    throw new Stopped({ code: EVENT_CODES.invalidDeviceRequest, type: REQUEST_TYPES.interruptRange })
  }
  const entry = deviceEntry(hardware, source, sight)
  try {
    if (entry.kind === 'passes') return passes(address, 'not valid', { stage: 'off', coherent: false })
    if (kind === 'page-request') throw new Stopped({ code: EVENT_CODES.invalidDeviceRequest })
    if (kind !== 'untranslated' && !entry.ats) {
      throw new Stopped({
        code: EVENT_CODES.invalidDeviceRequest,
        type: kind === 'translated' ? REQUEST_TYPES.translatedWithoutAts : REQUEST_TYPES.translationWithoutAts,
      })
    }
    if (entry.kind === 'aborts') throw new Stopped({ code: EVENT_CODES.ioPageFault })
    if (kind === 'translated') return passes(address, 'ats', { stage: 'ats', coherent: false })
    if (entry.guest !== undefined && (pasid !== undefined || entry.guest.io)) {
      return guestAnswer(hardware, request, entry, entry.guest, sight)
    }
    // A PASID, and nothing that it could be looked up in.
    if (pasid !== undefined) throw new Stopped({ code: EVENT_CODES.ioPageFault, guest: true, domainId: entry.domainId })
    return hostAnswer(hardware, request, entry, sight)
  } catch (error) {
    if (entry.silent && error instanceof Stopped) throw new Stopped(error.cause, true)
    throw error
  }
}

/** What the device's own TLB says to a translation request, where it has kept something. */
const deviceAnswer = ({ caches }: Hardware, request: DmaRequest, { cached, choose }: Sight): Translated | undefined => {
  if (request.kind !== 'translate' || !cached) return undefined
  const kept = caches.devices.get(request.source)?.lookup(request.pasid ?? 0, frameOf(request.address))
  if (kept === undefined || choose(2) === 1) return undefined
  return {
    result: 'translated',
    address: frameAddress(kept.frame) + (request.address & ((1n << BigInt(kept.pageShift)) - 1n)),
    tag: 'device TLB',
    attributes: { stage: 'ats', coherent: kept.coherent },
    permissions: { read: kept.read, write: kept.write },
    pageSize: 1n << BigInt(kept.pageShift),
  }
}

/** The answer, or why there is none. */
export const attempt = (hardware: Hardware, request: DmaRequest, sight: Sight): Translated | Stopped => {
  const device = deviceAnswer(hardware, request, sight)
  if (device !== undefined) return device
  if (!hardware.state.translating) return passes(request.address, 'translation off', { stage: 'off', coherent: false })
  try {
    return unitAnswer(hardware, request, sight)
  } catch (error) {
    if (error instanceof Stopped) return error
    throw error
  }
}

/** Whether a stopped request is logged. A translation request is answered "nothing", which says it to the device. */
export const isLogged = ({ kind }: DmaRequest, { cause, silent }: Stopped): boolean =>
  cause.code !== NOT_MODELLED && !(cause.code === EVENT_CODES.ioPageFault && (silent || kind === 'translate'))

/** What the other side of the bus sees of it. */
export const outcomeOf = (request: DmaRequest, found: Translated | Stopped): Outcome => {
  if (!(found instanceof Stopped)) return found
  const { code } = found.cause
  return { result: 'blocked', fault: { code, name: events.get(code)?.name ?? 'unknown', recorded: isLogged(request, found) } }
}

/** The answer to a request, as the sight allows it to be given. */
export const translate = (hardware: Hardware, request: DmaRequest, sight: Sight): Outcome =>
  outcomeOf(request, attempt(hardware, request, sight))

/** Caches looked into, and left as they are. */
export const exploring = (choose: Choose): Sight => ({ choose, cached: true, fills: false })
