// Cases of caches that were not told: a change of tables, and the commands that it wants but one.
import { differences } from './ground.js'
import type { Frames } from './ground.js'
import { withPage } from './plan.js'
import type { Page, PlannedState } from './plan.js'
import type { Random } from './random.js'
import type { Probe, StaleCase } from './subject.js'

/** A command that a change wants, with its name. */
export type Wanted = readonly [name: string, command: readonly bigint[]]

/** A change of one entry. */
export interface Change<Plan> {
  readonly name: string
  make(random: Random, plan: Plan): Pick<StaleCase<Plan>, 'spare' | 'stores'>
  /** Everything that has to be forgotten; the last one is what has another's in its place now and then. */
  wanted(plan: Plan): readonly Wanted[]
}

/** A change of entries that leaves all tables where they are: what is built before and after it differs in a few words. */
export const entryChange = <Plan>(
  name: string, framesOf: (plan: Plan) => Frames, change: (plan: Plan, random: Random) => Plan, wanted: Change<Plan>['wanted'],
): Change<Plan> => ({
  name, wanted, make: (random, plan) => ({ spare: new Map(), stores: differences(framesOf(plan), framesOf(change(plan, random))) }),
})

/** Changes of the first page's leaf, which all want the same. */
export const leafChanges = <P extends Page, Plan extends PlannedState<string, P>>(framesOf: (plan: Plan) => Frames, wanted: Change<Plan>['wanted']) =>
  (name: string, change: (plan: Plan, random: Random, page: P) => Partial<P>): Change<Plan> => entryChange(
    name, framesOf, (plan, random) => withPage<P, Plan>(plan, 0, (page) => ({ ...page, ...change(plan, random, page) })), wanted)

/** Frames between the tables of a plan and those that an entry names instead. */
const SPARE_FRAMES = 0x400

/** What there is to say of other page tables. */
interface OtherTables<P extends Page, Plan extends PlannedState<string, P>, Built extends { readonly frames: Frames }> {
  readonly name: string
  /** The words of a plan, in frames from `first` on. */
  readonly build: (plan: Plan, first?: number) => Built
  readonly first: number
  /** Where a page leads instead. */
  readonly target: (plan: Plan, page: P, random: Random) => bigint
  /** The plan with the entry that names the tables naming those that were built. */
  readonly pointTo: (plan: Plan, other: Built) => Plan
  readonly wanted: Change<Plan>['wanted']
}

/** An entry names other page tables, whose pages lead elsewhere. */
export const rootChange = <P extends Page, Plan extends PlannedState<string, P>, Built extends { readonly frames: Frames }>(
  { name, build, first, target, pointTo, wanted }: OtherTables<P, Plan, Built>,
): Change<Plan> => ({
  name,
  make(random, plan) {
    const pages = plan.pages.map((page) => ({ ...page, target: target(plan, page, random) }))
    const other = build({ ...plan, pages }, first + SPARE_FRAMES)
    return { spare: other.frames, stores: differences(build(plan).frames, build(pointTo(plan, other)).frames) }
  },
  wanted,
})

/** What a case is made of, but for what is missing. */
interface Parts<Plan> {
  readonly plan: Plan
  readonly change: Change<Plan>
  readonly probe: Probe
}

/** A case with these commands; `missing` says what they lack. */
const caseWith = <Plan>(random: Random, { plan, change, probe }: Parts<Plan>, sent: readonly Wanted[], missing: string): StaleCase<Plan> =>
  ({ plan, name: `${change.name}; ${missing}`, probe, ...change.make(random, plan), commands: sent.map(([, command]) => command) })

/** The case in which the command of this name is left out; all are sent where none has it. */
export const leavingOut = <Plan>(random: Random, parts: Parts<Plan>, name?: string): StaleCase<Plan> =>
  caseWith(random, parts, parts.change.wanted(parts.plan).filter(([each]) => each !== name),
    name === undefined ? 'nothing is left out' : `${name} left out`)

/** All commands, or all but one, or the last one for somebody else. */
export const caseOf = <Plan>(random: Random, parts: Parts<Plan>, other: Wanted): StaleCase<Plan> => {
  const wanted = parts.change.wanted(parts.plan)
  const left = random.below(wanted.length + 2)
  if (left === wanted.length + 1) return caseWith(random, parts, [...wanted.slice(0, -1), other], other[0])
  return leavingOut(random, parts, wanted[left]?.[0])
}
