// What each invalidation command names, as adversarial mode asks: by the tags that copies hold.
import { decode, describe, renderLine } from '@iommu/bits'
import { dropsNothing } from '@iommu/hardware'
import type { Command, CommandEvent, Drop, EntryTag, Held } from '@iommu/hardware'
import {
  atcInvCommand, CFGI_ALL_RANGE, cfgiCdAllCommand, cfgiCdCommand, cfgiSteCommand, cfgiSteRangeCommand, OPCODES, tlbiNhAllCommand,
  tlbiNhAsidCommand, tlbiNhVaaCommand, tlbiNhVaCommand, tlbiS12VmallCommand, tlbiS2IpaCommand,
} from '../tables/index.js'
import { commandLayout, deviceRange, opcodeOf, pageRange } from './queue.js'
import type { ByAddress } from './queue.js'

type Words = readonly bigint[]
type Place = Pick<Held<unknown>, 'first' | 'last'>
type Tagged = Pick<Held<unknown>, 'tag'>

/** Spaces of translations. Stage 1 is tagged by ASID and, in the place of the PASID, by VMID. */
export const SPACES = { stage1: 'stage 1', stage2: 'stage 2' } as const

const meets = ([first, last]: readonly [number, number], held: Place): boolean => held.first <= last && held.last >= first

/** Streams, and the contexts that are reached through them (IHI0070 4.3.1). */
const streams = (first: number, last: number): Drop =>
  ({ ...dropsNothing, below: true, entry: ({ source }: EntryTag) => source >= first && source <= last })

const contexts = (source: number, pasid: number | 'all'): Drop => ({
  ...dropsNothing,
  entry: (tag) => tag.cache === 'cd' && tag.source === source && (pasid === 'all' || tag.pasid === pasid),
})

const tags = (matches: (held: Tagged) => boolean): Drop => ({ ...dropsNothing, translation: matches })

const pages = (d: ByAddress, matches: (held: Tagged) => boolean): Drop => ({
  ...dropsNothing,
  translation: (held) => matches(held) && meets(pageRange(d), held) && (d.Leaf === 0 || held.kind === 'leaf'),
})

const stage1 = (VMID: number, ASID?: number) => ({ tag }: Tagged): boolean =>
  tag.space === SPACES.stage1 && tag.pasid === VMID && (ASID === undefined || tag.domain === ASID)
const stage2 = (VMID: number) => ({ tag }: Tagged): boolean => tag.space === SPACES.stage2 && tag.domain === VMID

const drops: Readonly<Record<number, { readonly kind: string; readonly of: (words: Words) => Drop }>> = {
  [OPCODES.cfgiSte]: { kind: 'cfgi', of: (words) => { const d = decode(cfgiSteCommand, words); return streams(d.SID, d.SID) } },
  [OPCODES.cfgiSteRange]: {
    kind: 'cfgi',
    of(words) {
      const { SID, Range } = decode(cfgiSteRangeCommand, words)
      const count = 2 ** (Range + 1)
      const first = Math.floor(SID / count) * count
      return Range === CFGI_ALL_RANGE ? streams(0, Infinity) : streams(first, first + count - 1)
    },
  },
  [OPCODES.cfgiCd]: { kind: 'cfgi', of: (words) => { const d = decode(cfgiCdCommand, words); return contexts(d.SID, d.SSID) } },
  [OPCODES.cfgiCdAll]: { kind: 'cfgi', of: (words) => contexts(decode(cfgiCdAllCommand, words).SID, 'all') },
  [OPCODES.tlbiNsnhAll]: { kind: 'tlbi', of: () => tags(() => true) },
  [OPCODES.tlbiNhAll]: { kind: 'tlbi', of: (words) => tags(stage1(decode(tlbiNhAllCommand, words).VMID)) },
  [OPCODES.tlbiNhAsid]: { kind: 'tlbi', of: (words) => { const d = decode(tlbiNhAsidCommand, words); return tags(stage1(d.VMID, d.ASID)) } },
  [OPCODES.tlbiNhVa]: { kind: 'tlbi', of: (words) => { const d = decode(tlbiNhVaCommand, words); return pages(d, stage1(d.VMID, d.ASID)) } },
  [OPCODES.tlbiNhVaa]: { kind: 'tlbi', of: (words) => { const d = decode(tlbiNhVaaCommand, words); return pages(d, stage1(d.VMID)) } },
  [OPCODES.tlbiS12Vmall]: {
    kind: 'tlbi',
    of(words) {
      const { VMID } = decode(tlbiS12VmallCommand, words)
      const [first, second] = [stage1(VMID), stage2(VMID)]
      return tags((held) => first(held) || second(held))
    },
  },
  [OPCODES.tlbiS2Ipa]: { kind: 'tlbi', of: (words) => { const d = decode(tlbiS2IpaCommand, words); return pages(d, stage2(d.VMID)) } },
  [OPCODES.atcInv]: {
    kind: 'atc-inv',
    of(words) {
      const d = decode(atcInvCommand, words)
      const range = deviceRange(d.Address, d.Size)
      const pasid = d.SSV === 1 ? d.SSID : 0
      return {
        ...dropsNothing,
        device: (held) => held.tag.domain === d.SID && (d.Global === 1 || held.tag.pasid === pasid) && meets(range, held),
      }
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
  return found === undefined ? undefined : { text, kind: found.kind, drop: found.of(words), completes: false, fences: false }
}
