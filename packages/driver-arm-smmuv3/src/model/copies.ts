// Copies: what hardware makes of a stream table entry or a context descriptor when it fetches one. Long, because every
// condition that makes an entry illegal is a line here.
import { decode, decodeField, wordCount } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { frameOf } from '@iommu/hardware'
import type { Fetch, HardwareView, Shape as FetchShape, Step } from '@iommu/hardware'
import type { Format } from '@iommu/page-table'
import {
  contextDescriptor, EVENTS, granuleOf, levelOneContext, levelOneStream, OUTPUT_SIZES, streamEntry,
} from '../tables/index.js'
import type { Capabilities, EventName } from '../tables/index.js'
import type { Formats } from './formats.js'

/** What a stage of translation says of its tables. */
export interface Tables {
  readonly format: Format
  /** Frame of the root table. */
  readonly root: number
}

/** Attributes of the answers that a copy leads to: the same for all of them. */
export interface Answers extends Readonly<Record<string, string | number>> {
  readonly stage: 1 | 2 | 'bypass'
  /** Memory attributes. */
  readonly memory: string
}

export const answersOf = (stage: Answers['stage'], memory: string): Answers => ({ stage, memory })

/** What a stage does about its faults. */
export interface Faulting {
  readonly records: boolean
  readonly stalls: boolean
}

/** What a stream table entry says. */
export type StreamCopy =
  | { readonly kind: 'abort' }
  | { readonly kind: 'bypass'; readonly shareability: number }
  | {
    readonly kind: 'stage 1'
    readonly contexts: bigint
    /** PASIDs per leaf, log2; 0: one linear array. */
    readonly leafBits: 0 | 6 | 10
    /** 2^max CDs; 0: no SSIDs. */
    readonly max: number
    readonly substream: 'terminate' | 'bypass' | 'first'
    readonly stallsDisabled: boolean
    readonly vmid: number
    /** The VMID, as outcomes spell it before the ASID; empty without stage 2. */
    readonly tag: string
    readonly ats: boolean
    readonly shareability: number
  }
  | ({ readonly kind: 'stage 2'; readonly vmid: number; readonly tag: string; readonly ats: boolean; readonly answers: Answers } & Tables & Faulting)
  /** Both stages: not modelled. */
  | { readonly kind: 'nested' }

export type StageOne = Extract<StreamCopy, { kind: 'stage 1' }>
export type StageTwo = Extract<StreamCopy, { kind: 'stage 2' }>

/** What a context descriptor says. */
export interface ContextCopy extends Faulting {
  readonly asid: number
  /** The ASID, as outcomes spell it. */
  readonly tag: string
  /** Undefined: EPD. Lower half of the address space, and upper. */
  readonly low: Tables | undefined
  readonly high: Tables | undefined
  /** The top byte of an address is not looked at, by half. */
  readonly topByteIgnored: readonly [low: boolean, high: boolean]
  readonly answers: Answers
}

/** Where level 1 of a table leads. */
export interface Below {
  readonly table: bigint
  /** Entries there. */
  readonly count: number
}

/** More about an event than its code. */
export interface Detail {
  /** Address of what could not be read. */
  readonly fetch?: bigint
  readonly stage?: 1 | 2
  /** What was being translated: a table walk, or the input address. */
  readonly class?: 'walk' | 'input'
  readonly records?: boolean
  readonly stalls?: boolean
}

/** A DMA that stops. Without an event: hardware aborts and tells nobody. */
export class Stopped {
  readonly event: EventName | undefined
  readonly detail: Detail
  constructor(event: EventName | undefined, detail: Detail = {}) {
    this.event = event
    this.detail = detail
  }

  get code(): number { return this.event === undefined ? 0 : EVENTS[this.event] }
}

/** What reading needs to know of the SMMU. */
export interface Reader {
  readonly view: HardwareView
  readonly capabilities: Capabilities
  readonly formats: Formats
  readonly steps?: Step[] | undefined
  /** Told of every entry that is read. */
  readonly seen?: ((address: bigint, words: readonly bigint[]) => void) | undefined
  /** Reads entries word by word, as hardware may piece them together; from the view at once where absent. */
  readonly fetch?: Fetch | undefined
}

/** Where the stream table is, as the registers say. */
export interface StreamTable {
  readonly base: bigint
  readonly log2size: number
  /** 0: linear. */
  readonly split: number
}

const hex = (value: number | bigint): string => `0x${value.toString(16)}`

/** Reads words 64 bits at a time, each at a moment of its own (IHI0070 3.21.3). */
const wordsOf = ({ view, fetch }: Reader, layout: Entry, address: bigint, unreadable: EventName): (index: number) => bigint => {
  if (!view.has(frameOf(address))) throw new Stopped(unreadable, { fetch: address })
  const shape: FetchShape = { bytes: layout.bits / 8, atomBytes: 8, order: 'free' }
  return fetch === undefined ? (index) => view.load64(address + BigInt(index * 8)) : fetch(address, shape)
}

/** The entry with the words of these indexes; what hardware does not use is 0, and is not read. */
const some = (layout: Entry, word: (index: number) => bigint, ...indexes: readonly number[]): bigint[] =>
  Array.from({ length: wordCount(layout) }, (_, index) => (indexes.includes(index) ? word(index) : 0n))

const note = (reader: Reader, entry: string, address: bigint, words: readonly bigint[], said: () => string): void => {
  reader.seen?.(address, words)
  reader.steps?.push({ entry, address, words, note: said() })
}

/** Level 1 for a stream, where there is one. Throws Stopped. */
export const fetchLevelOneStream = (reader: Reader, { base, split }: StreamTable, source: number): Below => {
  const address = base + BigInt(source >> split) * 8n
  const words = some(levelOneStream, wordsOf(reader, levelOneStream, address, 'F_STE_FETCH'), 0)
  const { Span, L2Ptr } = decode(levelOneStream, words)
  // Spans above 11 or above the split are reserved, and act as 0 (IHI0070 5.1).
  const valid = Span > 0 && Span <= 11 && Span <= split + 1
  note(reader, 'smmuv3.l1std', address, words, () => (valid ? `${2 ** (Span - 1)} entries at ${hex(L2Ptr)}` : 'no entries'))
  if (!valid) throw new Stopped('C_BAD_STREAMID')
  return { table: L2Ptr, count: 2 ** (Span - 1) }
}

/** Address of a stream's entry. Throws Stopped where the table has none. */
export const streamAddress = ({ base, log2size, split }: StreamTable, source: number, below: () => Below): bigint => {
  if (source >= 2 ** log2size) throw new Stopped('C_BAD_STREAMID')
  if (split === 0) return base + BigInt(source) * 64n
  const { table, count } = below()
  const index = source & (2 ** split - 1)
  if (index >= count) throw new Stopped('C_BAD_STREAMID')
  return table + BigInt(index) * 64n
}

const stageTwoShape = (granule: 12 | 14 | 16, startLevel: number): number => (granule === 12 ? 2 : 1) + startLevel

type Said = (words: readonly bigint[], text: () => string) => void

/** A stream table entry. Throws Stopped with C_BAD_STE where it is invalid or illegal (IHI0070 5.2). */
export const fetchStream = (reader: Reader, address: bigint): StreamCopy => {
  const word = wordsOf(reader, streamEntry, address, 'F_STE_FETCH')
  const first = some(streamEntry, word, 0)
  const V = decodeField(streamEntry, first, 'V')
  const Config = decodeField(streamEntry, first, 'Config')
  const said: Said = (words, text) => note(reader, 'smmuv3.ste', address, words, text)
  if (V === 0) {
    said(first, () => 'invalid')
    throw new Stopped('C_BAD_STE')
  }
  if (Config < 4) {
    said(first, () => 'abort')
    return { kind: 'abort' }
  }
  const { capabilities } = reader
  if (((Config & 1) !== 0 && !capabilities.stage1) || ((Config & 2) !== 0 && !capabilities.stage2)) {
    said(first, () => 'a stage that the SMMU does not have')
    throw new Stopped('C_BAD_STE')
  }
  switch (Config) {
    case 4: {
      const words = some(streamEntry, word, 0, 1)
      said(words, () => 'bypass')
      return { kind: 'bypass', shareability: shareabilityOf(capabilities, decodeField(streamEntry, words, 'SHCFG')) }
    }
    case 5: return stageOne(reader, some(streamEntry, word, 0, 1, 2), said)
    case 6: return stageTwo(reader, some(streamEntry, word, 0, 1, 2, 3), said)
    default:
      said(some(streamEntry, word, 0, 1, 2, 3), () => 'both stages: not modelled')
      return { kind: 'nested' }
  }
}

/** SHCFG is heeded where attributes can be overridden; else as incoming. */
const shareabilityOf = ({ attributeOverride }: Capabilities, SHCFG: number): number => (attributeOverride ? SHCFG : 1)

/** The largest T0SZ: smaller tables want IDR3.STT. */
const largestSize = ({ smallTables }: Capabilities): number => (smallTables ? 48 : 39)

/** log2 of the contexts of a leaf, by S1Fmt; its reserved value behaves as 0. */
const LEAF_BITS = [0, 6, 10, 0] as const
/** By S1DSS; its reserved value behaves as 0. */
const SUBSTREAMS = ['terminate', 'bypass', 'first', 'terminate'] as const

const stageOne = ({ capabilities }: Reader, words: readonly bigint[], said: Said): StreamCopy => {
  const e = decode(streamEntry, words)
  // What belongs to a feature that the SMMU does not have is not looked at.
  const max = capabilities.substreamBits === 0 ? 0 : e.S1CDMax
  const leafBits = max === 0 ? 0 : LEAF_BITS[e.S1Fmt] as 0 | 6 | 10
  said(words, () => `stage 1, ${max === 0 ? 'one context' : `${2 ** max} contexts`} at ${hex(e.S1ContextPtr)}`)
  const illegal = max > capabilities.substreamBits
    || (leafBits !== 0 && !capabilities.twoLevelContexts)
    || (capabilities.hypervisor && (e.STRW & 1) === 1)
    || (e.S1STALLD === 1 && capabilities.stalls !== 'optional')
    || (capabilities.ats && e.EATS === 2)
    || (capabilities.stage2 && e.S2VMID > 0xff && capabilities.vmidBits === 8)
  if (illegal) throw new Stopped('C_BAD_STE')
  return {
    kind: 'stage 1',
    contexts: e.S1ContextPtr,
    leafBits,
    max,
    substream: SUBSTREAMS[e.S1DSS] as (typeof SUBSTREAMS)[number],
    stallsDisabled: e.S1STALLD === 1,
    vmid: capabilities.stage2 ? e.S2VMID : 0,
    tag: capabilities.stage2 ? `VMID ${e.S2VMID} ` : '',
    ats: capabilities.ats && e.EATS === 1,
    // Only what bypasses stage 1 has the attributes of the entry.
    shareability: e.S1DSS === 1 ? shareabilityOf(capabilities, e.SHCFG) : 1,
  }
}

const stageTwo = ({ capabilities, formats }: Reader, words: readonly bigint[], said: Said): StreamCopy => {
  const e = decode(streamEntry, words)
  const granule = granuleOf(e.S2TG)
  said(words, () => `stage 2 at ${hex(e.S2TTB)}, VMID ${e.S2VMID}`)
  const outputBits = Math.min(OUTPUT_SIZES[e.S2PS] as number, capabilities.outputBits, 48)
  const format = granule === undefined || !capabilities.granules.includes(granule) ? undefined : formats({
    stage: 2, granule, inputBits: 64 - e.S2T0SZ, outputBits, levels: stageTwoShape(granule, e.S2SL0), accessFaults: e.S2AFFD === 0 && e.S2HA === 0,
  })
  const illegal = format === undefined || e.S2AA64 === 0 || e.S2ENDI === 1
    || 64 - e.S2T0SZ > capabilities.outputBits || e.S2T0SZ > largestSize(capabilities)
    || e.S2TTB >> BigInt(outputBits) !== 0n
    || (e.S2HA === 1 && capabilities.flagUpdates === 0) || (e.S2HD === 1 && capabilities.flagUpdates < 2)
    || (e.S2HAFT === 1 && e.S2HA === 0 && capabilities.flagUpdates === 3)
    || (e.S2VMID > 0xff && capabilities.vmidBits === 8)
    || (e.S2S === 1 && capabilities.stalls === 'never') || (e.S2S === 0 && capabilities.stalls === 'always')
    || (capabilities.ats && (e.EATS === 2 || (e.EATS === 1 && e.S2S === 1)))
  if (illegal) throw new Stopped('C_BAD_STE')
  return {
    kind: 'stage 2', vmid: e.S2VMID, tag: `VMID ${e.S2VMID}`, ats: capabilities.ats && e.EATS === 1,
    answers: answersOf(2, `SHCFG ${shareabilityOf(capabilities, e.SHCFG)}`),
    format, root: frameOf(e.S2TTB), records: e.S2R === 1, stalls: e.S2S === 1,
  }
}

/** Level 1 for a PASID, where the stream's CD table has one. Throws Stopped. */
export const fetchLevelOneContext = (reader: Reader, { contexts, leafBits }: StageOne, pasid: number): Below => {
  const address = contexts + BigInt(pasid >> leafBits) * 8n
  const words = some(levelOneContext, wordsOf(reader, levelOneContext, address, 'F_CD_FETCH'), 0)
  const { V, L2Ptr } = decode(levelOneContext, words)
  note(reader, 'smmuv3.l1cd', address, words, () => (V === 1 ? `contexts at ${hex(L2Ptr)}` : 'invalid'))
  if (V === 0) throw new Stopped('C_BAD_SUBSTREAMID')
  return { table: L2Ptr, count: 2 ** leafBits }
}

/** Address of a PASID's descriptor. Throws Stopped. */
export const contextAddress = ({ contexts, leafBits }: StageOne, pasid: number, below: () => Below): bigint =>
  (leafBits === 0 ? contexts + BigInt(pasid) * 64n : below().table + BigInt(pasid & (2 ** leafBits - 1)) * 64n)

/** A context descriptor. Throws Stopped with C_BAD_CD where it is invalid or illegal (IHI0070 5.4). */
export const fetchContext = (reader: Reader, stream: StageOne, address: bigint, pasid: number): ContextCopy => {
  const word = wordsOf(reader, contextDescriptor, address, 'F_CD_FETCH')
  const first = some(contextDescriptor, word, 0)
  const said: Said = (words, text) => note(reader, 'smmuv3.cd', address, words, () => `context ${hex(pasid)}: ${text()}`)
  if (decodeField(contextDescriptor, first, 'V') === 0) {
    said(first, () => 'invalid')
    throw new Stopped('C_BAD_CD')
  }
  const upper = decodeField(contextDescriptor, first, 'EPD1') === 0
  const words = some(contextDescriptor, word, 0, 1, 3, ...(upper ? [2] : []))
  const d = decode(contextDescriptor, words)
  said(words, () => (d.EPD0 === 1 ? `no table, ASID ${d.ASID}` : `tables at ${hex(d.TTB0)}, ASID ${d.ASID}`))
  const { capabilities, formats } = reader
  const outputBits = Math.min(OUTPUT_SIZES[d.IPS] as number, capabilities.outputBits, 48)
  const tables = (disabled: number, code: number | undefined, size: number, base: bigint): Tables | undefined => {
    if (disabled === 1) return undefined
    const granule = code === undefined ? undefined : granuleOf(code)
    const fits = size >= 64 - capabilities.inputBits && size <= largestSize(capabilities)
    const format = granule === undefined || !fits || !capabilities.granules.includes(granule) ? undefined
      : formats({ stage: 1, granule, inputBits: 64 - size, outputBits, levels: 0, accessFaults: d.AFFD === 0 && d.HA === 0 })
    if (format === undefined || d.ENDI === 1 || base >> BigInt(outputBits) !== 0n) throw new Stopped('C_BAD_CD')
    return { format, root: frameOf(base) }
  }
  const illegal = d.AA64 === 0
    || (d.S === 1 && (stream.stallsDisabled || capabilities.stalls === 'never')) || (d.S === 0 && capabilities.stalls === 'always')
    || (d.A === 0 && capabilities.abortOnly)
    || (d.HA === 1 && capabilities.flagUpdates === 0) || (d.HD === 1 && capabilities.flagUpdates < 2)
    || (d.HAFT === 1 && d.HA === 0 && capabilities.flagUpdates === 3)
    || (d.ASID > 0xff && capabilities.asidBits === 8)
  if (illegal) throw new Stopped('C_BAD_CD')
  return {
    asid: d.ASID,
    tag: `ASID ${d.ASID}`,
    low: tables(d.EPD0, d.TG0, d.T0SZ, d.TTB0),
    // TG1 has codes of its own.
    high: tables(d.EPD1, ([undefined, 2, 0, 1] as const)[d.TG1], d.T1SZ, d.TTB1),
    topByteIgnored: [d.TBI0 === 1, d.TBI1 === 1],
    answers: answersOf(1, `MAIR 0x${d.MAIR.toString(16)}`),
    records: d.R === 1,
    stalls: d.S === 1,
  }
}
