// What must be flushed, and in which order. Pure: facts of a change become commands.
import { encode } from '@iommu/bits'
import {
  invalidateDevtabEntry, invalidateIommuAll, invalidateIommuPages, invalidateIotlbPages, OPCODES,
} from '../tables/index.js'
import type { Command, Flushes } from './plan.js'

const two = (words: readonly bigint[]): Command => [words[0] as bigint, words[1] as bigint]

/** A device TLB that has to be told: its source, and its ATS queue depth as the capability gives it (0 means 32). */
export interface DeviceTlb {
  readonly source: number
  readonly queueDepth: number
}

/** One tag under which translations are cached. */
export interface PageTag {
  readonly domainId: number
  /** Absent: host tables or pass-through, where PASIDs do not matter. 0: requests without PASID, through GCR3[0]. */
  readonly pasid?: number
}

const devtabEntry = (source: number): Command =>
  two(encode(invalidateDevtabEntry, { Opcode: OPCODES.invalidateDevtabEntry, DeviceID: source }))

export const everything = (): Command => two(encode(invalidateIommuAll, { Opcode: OPCODES.invalidateIommuAll }))

/** The whole 64-bit space: every bit from 12 on is one, but the highest (Linux, `build_inv_address`). */
const ALL_ADDRESSES = 0x7fff_ffff_ffff_f000n

/** More address bits than these differ: everything is meant. */
const WIDEST_RANGE = 52

/** An aligned range of 2^pageShift bytes: the lowest zero bit from bit 12 on is half of it. */
const sized = (start: bigint, pageShift: number): { readonly S: number; readonly ADDR: bigint } => {
  if (pageShift > WIDEST_RANGE) return { S: 1, ADDR: ALL_ADDRESSES }
  const shift = BigInt(pageShift)
  const first = (start >> shift) << shift
  return pageShift === 12 ? { S: 0, ADDR: first } : { S: 1, ADDR: first | (((1n << (shift - 1n)) - 1n) & ~0xfffn) }
}

/** log2 of the smallest aligned range that covers both ends, inclusive; 12 at the least. */
export const coveringShift = (start: bigint, end: bigint): number => {
  let shift = 12
  while (start >> BigInt(shift) !== end >> BigInt(shift)) shift++
  return shift
}

const pages = ({ domainId, pasid }: PageTag, range: { readonly S: number; readonly ADDR: bigint }, PDE: number): Command =>
  two(encode(invalidateIommuPages, {
    Opcode: OPCODES.invalidateIommuPages, DomainID: domainId, PDE, ...range,
    ...(pasid === undefined ? {} : { GN: 1, PASID: pasid }),
  }))

/** Everything under a tag. */
export const flushTag = (tag: PageTag): Command => pages(tag, { S: 1, ADDR: ALL_ADDRESSES }, 1)

/** Pages of a tag, both ends inclusive. `leavesOnly`: no table page was freed, paging-structure caches may stay. */
export const flushPages = (tag: PageTag, start: bigint, end: bigint, leavesOnly: boolean): readonly Command[] =>
  [pages(tag, sized(start, coveringShift(start, end)), leavesOnly ? 0 : 1)]

/** Outstanding invalidations that a queue depth of 0 stands for. */
const DEEPEST = 32

/** The same pages in a device TLB, or everything there. PASID 0 is the form without PASID. */
export const flushDevicePages = (
  { source, queueDepth }: DeviceTlb, pasid: number, range?: { readonly start: bigint; readonly end: bigint },
): Command => two(encode(invalidateIotlbPages, {
  Opcode: OPCODES.invalidateIotlbPages, DeviceID: source, QueueID: source, MaxPend: queueDepth === 0 ? DEEPEST : queueDepth,
  ...(range === undefined ? { S: 1, ADDR: ALL_ADDRESSES } : sized(range.start, coveringShift(range.start, range.end))),
  ...(pasid === 0 ? {} : { GN: 1, PASID: pasid }),
}))

/** What a device table entry says about itself when it is changed. */
export interface EntryFacts {
  readonly source: number
  /** Under which tag the old entry's translations are cached; undefined: there are none, or the slot's flush has them. */
  readonly old: PageTag | undefined
  readonly deviceTlbs: readonly DeviceTlb[]
  /** PASIDs that go with the entry: what the device keeps of them goes too. */
  readonly pasids: readonly number[]
}

/** Device table entry: the entry, then its pages, then the device's TLB, each completed before the next. */
export const flushEntry = ({ source, old, deviceTlbs, pasids }: EntryFacts): Flushes => ({
  entry: [devtabEntry(source)],
  behind: [
    old === undefined ? [] : [flushTag(old)],
    deviceTlbs.flatMap((tlb) => [0, ...pasids].map((pasid) => flushDevicePages(tlb, pasid))),
  ],
})

/** What an entry of a GCR3 table says about itself when it is changed. */
export interface SlotFacts {
  readonly tag: Required<PageTag>
  readonly deviceTlbs: readonly DeviceTlb[]
}

/** Entry of a GCR3 table: its pages, which takes the entry itself along, then the device's TLB. Also where nothing was set. */
export const flushSlot = ({ tag, deviceTlbs }: SlotFacts): Flushes => ({
  entry: [flushTag(tag)],
  behind: [deviceTlbs.map((tlb) => flushDevicePages(tlb, tag.pasid))],
})
