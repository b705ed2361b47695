// What deviations of QEMU's RISC-V IOMMU are made of: the smallest plans, causes, and what is known of a probe besides its answer.
import { decode } from '@iommu/bits'
import { riscv } from '@iommu/machine-qemu'
import { riscvEntry } from '@iommu/page-table'
import { pageAt } from '../addresses.js'
import { changeEntries } from '../plan.js'
import type { Tweak } from '../plan.js'
import type { Deviation, Probe, Seen } from '../subject.js'
import type { Kind } from './generate.js'
import { GUEST_LEAF, shiftOf } from './plan.js'
import type { RiscvPage, RiscvPlan, WayPoint } from './plan.js'

export type RiscvDeviation = Deviation<RiscvPlan>
export type RiscvSeen = Seen<RiscvPlan>

/** What a target is of. */
export interface Tried {
  readonly kind: Kind
  readonly extended: boolean
}

const SOURCE = 0x20
export const IOVA = 0x20_0000n
const GUEST = 0x30_0000n

/** The smallest plan: one page of 4 KiB, and what is to be shown. */
export const onePage = ({ kind, extended }: Tried, change: Partial<RiscvPlan> = {}, entries: Readonly<Record<number, Tweak>> = {}): RiscvPlan => {
  const page = { iova: IOVA, level: 1, target: riscv.data.start, entries }
  return {
    class: 'reproduction', source: SOURCE, extended, directory: 1, way: {},
    ...(kind === 'second' ? {} : { first: 3 }), ...(kind === 'first' ? {} : { second: 3 }),
    pages: [kind === 'nested' ? { ...page, target: GUEST } : page],
    ...(kind === 'nested' ? { guests: [{ ...page, iova: GUEST, entries: {} }] } : {}),
    ...change,
  }
}

export const way = (tried: Tried, point: WayPoint, tweak: Tweak, change: Partial<RiscvPlan> = {}): RiscvPlan =>
  onePage(tried, { ...change, way: { [point]: tweak } })

export const probe = (access: Probe['access'], address = IOVA, pasid?: number): Probe =>
  ({ source: SOURCE, ...(pasid === undefined ? {} : { pasid }), address, access })

export const reads = (plan: RiscvPlan): ReturnType<RiscvDeviation['reproduce']> => ({ plan, probes: [probe('read')] })

/** Causes. Those from the first of the contexts' on are met before the stages. */
export const CAUSES = {
  firstOfContexts: 256, notValid: 258, programmedWrongly: 259, notAllowed: 260, processUnreadable: 265, processWrong: 267,
} as const
export const UNREADABLE: readonly number[] = [5, 7]
export const FIRST_STAGE_FAULTS: readonly number[] = [13, 15]
export const GUEST_FAULTS: readonly number[] = [21, 23]
export const PAGE_FAULTS: readonly number[] = [...FIRST_STAGE_FAULTS, ...GUEST_FAULTS]

export const PAGE = ~0xfffn

/** The entries of both stages' pages, changed where `change` says how. */
export const changeAll = (plan: RiscvPlan, change: (tweak: Tweak, level: number, page: RiscvPage) => Tweak | undefined): RiscvPlan | undefined => {
  const first = changeEntries<RiscvPage, RiscvPlan>(plan, change)
  const { guests } = plan
  const second = guests === undefined ? undefined : changeEntries<RiscvPage, RiscvPlan>({ ...plan, pages: guests }, change)
  if (first === undefined && second === undefined) return undefined
  return { ...(first ?? plan), ...(second === undefined ? {} : { guests: second.pages }) }
}

/** The last entry that the model read of a table. */
export const lastEntry = ({ steps }: RiscvSeen): bigint | undefined => {
  const last = steps.findLast(({ entry }) => entry === riscvEntry.name)
  return last?.words[0]
}

export const PAGE_SHIFT = 12n

/** Whether a DMA has brought the translation of the same 4 KiB into QEMU's IOTLB. Questions look there, and leave nothing. */
export const isKept = ({ probe: { address }, before }: RiscvSeen): boolean =>
  before.some((each) => each.pasid === undefined && each.address >> PAGE_SHIFT === address >> PAGE_SHIFT)

const NAPOT_BIT = 63
/** log2 of a page's size as its entries say it: one that does not say that it is one of 16 is a page of its own, and the other way round. */
const saidShift = (page: RiscvPage): number => {
  const flipped = page.entries[page.level]?.flips?.includes(NAPOT_BIT) === true
  const { napot: _napot, ...alone } = page
  return shiftOf(page.level === 1 && (page.napot === true) !== flipped ? { ...alone, napot: true } : alone)
}

/** log2 of the smallest leaf on the way of an address: those of the second stage that a guest's tables lie in count too. */
export const smallestLeaf = ({ plan: { pages, guests }, probe: { address } }: RiscvSeen): bigint => {
  const page = pageAt(pages, address, shiftOf)
  if (page === undefined) return PAGE_SHIFT
  const guest = guests === undefined ? [] : [...guests.filter(({ iova }) => iova === page.target), GUEST_LEAF]
  return BigInt(Math.min(...[page, ...guest].map(saidShift)))
}

/** Where a first stage leads, by the leaf that the model read; undefined: to none. */
export const guestAddress = ({ plan: { pages }, steps, probe: { address } }: RiscvSeen): bigint | undefined => {
  const leaf = steps.find(({ note }) => note.endsWith('leaf'))
  const page = pageAt(pages, address, shiftOf)
  if (leaf === undefined || page === undefined) return undefined
  const mask = (1n << BigInt(saidShift(page))) - 1n
  return (decode(riscvEntry, leaf.words).PPN & ~mask) | (address & mask)
}
