// What adversarial mode is told, and what it can be asked.
import type { DmaRequest, Outcome } from '../dma.js'
import type { Observer } from '../events.js'
import type { Judgement } from './classify.js'
import type { QueueOrder } from './commands.js'
import type { Cost } from './entries.js'
import type { Finding, Verdict } from './findings.js'
import type { Stores, WatchedMemory } from './history.js'
import type { Marks } from './marks.js'

export interface AdversaryOptions {
  /** `prompt` where the walker snoops, `write-back` where it does not, if absent. */
  readonly stores?: Stores
  /** `vendor` if absent. */
  readonly queue?: QueueOrder
  /** The DMA that is tried after every step. More can be added with `track`. */
  readonly probes?: readonly DmaRequest[]
}

/** The machine that is watched. */
export interface WatchedMachine {
  readonly memory: WatchedMemory & { readonly coherent: boolean }
  /** Which unit it is, where several share a memory and its events: commands of others are none here. */
  readonly unit?: number
  observe(observer: Observer): () => void
}

/** `flight`: a DMA that is under way, whatever it began with; `next`: one that begins now; `memory`: without caches. */
export type Sight = 'flight' | 'next' | 'memory'

export interface Adversary {
  readonly cost: Readonly<Cost>
  /** Tries these requests too from now on. */
  track(...requests: readonly DmaRequest[]): void
  /** Everything that a request may meet. Equal outcomes once. */
  outcomes(request: DmaRequest, sight?: Sight): readonly Outcome[]
  /**
   * Runs a change from one state to another and judges it. `hitless`: blocked is no answer in between, unless it is
   * the one before or after.
   */
  watch(run: () => void, options?: { readonly hitless?: boolean }): Verdict
  /** Under which tags hardware keeps what these requests meet now, as memory says it: for `release`. */
  marks(...requests: readonly DmaRequest[]): Marks
  /**
   * A domain id is given back, or whatever else tags some translations. What hardware still holds under it, unless
   * an entry that is live can bring it back (rule 14). Table pages need no call: they are judged when the allocator
   * gets them.
   */
  release(domain: number | Marks): readonly Finding[]
  /** Table pages given back too early since the last call of this or of `watch`. */
  freedPages(): readonly Finding[]
  /** Kept copies that differ from memory in any bit that was read (rule 15). */
  atRest(): readonly Finding[]
  /** Domains that kept copies name now: those to `release` when they are given back. */
  domains(): ReadonlySet<number>
  /** The invalidations since the last `watch` began. */
  invalidations(): readonly Judgement[]
  stop(): void
}
