// A sight: how much of the hardware takes part in one look at what becomes of a DMA, and the four looks there are.
import type { EntryCache } from './cache.js'
import type { DmaRequest, Step } from './dma.js'
import { first } from './explore.js'
import type { Choose } from './explore.js'

/** All members are always there: what hardware does most often must not meet objects of several shapes. */
export interface DmaSight<Supply = unknown, Why = never> {
  readonly choose: Choose
  /** Whether caches are looked into at all. */
  readonly cached: boolean
  /** Whether caches learn from what is read. */
  readonly fills: boolean
  /** Where each entry that is read is told. */
  readonly steps: Step[] | undefined
  /** Where copies and translations come from, in place of caches and memory. */
  readonly supply: Supply | undefined
  /** Told why a request stopped, where hardware is to log it. */
  readonly log: ((request: DmaRequest, why: Why) => void) | undefined
}

/** The DMA happens: caches fill, and what is to be logged is. Every choice is the first one. */
export const happening = <Why>(log: (request: DmaRequest, why: Why) => void): DmaSight<never, Why> =>
  ({ choose: first, cached: true, fills: true, steps: undefined, supply: undefined, log })

/** Caches looked into, and left as they are. */
export const exploring = <Why>(choose: Choose): DmaSight<never, Why> =>
  ({ choose, cached: true, fills: false, steps: undefined, supply: undefined, log: undefined })

/** From memory alone, entry by entry; or with caches that somebody has prepared. */
export const walking = <Why>(steps: Step[], cached = false): DmaSight<never, Why> =>
  ({ choose: first, cached, fills: false, steps, supply: undefined, log: undefined })

/** Everything comes from the supply. */
export const supplied = <Supply, Why>(supply: Supply): DmaSight<Supply, Why> =>
  ({ choose: first, cached: false, fills: false, steps: undefined, supply, log: undefined })

/** Whether hardware takes what it has kept: always where the DMA happens. */
export const takes = ({ fills, choose }: DmaSight): boolean => fills === true || choose(2) === 0

/** The copy of an entry that hardware has kept and takes; undefined: it reads the entry now. */
export const recall = <Tag, Copy>(cache: EntryCache<Tag, Copy>, key: number, sight: DmaSight): Copy | undefined => {
  const kept = sight.cached === true ? cache.get(key) : undefined
  return kept !== undefined && takes(sight) ? kept.copy : undefined
}
