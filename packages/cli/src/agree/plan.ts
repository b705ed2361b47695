// Plans of table states, whatever the vendor: entries with fields and single bits changed, pages, and the tables above them.
import { encode } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { FRAME_BYTES, frameAddress } from '@iommu/hardware'

/** Values of fields by name, over those that a plain path has. */
export type Fields = Readonly<Record<string, number | bigint>>

/** How an entry differs from a plain one: other values for its fields, and single bits turned over. */
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

/** What every vendor's plan has: `way` is the entries that lead to the page tables, by their names there. */
export interface PlannedState<P extends Page = Page> {
  /** What the plan is an example of. */
  readonly class: string
  readonly source: number
  readonly way: Readonly<Partial<Record<string, Tweak>>>
  readonly pages: readonly P[]
}

/** The words of an entry as planned. */
export const tweaked = (layout: Entry, plain: Fields, { fields = {}, flips = [] }: Tweak = {}): bigint[] => {
  const all = encode(layout, { ...plain, ...fields })
  for (const bit of flips) all[bit >> 6] = (all[bit >> 6] as bigint) ^ (1n << BigInt(bit & 63))
  return all
}

/** Words by frame number. */
export type Frames = ReadonlyMap<number, BigUint64Array>

/** Memory of a plan: frames in a row, handed out and filled. */
export interface Ground {
  readonly frames: Frames
  /** The address of so many further bytes, whole frames, all zero. */
  take(bytes?: number): bigint
  put(address: bigint, words: readonly bigint[]): void
}

export const createGround = (first: number): Ground => {
  const frames = new Map<number, BigUint64Array>()
  let next = first
  return {
    frames,
    take(bytes = FRAME_BYTES) {
      const count = Math.ceil(bytes / FRAME_BYTES)
      // A table is aligned to its size.
      next = Math.ceil(next / count) * count
      for (let each = 0; each < count; each++) frames.set(next + each, new BigUint64Array(FRAME_BYTES / 8))
      next += count
      return frameAddress(next - count)
    },
    put(address, words) {
      const frame = frames.get(Number(address / BigInt(FRAME_BYTES)))
      if (frame === undefined) throw new RangeError(`0x${address.toString(16)} has not been taken`)
      frame.set(words, Number(address % BigInt(FRAME_BYTES)) / 8)
    },
  }
}

/** The shape of a tree of tables, and what its entries are made of. */
export interface Tree<P extends Page> {
  readonly levels: number
  /** log2 of the smallest page, and of the entries of a table. */
  readonly pageShift: number
  readonly indexBits: number
  /** Entries of the root table, log2, where it is not as the others. */
  readonly rootBits?: number
  table(level: number, address: bigint, tweak: Tweak | undefined): bigint
  leaf(page: P): bigint
  /** Entries that a leaf fills; one where absent. */
  copies?(page: P): number
}

/** Puts the pages of a plan and the tables above them below a root that has been taken. */
export const plant = <P extends Page>({ take, put }: Ground, root: bigint, pages: readonly P[], tree: Tree<P>): void => {
  const { levels, pageShift, indexBits, rootBits = indexBits } = tree
  const known = new Map<bigint, bigint>()
  const at = (table: bigint, iova: bigint, level: number): bigint => {
    const bits = BigInt(level === levels ? rootBits : indexBits)
    return table + ((iova >> BigInt(pageShift + indexBits * (level - 1))) & ((1n << bits) - 1n)) * 8n
  }
  for (const page of pages) {
    const { iova, level: lowest, entries } = page
    let table = root
    for (let level = levels; level > lowest; level--) {
      const address = at(table, iova, level)
      const below = known.get(address) ?? take(8 * 2 ** indexBits)
      // A table that pages share: the tweaks of the first one that has some count.
      if (!known.has(address) || entries[level] !== undefined) put(address, [tree.table(level, below, entries[level])])
      known.set(address, below)
      table = below
    }
    const word = tree.leaf(page)
    put(at(table, iova, lowest), Array.from({ length: tree.copies?.(page) ?? 1 }, () => word))
  }
}

/** Words that differ between two builds of the same shape: what a change stores. */
export const differences = (before: Frames, after: Frames): (readonly [address: bigint, word: bigint])[] =>
  [...before].flatMap(([frame, words]) => [...words].flatMap((word, index) => {
    const now = after.get(frame)?.[index] ?? word
    return now === word ? [] : [[frameAddress(frame) + BigInt(index * 8), now] as const]
  }))

/** A plan with one of its pages changed. */
export const withPage = <P extends Page, Plan extends PlannedState<P>>(plan: Plan, index: number, change: (page: P) => P): Plan =>
  ({ ...plan, pages: plan.pages.map((page, at) => (at === index ? change(page) : page)) })

/** A plan with one entry on the way changed. */
export const tweakWay = <Plan extends PlannedState>(plan: Plan, point: keyof Plan['way'] & string, tweak: Tweak): Plan =>
  ({ ...plan, way: { ...plan.way, [point]: tweak } })

/** A plan with a field of an entry on the way set, besides what is changed there already. */
export const setField = <Plan extends PlannedState>(plan: Plan, point: keyof Plan['way'] & string, field: string, value: number | bigint): Plan =>
  tweakWay(plan, point, { ...plan.way[point], fields: { ...plan.way[point]?.fields, [field]: value } })

/** What a plan says of a field of an entry on the way; undefined: it is as in a plain path. */
export const fieldOf = <Plan extends PlannedState>({ way }: Plan, point: keyof Plan['way'] & string, field: string): number | bigint | undefined =>
  way[point]?.fields?.[field]

const withoutFields = (fields: Fields = {}, names: readonly string[]): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)))

/** The plan with fields of an entry on the way as in a plain path; undefined where none of them is changed. */
export const plainFields = <Plan extends PlannedState>(
  plan: Plan, point: keyof Plan['way'] & string, names: readonly string[],
): Plan | undefined => (names.some((name) => fieldOf(plan, point, name) !== undefined)
  ? tweakWay(plan, point, { ...plan.way[point], fields: withoutFields(plan.way[point]?.fields, names) }) : undefined)

/** A tweak with these fields as in a plain entry. */
export const plainTweak = (tweak: Tweak, names: readonly string[]): Tweak => ({ ...tweak, fields: withoutFields(tweak.fields, names) })

/** The plan with entries of page tables changed where `change` says how; undefined where it says nothing of any. */
export const changeEntries = <P extends Page, Plan extends PlannedState<P>>(
  plan: Plan, change: (tweak: Tweak, level: number, page: P) => Tweak | undefined,
): Plan | undefined => {
  let next = plan
  plan.pages.forEach((page, index) => {
    for (const [at, tweak] of Object.entries(page.entries)) {
      const changed = change(tweak, Number(at), page)
      if (changed === undefined) continue
      next = withPage<P, Plan>(next, index, (each) => ({ ...each, entries: { ...each.entries, [at]: changed } }))
    }
  })
  return next === plan ? undefined : next
}

const hex = (value: number | bigint): string => `0x${value.toString(16)}`

const tweakText = ({ fields = {}, flips = [] }: Tweak): string => [
  ...Object.entries(fields).map(([name, value]) => `${name}=${hex(value)}`),
  ...flips.map((bit) => `bit ${bit} flipped`),
].join(', ')

const describePage = ({ iova, level, target, entries }: Page): string => [
  `page ${hex(iova)} to ${hex(target)}, a leaf of level ${level}`,
  ...Object.entries(entries).filter(([, tweak]) => tweakText(tweak) !== '').map(([at, tweak]) => `level ${at}: ${tweakText(tweak)}`),
].join('; ')

/** One line per thing that a plan says; `kind` is what the vendor says of it. */
export const describePlan = ({ class: name, source, way, pages }: PlannedState, kind: string): string[] => [
  `${name}: ${kind}, source ${hex(source)}`,
  ...Object.entries(way).map(([point, tweak]) => `${point}: ${tweakText(tweak ?? {})}`),
  ...pages.map(describePage),
]

const without = <T>(values: readonly T[], index: number): T[] => values.filter((_, at) => at !== index)

const smallerTweaks = function* ({ fields = {}, flips = [] }: Tweak): Generator<Tweak> {
  for (const name of Object.keys(fields)) yield { fields: withoutFields(fields, [name]), flips }
  for (let index = 0; index < flips.length; index++) yield { fields, flips: without(flips, index) }
}

/** Fewer pages, fewer tweaks. */
export const smallerPlans = function* <P extends Page, Plan extends PlannedState<P>>(plan: Plan): Generator<Plan> {
  const { pages, way } = plan
  if (pages.length > 1) for (let index = 0; index < pages.length; index++) yield { ...plan, pages: without(pages, index) }
  for (const [point, tweak] of Object.entries(way)) {
    for (const less of smallerTweaks(tweak ?? {})) yield { ...plan, way: { ...way, [point]: less } }
  }
  for (const [index, page] of pages.entries()) {
    for (const [level, tweak] of Object.entries(page.entries)) {
      for (const less of smallerTweaks(tweak)) {
        yield withPage<P, Plan>(plan, index, (each) => ({ ...each, entries: { ...page.entries, [level]: less } }))
      }
    }
  }
}

/** Pages of which none lies inside of another: the larger one's entry would be its table. `shiftOf`: log2 of a page's size. */
export const apart = <P extends Page>(pages: readonly P[], shiftOf: (page: P) => number): P[] => {
  const kept: P[] = []
  for (const page of pages) {
    const overlaps = kept.some((other) => {
      const shift = BigInt(Math.max(shiftOf(page), shiftOf(other)))
      return page.iova >> shift === other.iova >> shift
    })
    if (!overlaps) kept.push(page)
  }
  return kept
}

/** A class of states, and how many of a deal are of it. */
interface Weighed {
  readonly weight: number
}

/** Every class as often as it weighs, in an order in which any stretch is a fair sample: steps of a stride that divides no sum of weights. */
const STRIDE = 37

/** The class of a turn, counted from 0. */
export const classAt = <C extends Weighed>(classes: readonly C[], turn: number): C => {
  const deck = classes.flatMap((each) => Array.from({ length: each.weight }, () => each))
  return deck[(turn * STRIDE) % deck.length] as C
}
