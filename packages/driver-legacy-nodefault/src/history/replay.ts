// A verdict step by step: what every tried address meets after the attach, and after each step of the body.
import { spellStep } from './classify.js'
import { bodyOf, DIRECTIONS, runSteps } from './experiment.js'
import type { Subject } from './subject.js'

/** What one DMA may meet. */
export interface ReplayedAnswer {
  /** What the address is tried for: "mapped". */
  readonly place: string
  /** "0x100000" */
  readonly address: string
  readonly access: 'read' | 'write'
  /** "blocked", or where it goes; several where a cache leaves it open. */
  readonly meets: readonly string[]
}

export interface Replayed {
  /** The step as people write it; undefined: the domain is attached, and the body has not begun. */
  readonly step: string | undefined
  readonly answers: readonly ReplayedAnswer[]
}

/** The body of a driver's detach_dev on a fresh model of its hardware. `warm`: the device was busy before, and caches know it. */
export const replay = (subject: Subject, warm = false): Replayed[] => {
  const steps: Replayed[] = []
  runSteps(subject, bodyOf, warm, (step, answers, { places }) => steps.push({
    step: step === undefined ? undefined : spellStep(step),
    answers: places.flatMap(({ name, address }, index) => DIRECTIONS.map((access, direction) => ({
      place: name, address: `0x${address.toString(16)}`, access, meets: answers[index * DIRECTIONS.length + direction] ?? [],
    }))),
  }))
  return steps
}
