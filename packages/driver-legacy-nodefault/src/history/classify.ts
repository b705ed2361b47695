// Classifies a driver of 2022: what its detach_dev did, derived from DMA; what the thread guessed; what Linux 7.3.4 has.
import type { Step } from '../programming/steps.js'
import { bodyOf, effectOf, fieldAt, flipsOf, runSteps } from './experiment.js'
import { others } from './others.js'
import { seven } from './seven.js'
import type { Effect, Stage, Subject } from './subject.js'
import { ten } from './ten.js'

/** All drivers of the thread in its order, and three that it left out. */
export const subjects: readonly Subject[] = [...ten, ...seven, ...others]

/** An order hazard, and whether the model shows it and its cure. */
export interface ShownHazard {
  readonly title: string
  readonly shown: boolean
  /** Whether the right steps do not show it. */
  readonly cured: boolean
}

/** What a driver's detach was, and what has become of it. */
export interface Classification {
  readonly driver: string
  readonly list: Subject['list']
  readonly body: string
  /** What it wrote, step by step. */
  readonly steps: readonly string[]
  /** null: the thread said nothing of it. */
  readonly guess2022: string | null
  readonly effect: Effect
  /** What was done and seen, for people. */
  readonly evidence: string
  readonly linux73: {
    readonly detach: Stage['today']['detach']
    /** Effects of today's static domains, found in the same way. Absent: there is none. */
    readonly blocked?: Effect
    readonly identity?: Effect
    readonly release?: string
    readonly default?: string
  }
  /** null: there was no guess that could hold. */
  readonly guessHeld: boolean | null
  readonly hazards: readonly ShownHazard[]
  readonly source: string
  /** What of the model no source confirms. */
  readonly inferred?: string
}

/** A step as people write it. */
export const spellStep = (step: Step): string => {
  switch (step.do) {
    case 'write': case 'store': {
      const where = step.do === 'write' ? step.register : step.entry
      const bits = step.mask === undefined ? '' : ` in 0x${step.mask.toString(16)}`
      return `${where} = 0x${step.value.toString(16)}${bits}`
    }
    case 'call': return step.operation
    case 'free': return `free ${step.what} at 0x${step.table.toString(16)}`
    case 'remember': return `(${step.what})`
    case 'order': return 'barrier'
    case 'read': return `read ${step.register}`
    case 'wait': return `wait for ${step.register}`
    default: return step satisfies never
  }
}

const SAYS: Readonly<Record<Effect, string>> = {
  blocked: 'every access faults',
  identity: 'every address is itself',
  none: 'every answer is what it was before',
  platform: 'every access faults until the DMA API maps a page, and then reaches it',
  mixed: 'answers differ by address, direction or cache',
}

const hardwareSteps = (stage: Stage): number => bodyOf(stage).filter((step) => step.do !== 'remember').length

export const classify = (subject: Subject): Classification => {
  const stage = subject.build()
  const effect = effectOf(subject, bodyOf)
  const { detach, blocked, identity, release, default: byDefault } = stage.today
  const taken = hardwareSteps(stage)
  const hazards = (stage.hazards ?? []).map((hazard, index): ShownHazard => ({
    title: hazard.title,
    shown: hazard.shows(runSteps(subject, (other) => other.hazards?.[index]?.steps ?? bodyOf(other), true).seen),
    cured: !hazard.shows(runSteps(subject, (other) => other.hazards?.[index]?.cure ?? [], true).seen),
  }))
  return {
    driver: subject.driver,
    list: subject.list,
    body: subject.body,
    steps: bodyOf(stage).map(spellStep),
    guess2022: subject.guess?.words ?? null,
    effect,
    evidence: `${taken} ${taken === 1 ? 'step' : 'steps'}; ${stage.places.length} places read and written, cold and warm: ${SAYS[effect]}`,
    linux73: {
      detach,
      ...(blocked === undefined ? {} : { blocked: effectOf(subject, ({ today }) => today.blocked ?? []) }),
      ...(identity === undefined ? {} : { identity: effectOf(subject, ({ today }) => today.identity ?? []) }),
      ...(release === undefined ? {} : { release }),
      ...(byDefault === undefined ? {} : { default: byDefault }),
    },
    guessHeld: subject.guess?.heldBy?.(effect) ?? null,
    hazards,
    source: subject.source,
    ...(subject.inferred === undefined ? {} : { inferred: subject.inferred }),
  }
}

/** One bit whose value decides. */
export interface DecisiveBit {
  readonly where: string
  readonly bit: number
  readonly field?: string
  /** The effect where the bit is written the other way. */
  readonly otherwise: Effect
}

/** What every single bit of a body decides. */
export interface Bits {
  readonly driver: string
  readonly effect: Effect
  readonly written: number
  readonly decisive: readonly DecisiveBit[]
}

/** Writes every bit of the body the other way, one at a time. Takes seconds for the longer bodies. */
export const bitsOf = (subject: Subject): Bits => {
  const effect = effectOf(subject, bodyOf)
  const flips = flipsOf(subject)
  const steps = bodyOf(subject.build())
  return {
    driver: subject.driver,
    effect,
    written: flips.length,
    decisive: flips.filter((flip) => flip.effect !== effect).map(({ step, where, bit, effect: otherwise }) => {
      const written = steps[step] as Step
      const field = written.do === 'write' || written.do === 'store' ? fieldAt(written, bit) : undefined
      return { where, bit, ...(field === undefined ? {} : { field }), otherwise }
    }),
  }
}
