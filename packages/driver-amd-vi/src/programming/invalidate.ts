// What must be flushed, and in which order. Pure: facts of a change become commands.
import { encode } from '@iommu/bits'
import { coveringShift, sizedAddress, WHOLE_SPACE } from '@iommu/hardware'
import {
  completionWait, invalidateDevtabEntry, invalidateIommuAll, invalidateIommuPages, invalidateIotlbPages, OPCODES,
} from '../tables/index.js'
import type { Command, Flushes } from './plan.js'

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
  encode(invalidateDevtabEntry, { Opcode: OPCODES.invalidateDevtabEntry, DeviceID: source })

/** Writes `turn` to an address once everything before it is complete. */
export const waitFor = (address: bigint, turn: bigint): Command =>
  encode(completionWait, { Opcode: OPCODES.completionWait, S: 1, StoreAddress: address, Data: turn })

export const everything = (): Command => encode(invalidateIommuAll, { Opcode: OPCODES.invalidateIommuAll })

/** More address bits than these differ: everything is meant (Linux, `build_inv_address`). */
const WIDEST_RANGE = 52

/** Both ends inclusive. */
export interface Range {
  readonly start: bigint
  readonly end: bigint
}

/** One page, or an aligned range around both ends; everything where there is no range. */
const named = (range?: Range): { readonly S: number; readonly ADDR: bigint } => {
  const shift = range === undefined ? WHOLE_SPACE : coveringShift(range.start, range.end)
  return { S: shift > 12 ? 1 : 0, ADDR: sizedAddress(range?.start ?? 0n, shift > WIDEST_RANGE ? WHOLE_SPACE : shift) }
}

const pages = ({ domainId, pasid }: PageTag, range: ReturnType<typeof named>, PDE: number): Command =>
  encode(invalidateIommuPages, {
    Opcode: OPCODES.invalidateIommuPages, DomainID: domainId, PDE, ...range,
    ...(pasid === undefined ? {} : { GN: 1, PASID: pasid }),
  })

/** Everything under a tag. */
export const flushTag = (tag: PageTag): Command => pages(tag, named(), 1)

/** Pages of a tag, both ends inclusive. `leavesOnly`: no table page was freed, paging-structure caches may stay. */
export const flushPages = (tag: PageTag, start: bigint, end: bigint, leavesOnly: boolean): readonly Command[] =>
  [pages(tag, named({ start, end }), leavesOnly ? 0 : 1)]

/** Outstanding invalidations that a queue depth of 0 stands for. */
const DEEPEST = 32

/** The same pages in a device TLB, or everything there. PASID 0 is the form without PASID. */
export const flushDevicePages = ({ source, queueDepth }: DeviceTlb, pasid: number, range?: Range): Command => encode(invalidateIotlbPages, {
  Opcode: OPCODES.invalidateIotlbPages, DeviceID: source, QueueID: source, MaxPend: queueDepth === 0 ? DEEPEST : queueDepth,
  ...named(range),
  ...(pasid === 0 ? {} : { GN: 1, PASID: pasid }),
})

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
