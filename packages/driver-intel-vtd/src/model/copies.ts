// Copies: what hardware makes of a root, context or PASID entry when it fetches one.
import { breaksReserved, decode, decodeField, wordCount } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { frameOf, loadWords } from '@iommu/hardware'
import type { Fetch, HardwareView, Shape, Step } from '@iommu/hardware'
import {
  contextEntry, pasidDirectoryEntry, pasidEntry, rootEntry, scalableContextEntry, scalableRootEntry,
} from '../tables/index.js'
import type { Capabilities, Levels } from '../tables/index.js'

/** What a legacy context entry says. */
export interface LegacyContext {
  readonly mode: 'legacy'
  readonly silent: boolean
  readonly passThrough: boolean
  readonly ats: boolean
  readonly domainId: number
  readonly levels: Levels
  readonly root: number
  /** The domain, as outcomes spell it. */
  readonly tag: string
}

/** What a scalable-mode context entry says. */
export interface ScalableContext {
  readonly mode: 'scalable'
  readonly silent: boolean
  readonly ats: boolean
  readonly pasids: boolean
  readonly directory: bigint
  /** PASIDs below this have a place in the directory. */
  readonly pasidLimit: number
  readonly ridPasid: number
}

/** What a PASID entry says. */
export interface PasidContext {
  readonly silent: boolean
  readonly type: 'first' | 'second' | 'pass-through'
  readonly domainId: number
  /** What translations are tagged with, as outcomes spell it. */
  readonly tag: string
  readonly levels: Levels
  /** Frame of the root table. */
  readonly root: number
  readonly forceSnoop: boolean
  readonly supervisor: boolean
  readonly execute: boolean
}

/** A copy of an entry that was not present (caching mode), and whether it asks for silence. */
export class Absent {
  readonly silent: boolean
  constructor(silent: boolean) {
    this.silent = silent
  }
}

export type ContextCopy = LegacyContext | ScalableContext | Absent
export type PasidCopy = PasidContext | Absent

/** A DMA that stops, with the reason. `silent`: an FPD bit on the way asked for no record of qualified faults. */
export class Stopped {
  readonly code: number
  readonly silent: boolean
  constructor(code: number, silent = false) {
    this.code = code
    this.silent = silent
  }
}

/** What reading needs to know of the unit. */
export interface Reader {
  readonly view: HardwareView
  readonly capabilities: Capabilities
  readonly hostAddressBits: number
  readonly steps?: Step[] | undefined
  /** Reads entries word by word, as hardware may piece them together; from the view at once where absent. */
  readonly fetch?: Fetch | undefined
}

/**
 * How hardware reads each entry: 16 bytes at a time, the part with P first; 8 where an entry is no larger. No manual at
 * hand says so: Linux writes P last and, with CM=0, invalidates nothing, which is right only if P is read first.
 */
const shapeOf = (layout: Entry): Shape => {
  const bytes = layout.bits / 8
  return { bytes, atomBytes: Math.min(bytes, 16), order: 'present-first' }
}

const load = (reader: Reader, layout: Entry, address: bigint, unreadable: number, silent: boolean): bigint[] => {
  if (!reader.view.has(frameOf(address))) throw new Stopped(unreadable, silent)
  const count = wordCount(layout)
  if (reader.fetch === undefined) return loadWords(reader.view, address, count)
  const each = Array.from({ length: count }, (_, index) => index)
  const word = reader.fetch(address, shapeOf(layout))
  const first = each.map((index) => (index === 0 ? word(0) : 0n))
  // Nothing but the first word of an absent entry matters, and what is not read cannot differ. A scalable-mode root
  // entry has two present bits, and lies in one atom anyway.
  const absent = Object.hasOwn(layout.fields, 'P') && decodeField(layout, first, 'P') === 0
  return absent ? first : each.map(word)
}

const note = (reader: Reader, entry: string, address: bigint, words: readonly bigint[], said: string): void => {
  reader.steps?.push({ entry, address, words, note: said })
}

const beyond = (reader: Reader, ...pointers: readonly bigint[]): boolean =>
  pointers.some((each) => each >> BigInt(reader.hostAddressBits) !== 0n)

/** The address of the context table for a source, from the root entry of its bus. */
const contextTable = (reader: Reader, rootTable: bigint, source: number, scalable: boolean): bigint => {
  const bus = source >> 8
  const address = rootTable + BigInt(bus * 16)
  const words = load(reader, scalable ? scalableRootEntry : rootEntry, address, scalable ? 0x38 : 0x08, false)
  if (!scalable) {
    const root = decode(rootEntry, words)
    note(reader, 'vtd.root', address, words, root.P === 1 ? `bus ${hex(bus)}: context table` : `bus ${hex(bus)}: not present`)
    if (root.P === 0) throw new Stopped(0x01)
    if (breaksReserved(rootEntry, words) || beyond(reader, root.CTP)) throw new Stopped(0x0a)
    return root.CTP
  }
  const root = decode(scalableRootEntry, words)
  const upper = (source & 0x80) !== 0
  const present = upper ? root.UP : root.LP
  note(reader, 'vtd.sm-root', address, words, `bus ${hex(bus)}, ${upper ? 'upper' : 'lower'} half: ${present === 1 ? 'context table' : 'not present'}`)
  if (present === 0) throw new Stopped(0x39)
  if (breaksReserved(scalableRootEntry, words) || beyond(reader, root.LCTP, root.UCTP)) throw new Stopped(0x3a)
  return upper ? root.UCTP : root.LCTP
}

const hex = (value: number | bigint): string => `0x${value.toString(16)}`

/** Fetches a legacy context entry. Throws Stopped with the fault reason. */
export const fetchLegacyContext = (reader: Reader, rootTable: bigint, source: number): LegacyContext => {
  const address = contextTable(reader, rootTable, source, false) + BigInt((source & 0xff) * 16)
  const words = load(reader, contextEntry, address, 0x09, false)
  const e = decode(contextEntry, words)
  const silent = e.FPD === 1
  const levels = (e.AW + 2) as Levels
  const { capabilities } = reader
  note(reader, 'vtd.context', address, words,
    e.P === 0 ? 'not present' : e.TT === 2 ? `pass-through, domain ${e.DID}` : `second stage at ${hex(e.SSPTPTR)}, ${levels}-level, domain ${e.DID}`)
  if (e.P === 0) throw new Stopped(0x02, silent)
  if (breaksReserved(contextEntry, words) || (e.TT !== 2 && beyond(reader, e.SSPTPTR))) throw new Stopped(0x0b, silent)
  const wrong = e.TT === 3
    || (e.TT === 2 && !capabilities.passThrough)
    || (e.TT === 1 && !capabilities.deviceTlb)
    || !capabilities.secondStageLevels.includes(levels)
    || e.DID >= capabilities.domainIds
  if (wrong) throw new Stopped(0x03, silent)
  return {
    mode: 'legacy', silent, passThrough: e.TT === 2, ats: e.TT === 1, domainId: e.DID, levels, root: frameOf(e.SSPTPTR), tag: `domain ${e.DID}`,
  }
}

/** Fetches a scalable-mode context entry. Throws Stopped with the fault reason. */
export const fetchScalableContext = (reader: Reader, rootTable: bigint, source: number): ScalableContext => {
  const address = contextTable(reader, rootTable, source, true) + BigInt((source & 0x7f) * 32)
  const words = load(reader, scalableContextEntry, address, 0x40, false)
  const e = decode(scalableContextEntry, words)
  const silent = e.FPD === 1
  note(reader, 'vtd.sm-context', address, words,
    e.P === 0 ? 'not present' : `PASID directory at ${hex(e.PASIDDIRPTR)}, ${2 ** (e.PDTS + 7)} entries`)
  if (e.P === 0) throw new Stopped(0x41, silent)
  if (breaksReserved(scalableContextEntry, words) || beyond(reader, e.PASIDDIRPTR)) throw new Stopped(0x42, silent)
  if (e.RID_PASID !== 0 && !reader.capabilities.ridPasid) throw new Stopped(0x48, silent)
  return {
    mode: 'scalable', silent, ats: e.DTE === 1, pasids: e.PASIDE === 1, directory: e.PASIDDIRPTR,
    pasidLimit: 2 ** (e.PDTS + 13), ridPasid: e.RID_PASID,
  }
}

/** Fetches a PASID entry through the directory. Throws Stopped with the fault reason. */
export const fetchPasid = (reader: Reader, context: ScalableContext, pasid: number): PasidContext => {
  const at = context.directory + BigInt((pasid >> 6) * 8)
  const words = load(reader, pasidDirectoryEntry, at, 0x50, context.silent)
  const directory = decode(pasidDirectoryEntry, words)
  const quiet = context.silent || directory.FPD === 1
  note(reader, 'vtd.pasid-dir', at, words, directory.P === 1 ? `PASID table at ${hex(directory.SMPTBLPTR)}` : 'not present')
  if (directory.P === 0) throw new Stopped(0x51, quiet)
  if (breaksReserved(pasidDirectoryEntry, words) || beyond(reader, directory.SMPTBLPTR)) throw new Stopped(0x52, quiet)
  return fetchPasidEntry(reader, directory.SMPTBLPTR + BigInt((pasid & 0x3f) * 64), pasid, quiet)
}

const fetchPasidEntry = (reader: Reader, address: bigint, pasid: number, quiet: boolean): PasidContext => {
  const words = load(reader, pasidEntry, address, 0x58, quiet)
  const e = decode(pasidEntry, words)
  const { capabilities } = reader
  const silent = quiet || e.FPD === 1
  const first = e.PGTT === 1
  const second = e.PGTT === 2
  const levels = (first ? 4 + e.FSPM : e.AW + 2) as Levels
  const said = first ? `first stage at ${hex(e.FSPTPTR)}, ${levels}-level, domain ${e.DID}`
    : second ? `second stage at ${hex(e.SSPTPTR)}, ${levels}-level, domain ${e.DID}`
      : e.PGTT === 4 ? `pass-through, domain ${e.DID}` : `translation type ${e.PGTT}`
  note(reader, 'vtd.pasid', address, words, e.P === 1 ? `PASID ${hex(pasid)}: ${said}` : `PASID ${hex(pasid)}: not present`)
  if (e.P === 0) throw new Stopped(0x59, silent)
  const pointer = first ? e.FSPTPTR : second ? e.SSPTPTR : 0n
  if (breaksReserved(pasidEntry, words) || beyond(reader, pointer)) throw new Stopped(0x5a, silent)
  const right = (first && capabilities.firstStage && capabilities.firstStageLevels.includes(levels))
    || (second && capabilities.secondStage && capabilities.secondStageLevels.includes(levels)
      && (e.SSADE === 0 || capabilities.secondStageDirty))
    || (e.PGTT === 4 && capabilities.passThrough)
  if (!right || e.DID >= capabilities.domainIds) throw new Stopped(0x5b, silent)
  return {
    silent,
    type: first ? 'first' : second ? 'second' : 'pass-through',
    domainId: e.DID,
    tag: second ? `domain ${e.DID}` : `domain ${e.DID} PASID ${pasid}`,
    levels,
    root: frameOf(pointer),
    forceSnoop: e.PGSNP === 1,
    supervisor: e.SRE === 1,
    execute: e.ERE === 1,
  }
}
