// Plans of table states, whatever the vendor: entries with fields and single bits changed, and pages.
import type { Random } from './random.js'

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

/** What every vendor's plan has. */
export interface PlannedState<WayPoint extends string = string, P extends Page = Page> {
  /** What the plan is an example of. */
  readonly class: string
  readonly source: number
  /** How the entries that lead to the page tables differ from plain ones, by their names there. */
  readonly way: Readonly<Partial<Record<WayPoint, Tweak>>>
  readonly pages: readonly P[]
}

/** In a few of all cases one of these bits turned over: those that software may use and hardware ignores. */
export const sometimesFlipped = (random: Random, bits: readonly number[]): Tweak => (random.chance(15) ? { flips: [random.pick(bits)] } : {})

/** A plan with one of its pages changed. */
export const withPage = <P extends Page, Plan extends PlannedState<string, P>>(plan: Plan, index: number, change: (page: P) => P): Plan =>
  ({ ...plan, pages: plan.pages.map((page, at) => (at === index ? change(page) : page)) })

/** A plan with an entry of the first page's walk changed. */
export const tweakWalk = <Plan extends PlannedState>(plan: Plan, level: number, tweak: Tweak): Plan =>
  withPage<Page, Plan>(plan, 0, (page) => ({ ...page, entries: { ...page.entries, [level]: tweak } }))

/** A level of the first page's walk, from its leaf's up. */
export const levelOnWay = (random: Random, { levels, pages: [page] }: PlannedState & { readonly levels: number }): number => {
  const lowest = page?.level ?? 1
  return lowest + random.below(levels - lowest + 1)
}

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
export const changeEntries = <P extends Page, Plan extends PlannedState<string, P>>(
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
export const smallerPlans = function* <P extends Page, Plan extends PlannedState<string, P>>(plan: Plan): Generator<Plan> {
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
