// A command of a walk: what it is about, what it must answer, and what is true afterwards.
import { fail, outcomeOf } from '../check.js'
import type { Ability } from './abilities.js'
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
 * What goes wrong during a call: the n-th allocation of memory finds none; the driver refuses the second setter, as where a
 * member of a group has none left; the n-th command is refused by hardware; a unit, or all devices' TLBs, do not answer.
 */
export type Failure =
  | { readonly allocation: number } | { readonly setter: 2 } | { readonly command: number } | { readonly silent: 'unit' | 'device TLBs' }

const sayFailure = (failure: Failure): string => {
  if ('setter' in failure) return 'the second device refusing'
  if ('silent' in failure) return `the ${failure.silent} not answering`
  return 'command' in failure ? `its command ${failure.command} refused by hardware` : `without its allocation ${failure.allocation}`
}

const isOfHardware = (failure: Failure): boolean => 'command' in failure || 'silent' in failure

/** Runs with a failure, and mends everything afterwards. */
const failing = <T>({ machines, bench: { machine, devices, trace } }: World, failure: Failure, run: () => T): T => {
  const doors = machines.map((each) => each.fail)
  const answer = (unit: 'prompt' | 'never', tlb: 'answers' | 'times out'): void => {
    for (const door of doors) {
      door.completions(unit)
      for (const { ats, requesterId } of devices) if (ats === true) door.deviceTlb(requesterId, tlb)
    }
  }
  let setters = 0
  if ('allocation' in failure) machine.fail.allocation(failure.allocation)
  if ('command' in failure) for (const door of doors) door.queueError(failure.command)
  if ('silent' in failure) answer(failure.silent === 'unit' ? 'never' : 'prompt', failure.silent === 'unit' ? 'answers' : 'times out')
  if ('setter' in failure) {
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
    for (const door of doors) door.queueError(undefined)
    if ('silent' in failure) answer('prompt', 'answers')
    trace.refuse(undefined)
  }
}

/** What a command is made of. `Aim` is what it is about, `Result` what the call gives back. */
export interface Facts<Aim, Result> {
  /** Left out of walks without it. */
  readonly needs?: Ability
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
  /** The model, after the call was refused; `byHardware`: because that failed. */
  refused?(aim: Aim, model: Model, world: World, code: string, byHardware: boolean): void
}

export const command = <Aim, Result>(name: string, facts: Facts<Aim, Result>): Command => {
  let said = name
  return {
    check: (model) => (facts.needs === undefined || model.abilities.has(facts.needs)) && facts.aim(model) !== undefined,
    run(model, world) {
      const aim = facts.aim(model) as Aim
      const infallible = facts.infallible?.(aim) === true
      // Of hardware that fails while a point is blocked nobody knows what it goes on using.
      const failure = facts.failure !== undefined && isOfHardware(facts.failure) && (infallible || !model.abilities.has('failures')) ? undefined : facts.failure
      said = `${facts.says(aim)}${failure === undefined ? '' : `, ${sayFailure(failure)}`}`
      const predicted = facts.predict(aim, model, world)
      let result: Result | undefined
      const call = (): string => outcomeOf(() => { result = facts.call(aim, world, model) })
      const found = failure === undefined ? call() : failing(world, failure, call)
      const byHardware = failure !== undefined && isOfHardware(failure) && found === 'ENODEV'
      // Hardware with few ids may have none left, at any time.
      const excused = !infallible && (found === 'ENOSPC' || (failure !== undefined && found === 'ENOMEM') || byHardware)
      if (!excused && !predicted.includes(found)) fail(`expected ${predicted.join(' or ')}, found ${found}`)
      if (found === 'ok') facts.settle?.(aim, model, world, result as Result)
      else facts.refused?.(aim, model, world, found, byHardware)
    },
    toString: () => said,
  }
}
