// A VT-d table state as data: the fields of every entry on the way, and the pages behind them.
import { breaksReserved, encode } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { frameAddress } from '@iommu/hardware'
import {
  contextEntry, pasidDirectoryEntry, pasidEntry, rootEntry, scalableContextEntry, scalableRootEntry,
} from '@iommu/driver-intel-vtd/tables'
import { firstStageEntry, secondStageEntry } from '@iommu/page-table'

/** Values of fields by name, over those that a plain path has. */
export type Fields = Readonly<Record<string, number | bigint>>

/** An entry on the way to the page tables: other values for its fields, and single bits turned over. */
export interface Tweak {
  readonly fields?: Fields
  readonly flips?: readonly number[]
}

/** A page, and how each entry of its walk differs from a plain one; index 1 is the level of the smallest pages. */
export interface Page {
  readonly iova: bigint
  /** Level of its leaf. */
  readonly level: number
  readonly target: bigint
  readonly entries: Readonly<Record<number, Tweak>>
}

export type WayPoint = 'root' | 'context' | 'directory' | 'pasid'

export interface VtdPlan {
  /** What the plan is an example of. */
  readonly class: string
  readonly source: number
  readonly mode: 'legacy' | 'second-stage' | 'first-stage'
  readonly levels: 3 | 4
  readonly way: Readonly<Partial<Record<WayPoint, Tweak>>>
  readonly pages: readonly Page[]
}

/** Frames of words, by frame number, and where things are. */
export interface Built {
  readonly frames: ReadonlyMap<number, BigUint64Array>
  /** The root table. */
  readonly root: bigint
  /** The root of the page tables. */
  readonly tables: bigint
  /** The entry that points to them: the context entry, or the PASID entry. */
  readonly entry: bigint
}

/** The first two frames of the tables' region belong to the queue. */
export const QUEUE_FRAME = 0x1000
export const STATUS_FRAME = 0x1001
export const FIRST_FRAME = 0x1002
export const DOMAIN_ID = 5

const words = (layout: Entry, plain: Fields, { fields = {}, flips = [] }: Tweak = {}): bigint[] => {
  const all = encode(layout, { ...plain, ...fields })
  for (const bit of flips) all[bit >> 6] = (all[bit >> 6] as bigint) ^ (1n << BigInt(bit & 63))
  return all
}

/** Whether an entry as planned has a reserved bit of its layout set. */
export const breaksLayout = (layout: Entry, tweak: Tweak): boolean => breaksReserved(layout, words(layout, {}, tweak))

const LAYOUTS = {
  'second-stage': { layout: secondStageEntry, table: { R: 1, W: 1 }, leaf: { R: 1, W: 1 } },
  'first-stage': { layout: firstStageEntry, table: { P: 1, RW: 1, US: 1, A: 1 }, leaf: { P: 1, RW: 1, US: 1, A: 1, D: 1 } },
} as const

export const layoutOf = ({ mode }: Pick<VtdPlan, 'mode'>): typeof LAYOUTS['first-stage'] | typeof LAYOUTS['second-stage'] =>
  LAYOUTS[mode === 'first-stage' ? 'first-stage' : 'second-stage']

/** Which table entry of a level an address selects. */
const indexAt = (iova: bigint, level: number): number => Number((iova >> BigInt(12 + 9 * (level - 1))) & 511n)

/** The words of a plan, in frames from `first` on. */
export const build = (plan: VtdPlan, first = FIRST_FRAME): Built => {
  const frames = new Map<number, BigUint64Array>()
  let next = first
  const take = (): number => {
    frames.set(next, new BigUint64Array(512))
    return next++
  }
  const put = (frame: number, index: number, all: readonly bigint[]): void => frames.get(frame)?.set(all, index)
  const { source, mode, levels, way, pages } = plan

  const rootTable = take()
  const contexts = take()
  const pages0 = take()
  const legacy = mode === 'legacy'
  const devfn = source & 0xff
  let entry = frameAddress(contexts) + BigInt(devfn * 16)
  if (legacy) {
    put(rootTable, (source >> 8) * 2, words(rootEntry, { P: 1, CTP: frameAddress(contexts) }, way.root))
    put(contexts, devfn * 2, words(contextEntry, { P: 1, TT: 0, AW: levels - 2, DID: DOMAIN_ID, SSPTPTR: frameAddress(pages0) }, way.context))
  } else {
    const both = { LP: 1, LCTP: frameAddress(contexts), UP: 1, UCTP: frameAddress(contexts) }
    put(rootTable, (source >> 8) * 2, words(scalableRootEntry, both, way.root))
    const [directory, table] = [take(), take()]
    put(contexts, (devfn & 0x7f) * 4, words(scalableContextEntry, { P: 1, PASIDDIRPTR: frameAddress(directory) }, way.context))
    const pasid = Number(way.context?.fields?.['RID_PASID'] ?? 0)
    put(directory, pasid >> 6, words(pasidDirectoryEntry, { P: 1, SMPTBLPTR: frameAddress(table) }, way.directory))
    entry = frameAddress(table) + BigInt((pasid & 63) * 64)
    put(table, (pasid & 63) * 8, words(pasidEntry, {
      P: 1, AW: levels - 2, DID: DOMAIN_ID,
      ...(mode === 'first-stage' ? { PGTT: 1, FSPTPTR: frameAddress(pages0) } : { PGTT: 2, SSPTPTR: frameAddress(pages0) }),
    }, way.pasid))
  }

  const { layout, table: tableFields, leaf: leafFields } = layoutOf(plan)
  const known = new Map<string, number>()
  for (const { iova, level, target, entries } of pages) {
    let frame = pages0
    for (let at: number = levels; at > level; at--) {
      const index = indexAt(iova, at)
      const key = `${frame} ${index}`
      const below = known.get(key) ?? take()
      // A table that pages share: the tweaks of the first one that has some count.
      if (!known.has(key) || entries[at] !== undefined) {
        put(frame, index, words(layout, { ...tableFields, ADDR: frameAddress(below) }, entries[at]))
      }
      known.set(key, below)
      frame = below
    }
    const size = level > 1 ? { PS: 1 } : {}
    put(frame, indexAt(iova, level), words(layout, { ...leafFields, ...size, ADDR: target }, entries[level]))
  }
  return { frames, root: frameAddress(rootTable), tables: frameAddress(pages0), entry }
}
