// A command of a walk: what it is about, what it must answer, and what is true afterwards.
import { fail, outcomeOf } from '../check.js'
import type { Model } from './model.js'
import type { World } from './world.js'

/** A call, with what is compared. The shape that fast-check's model-based runs take. */
export interface Command {
  /** Whether there is something that it could be about. */
  check(model: Model): boolean
  /** Calls, compares the answer, and leads the model on. Throws where they differ. */
  run(model: Model, world: World): void
  /** What was called, once it was. */
  toString(): string
}

/**
 * What goes wrong during a call: the n-th allocation of memory finds none, or the driver refuses the second setter, as
 * where a member of a group has none left.
 */
export type Failure = { readonly allocation: number } | { readonly setter: 2 }

const sayFailure = (failure: Failure): string =>
  ('setter' in failure ? 'the second device refusing' : `without its allocation ${failure.allocation}`)

/** Runs with a failure, and mends everything afterwards. */
const failing = <T>({ bench: { machine, trace } }: World, failure: Failure | undefined, run: () => T): T => {
  if (failure !== undefined && 'allocation' in failure) machine.fail.allocation(failure.allocation)
  let setters = 0
  if (failure !== undefined && 'setter' in failure) {
    trace.refuse(({ op, domain }) => {
      if (op !== 'attachDev' && op !== 'setDevPasid') return undefined
      setters += 1
      return setters === failure.setter && domain?.kind !== 'blocked' ? 'ENOMEM' : undefined
    })
  }
  try {
    return run()
  } finally {
    machine.fail.allocation(undefined)
    trace.refuse(undefined)
  }
}

/** What a command is made of. `Aim` is what it is about, `Result` what the call gives back. */
export interface Facts<Aim, Result> {
  /** undefined: nothing that it could be about is there. */
  aim(model: Model): Aim | undefined
  says(aim: Aim): string
  readonly failure?: Failure | undefined
  /** Whether it must succeed without memory and without a free id too. */
  infallible?(aim: Aim): boolean
  /** Answers of which one must be given: 'ok', codes. */
  predict(aim: Aim, model: Model, world: World): readonly string[]
  call(aim: Aim, world: World, model: Model): Result
  /** The model, after the call succeeded. */
  settle?(aim: Aim, model: Model, world: World, result: Result): void
}

export const command = <Aim, Result>(name: string, facts: Facts<Aim, Result>): Command => {
  let said = name
  return {
    check: (model) => facts.aim(model) !== undefined,
    run(model, world) {
      const { failure } = facts
      const aim = facts.aim(model) as Aim
      said = `${facts.says(aim)}${failure === undefined ? '' : `, ${sayFailure(failure)}`}`
      const predicted = facts.predict(aim, model, world)
      let result: Result | undefined
      const found = failing(world, failure, () => outcomeOf(() => { result = facts.call(aim, world, model) }))
      // Hardware with few ids may have none left, at any time.
      const excused = facts.infallible?.(aim) !== true && (found === 'ENOSPC' || (failure !== undefined && found === 'ENOMEM'))
      if (!excused && !predicted.includes(found)) fail(`expected ${predicted.join(' or ')}, found ${found}`)
      if (found === 'ok') facts.settle?.(aim, model, world, result as Result)
    },
    toString: () => said,
  }
}
