// Copies: what hardware makes of a device table entry or an entry of a GCR3 table when it fetches one.
import { breaksReserved, decode } from '@iommu/bits'
import { frameOf, loadWords } from '@iommu/hardware'
import type { Fetch, HardwareView, Shape, Step } from '@iommu/hardware'
import { deviceTableEntry, EVENT_CODES, gcr3Entry, pasidBitsOfLevels } from '../tables/index.js'
import type { Capabilities, GuestLevels, HostLevels } from '../tables/index.js'
import type { Cause } from './event-log.js'

/** A device table entry that hardware can use. */
export interface DeviceContext {
  /** V=0: DMA passes untranslated. TV=0: it is aborted. */
  readonly kind: 'passes' | 'aborts' | 'translates'
  readonly read: boolean
  readonly write: boolean
  readonly domainId: number
  /** The domain, as outcomes spell it. */
  readonly tag: string
  readonly ats: boolean
  /** SA: page faults are not logged. */
  readonly silent: boolean
  /** Host tables; undefined: Mode 0. */
  readonly host: { readonly levels: HostLevels; readonly root: number } | undefined
  /** The GCR3 table; undefined: GV is 0. */
  readonly guest: Gcr3From & {
    readonly levels: GuestLevels
    /** GIoV: requests without PASID are those of PASID 0. */
    readonly io: boolean
  } | undefined
}

/** A DMA that stops, with the cause. `silent`: the entry asked for no event. */
export class Stopped {
  readonly cause: Cause
  readonly silent: boolean
  constructor(cause: Cause, silent = false) {
    this.cause = cause
    this.silent = silent
  }
}

/** What the cache of device table entries holds: an entry that is programmed wrongly is kept like any other. */
export type DeviceEntry = DeviceContext | Stopped
/** What the entry of a PASID leads to. */
export interface GuestRoot {
  /** Frame of the root table. */
  readonly root: number
  /** Domain and PASID, as outcomes spell them. */
  readonly tag: string
}
/** A copy of the entry of a PASID, or that there was none. */
export type Gcr3Copy = GuestRoot | 'absent'

/** What reading needs to know of the unit. */
export interface Reader {
  readonly view: HardwareView
  readonly capabilities: Capabilities
  readonly hostAddressBits: number
  /** Control.GTEn. */
  readonly guestEnabled: boolean
  readonly steps?: Step[] | undefined
  /** Reads entries as hardware may piece them together; from the view at once where absent. */
  readonly fetch?: Fetch | undefined
}

/** Where the device table is. */
export interface DeviceTable {
  readonly base: bigint
  readonly bytes: number
}

/** Hardware reads a device table entry as one (Linux says so in `update_dte256`), and other entries word by word. */
const ENTRY: Shape = { bytes: 32, atomBytes: 32, order: 'snapshot' }
const WORD: Shape = { bytes: 8, atomBytes: 8, order: 'snapshot' }

const load = ({ view, fetch }: Reader, shape: Shape, address: bigint): bigint[] => {
  const count = shape.bytes / 8
  if (fetch === undefined) return loadWords(view, address, count)
  const word = fetch(address, shape)
  return Array.from({ length: count }, (_, index) => word(index))
}

const hex = (value: number | bigint): string => `0x${value.toString(16)}`

type Fields = ReturnType<typeof decode<typeof deviceTableEntry['fields']>>

/** Whether the unit has what a valid entry asks for. Only Mode 7 and tables without host translation are confirmed outside. */
const isLegal = (e: Fields, { capabilities, hostAddressBits, guestEnabled }: Reader): boolean => {
  const beyond = (pointer: bigint): boolean => pointer >> BigInt(hostAddressBits) !== 0n
  if (e.Mode > capabilities.hostLevels || (e.Mode !== 0 && beyond(e.HostPTRoot))) return false
  if (e.HAD === 2 || (e.HAD !== 0 && !capabilities.hostAccess) || (e.HAD === 3 && !capabilities.hostDirty)) return false
  if (e.GIoV === 1 && !capabilities.guestIo) return false
  if (e.GV === 0) return true
  return capabilities.guest && guestEnabled && e.GLX < capabilities.gcr3Levels && !beyond(e.GCR3TRP)
    && capabilities.guestLevels.some((levels) => levels === e.GuestPagingMode + 4)
}

const said = (e: Fields): string => {
  if (e.V === 0) return 'not valid: DMA passes untranslated'
  if (e.TV === 0) return 'no translation information: DMA is aborted'
  const rid = e.Mode > 0 ? `host tables at ${hex(e.HostPTRoot)}, ${e.Mode}-level` : e.GIoV === 1 ? 'GCR3[0]' : 'passes through'
  return `${rid}${e.GV === 1 ? `, GCR3 table at ${hex(e.GCR3TRP)}` : ''}, domain ${e.DomainID}`
}

/** Fetches a device table entry. Throws Stopped. */
export const fetchDeviceEntry = (reader: Reader, table: DeviceTable, source: number): DeviceContext => {
  const address = table.base + BigInt(source * 32)
  if (source * 32 >= table.bytes) throw new Stopped({ code: EVENT_CODES.illegalDevTableEntry })
  if (!reader.view.has(frameOf(address))) throw new Stopped({ code: EVENT_CODES.devTabHardwareError })
  const words = load(reader, ENTRY, address)
  const e = decode(deviceTableEntry, words)
  reader.steps?.push({ entry: deviceTableEntry.name, address, words, note: said(e) })
  if (breaksReserved(deviceTableEntry, words)) throw new Stopped({ code: EVENT_CODES.illegalDevTableEntry, reserved: true })
  const translates = e.V === 1 && e.TV === 1
  if (translates && !isLegal(e, reader)) throw new Stopped({ code: EVENT_CODES.illegalDevTableEntry })
  return {
    kind: e.V === 0 ? 'passes' : e.TV === 0 ? 'aborts' : 'translates',
    read: e.IR === 1,
    write: e.IW === 1,
    domainId: e.DomainID,
    tag: `domain ${e.DomainID}`,
    ats: e.V === 1 && e.I === 1,
    silent: e.V === 1 && e.SA === 1,
    host: translates && e.Mode > 0 ? { levels: e.Mode as HostLevels, root: frameOf(e.HostPTRoot) } : undefined,
    guest: translates && e.GV === 1
      ? { table: e.GCR3TRP, gcr3Levels: e.GLX + 1, domainId: e.DomainID, levels: e.GuestPagingMode === 1 ? 5 : 4, io: e.GIoV === 1 } : undefined,
  }
}

/** What of a device table entry a fetch of its GCR3 entries needs. */
export interface Gcr3From {
  readonly table: bigint
  readonly gcr3Levels: number
  readonly domainId: number
}

/** Fetches the entry of a PASID through the levels of a GCR3 table: the frame of the guest root. Throws Stopped. */
export const fetchGcr3 = (reader: Reader, { table, gcr3Levels, domainId }: Gcr3From, pasid: number): number => {
  const fault = (cause: Partial<Cause> = {}): Stopped =>
    new Stopped({ code: EVENT_CODES.ioPageFault, guest: true, domainId, ...cause })
  if (pasid >= 2 ** pasidBitsOfLevels(gcr3Levels)) throw fault()
  let at = table
  for (let level = gcr3Levels; level >= 1; level--) {
    const address = at + BigInt((Math.floor(pasid / 2 ** pasidBitsOfLevels(level - 1)) % 512) * 8)
    if (!reader.view.has(frameOf(address))) throw new Stopped({ code: EVENT_CODES.pageTabHardwareError, guest: true, domainId })
    const words = load(reader, WORD, address)
    const e = decode(gcr3Entry, words)
    reader.steps?.push({
      entry: gcr3Entry.name, address, words,
      note: e.V === 0 ? `PASID ${hex(pasid)}: not valid` : `PASID ${hex(pasid)}: ${level > 1 ? 'table' : 'guest tables'} at ${hex(e.ADDR)}`,
    })
    if (e.V === 0) throw fault()
    if (breaksReserved(gcr3Entry, words) || e.ADDR >> BigInt(reader.hostAddressBits) !== 0n) throw fault({ present: true, reserved: true })
    at = e.ADDR
  }
  return frameOf(at)
}
