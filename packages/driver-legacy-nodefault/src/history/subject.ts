// A subject: one driver of 2022 as an experiment can use it. What it wrote is data; what that did is not said here.
import type { LegacyMachine } from '../model/machine.js'
import type { Step } from '../programming/steps.js'
import type { SmallTable } from '../tables/page-table.js'

/** What becomes of DMA. `none`: nothing changes; `mixed`: it depends on the address, the direction or a cache. */
export type Effect = 'blocked' | 'identity' | 'none' | 'platform' | 'mixed'

/** What the thread's first mail said of a driver. */
export interface Guess {
  /** Its words, shortened. */
  readonly words: string
  /** Whether an effect bears it out. Absent: it was no guess. */
  readonly heldBy?: (effect: Effect) => boolean
}

/** An address that is tried, and why. */
export interface Place {
  readonly name: string
  readonly address: bigint
}

/** What Linux 7.3.4 has in place of the body. */
export interface Today {
  /** What the body has become. */
  readonly detach: 'blocked' | 'identity' | 'deleted' | 'platform'
  readonly blocked?: readonly Step[]
  readonly identity?: readonly Step[]
  readonly release?: string
  readonly default?: string
}

/** A further experiment on a stage: something that only shows when the steps come in another order, or go on. */
export interface Hazard {
  readonly title: string
  /** Steps in place of the body; the body where absent. */
  readonly steps?: readonly Step[]
  /** What does not have the hazard: the steps in the right order, or the step that is missing. */
  readonly cure: readonly Step[]
  /** Whether what was seen is the hazard. */
  readonly shows: (seen: Seen) => boolean
}

/** What an experiment saw. */
export interface Seen {
  /** Effect when all steps are done. */
  readonly effect: Effect
  /** Whether, at some moment, DMA went through memory that had been given back. */
  readonly throughFreed: boolean
  /** Whether a page of the detached domain is still reached. */
  readonly oldPageReached: boolean
}

/** A machine with the driver's domain attached, and a page mapped in it. */
export interface Stage {
  readonly machine: LegacyMachine
  readonly source: number
  /** At least six; the first is mapped. */
  readonly places: readonly Place[]
  /** Where the mapped page leads. */
  readonly physical: bigint
  /** The attach, as data; it has been carried out. */
  readonly attach: readonly Step[]
  /** The body of detach_dev. */
  readonly detach: readonly Step[]
  /** What happens later because of what the body remembered: the next resume. */
  readonly later?: readonly Step[]
  readonly table?: SmallTable
  /** Maps a page as the platform's own DMA API did after the detach; where that page is. */
  readonly platform?: () => Place
  readonly today: Today
  readonly hazards?: readonly Hazard[]
}

export interface Subject {
  readonly driver: string
  /** Which list of the thread it stands in. */
  readonly list: 'with default domains' | 'without default domains' | 'not in the thread'
  /** What the body is, in a few words. */
  readonly body: string
  readonly guess: Guess | undefined
  /** Linux functions that the body and the hardware's reading of it come from. */
  readonly source: string
  /** What of the model no source confirms. */
  readonly inferred?: string
  readonly build: () => Stage
}
