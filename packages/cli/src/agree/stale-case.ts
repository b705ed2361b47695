// Cases of caches that were not told: a change of tables, and the commands that it wants but one.
import type { Random } from './random.js'
import type { PlannedState } from './plan.js'
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

/** All commands, or all but one, or the last one for somebody else. */
export const caseOf = <Plan extends PlannedState>(random: Random, plan: Plan, change: Change<Plan>, probe: Probe, other: Wanted): StaleCase<Plan> => {
  const wanted = change.wanted(plan)
  const left = random.below(wanted.length + 2)
  const others = left === wanted.length + 1
  const sent = others ? [...wanted.slice(0, -1), other] : wanted.filter((_, index) => index !== left)
  const without = wanted[left]?.[0]
  const missing = others ? other[0] : without === undefined ? 'nothing is left out' : `${without} left out`
  return { plan, name: `${change.name}; ${missing}`, probe, ...change.make(random, plan), commands: sent.map(([, command]) => command) }
}
