// What each command names, by the tags that copies hold: for the queue, which has the caches forget it, and for adversarial mode.
import { decode, describe, renderLine } from '@iommu/bits'
import { dropOf, frameOf } from '@iommu/hardware'
import type { Command, CommandEvent, EntryTag, FrameRange, Names, TranslationTag } from '@iommu/hardware'
import {
  ATC_INV_ALL, atcInvCommand, CFGI_ALL_RANGE, cfgiCdAllCommand, cfgiCdCommand, cfgiSteCommand, cfgiSteRangeCommand, commandLayout, opcodeOf,
  OPCODES, tlbiNhAllCommand, tlbiNhAsidCommand, tlbiNhVaaCommand, tlbiNhVaCommand, tlbiS12VmallCommand, tlbiS2IpaCommand,
} from '../tables/index.js'

type Words = readonly bigint[]

/** Spaces of translations. Stage 1 is tagged by ASID and, in the place of the PASID, by VMID. */
export const SPACES = { stage1: 'stage 1', stage2: 'stage 2' } as const

/** Entries that are cached, of level 1 and those with streams and contexts. */
export type CachedEntry = 'l1std' | 'ste' | 'l1cd' | 'cd'

/** What a command names. `span`: how many streams or contexts an entry stands for, from the one named on; 1 if absent. */
export interface SmmuNames extends Names {
  readonly entry?: (tag: EntryTag & { readonly span?: number }) => boolean
}

/** Streams, and the contexts that are reached through them (IHI0070 4.3.1). Level 1 stays where only leaves changed. */
const streams = (first: number, last: number, leafOnly: boolean): SmmuNames => ({
  below: true,
  entry: ({ cache, source, span = 1 }) => (cache === 'l1std'
    ? !leafOnly && source <= last && source + span > first
    : source >= first && source <= last),
})

/** One context of a stream, or all. */
const contexts = (stream: number, substream: number | 'all', leafOnly: boolean): SmmuNames => ({
  entry: ({ cache, source, pasid, span = 1 }) => (cache === 'cd' || (cache === 'l1cd' && !leafOnly)) && source === stream
    && (substream === 'all' || (pasid <= substream && pasid + span > substream)),
})

/** Values of commands by address. */
export interface ByAddress {
  readonly Address: bigint
  readonly NUM: number
  readonly SCALE: number
  readonly TG: number
  readonly TTL: number
  readonly Leaf: number
}

const GRANULES = [0, 12, 14, 16] as const

/** First and last frame that a command by address names; without TG the page around it, of whatever size. */
const pageRange = ({ Address, NUM, SCALE, TG }: ByAddress): FrameRange => {
  const granule = GRANULES[TG] as number
  const pages = TG === 0 ? 1 : (NUM + 1) * 2 ** SCALE * 2 ** (granule - 12)
  return [frameOf(Address), frameOf(Address) + pages - 1]
}

/** First and last frame that an ATC_INV names. */
const deviceRange = (Address: bigint, Size: number): FrameRange => {
  if (Size >= ATC_INV_ALL) return [0, Infinity]
  const first = Math.floor(frameOf(Address) / 2 ** Size) * 2 ** Size
  return [first, first + 2 ** Size - 1]
}

type Under = (tag: TranslationTag) => boolean

const everything: Under = () => true
const stage1 = (VMID: number, ASID?: number): Under => ({ space, domain, pasid }) =>
  space === SPACES.stage1 && pasid === VMID && (ASID === undefined || domain === ASID)
const stage2 = (VMID: number): Under => ({ space, domain }) => space === SPACES.stage2 && domain === VMID
const bothStages = (VMID: number): Under => {
  const [first, second] = [stage1(VMID), stage2(VMID)]
  return (tag) => first(tag) || second(tag)
}

const tags = (under: Under): SmmuNames => ({ pages: { under } })
const pages = (d: ByAddress, under: Under): SmmuNames => ({ pages: { under, range: pageRange(d), leavesOnly: d.Leaf === 1 } })

/** By opcode. The others name nothing that is cached here. */
export const drops: Readonly<Record<number, { readonly kind: string; readonly names: (words: Words) => SmmuNames }>> = {
  [OPCODES.cfgiSte]: {
    kind: 'cfgi',
    names(words) {
      const { SID, Leaf } = decode(cfgiSteCommand, words)
      return streams(SID, SID, Leaf === 1)
    },
  },
  [OPCODES.cfgiSteRange]: {
    kind: 'cfgi',
    names(words) {
      const { SID, Range } = decode(cfgiSteRangeCommand, words)
      const count = 2 ** (Range + 1)
      const first = Math.floor(SID / count) * count
      return Range === CFGI_ALL_RANGE ? streams(0, Infinity, false) : streams(first, first + count - 1, false)
    },
  },
  [OPCODES.cfgiCd]: {
    kind: 'cfgi',
    names(words) {
      const { SID, SSID, Leaf } = decode(cfgiCdCommand, words)
      return contexts(SID, SSID, Leaf === 1)
    },
  },
  [OPCODES.cfgiCdAll]: { kind: 'cfgi', names: (words) => contexts(decode(cfgiCdAllCommand, words).SID, 'all', false) },
  [OPCODES.tlbiNsnhAll]: { kind: 'tlbi', names: () => tags(everything) },
  [OPCODES.tlbiNhAll]: { kind: 'tlbi', names: (words) => tags(stage1(decode(tlbiNhAllCommand, words).VMID)) },
  [OPCODES.tlbiNhAsid]: {
    kind: 'tlbi',
    names(words) {
      const { VMID, ASID } = decode(tlbiNhAsidCommand, words)
      return tags(stage1(VMID, ASID))
    },
  },
  [OPCODES.tlbiNhVa]: { kind: 'tlbi', names: (words) => { const d = decode(tlbiNhVaCommand, words); return pages(d, stage1(d.VMID, d.ASID)) } },
  [OPCODES.tlbiNhVaa]: { kind: 'tlbi', names: (words) => { const d = decode(tlbiNhVaaCommand, words); return pages(d, stage1(d.VMID)) } },
  [OPCODES.tlbiS12Vmall]: { kind: 'tlbi', names: (words) => tags(bothStages(decode(tlbiS12VmallCommand, words).VMID)) },
  [OPCODES.tlbiS2Ipa]: { kind: 'tlbi', names: (words) => { const d = decode(tlbiS2IpaCommand, words); return pages(d, stage2(d.VMID)) } },
  [OPCODES.atcInv]: {
    kind: 'atc-inv',
    names(words) {
      const { SID, SSV, SSID, Global, Address, Size } = decode(atcInvCommand, words)
      return { device: { source: SID, pasid: Global === 1 ? 'all' : SSV === 1 ? SSID : 0, range: deviceRange(Address, Size) } }
    },
  },
}

/** A command that hardware took. A SYNC tells by CONS that everything before it is complete. */
export const commandOf = ({ words }: CommandEvent): Command | undefined => {
  const layout = commandLayout(words)
  if (layout === undefined) return undefined
  const text = renderLine(describe(layout, words))
  const opcode = opcodeOf(words)
  if (opcode === OPCODES.sync) return { text, kind: 'sync', completes: true, fences: false }
  const found = drops[opcode]
  return found === undefined ? undefined : { text, kind: found.kind, drop: dropOf(found.names(words)), completes: false, fences: false }
}
