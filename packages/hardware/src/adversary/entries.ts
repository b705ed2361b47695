// Entry caches: for each place in them every copy that hardware may hold, with low-water marks by time of issue.
import { explore } from '../explore.js'
import { createFetch } from './fetch.js'
import type { History } from './history.js'
import type { Drop, EntryAsk, EntryTag, Fetched, Time } from './vendor.js'

/** A copy, and the words that it was made of. */
export interface Copy {
  readonly fetched: Fetched<unknown>
  /** Word (address / 8) and value, in the order read. */
  readonly reads: readonly (readonly [word: number, value: bigint])[]
}

/** Counters of what a look costs. */
export interface Cost {
  /** Copies pieced together and decoded. */
  copies: number
  /** Looks after a step of the driver, each at all probes. */
  observations: number
  /** Sets of copies and of walks that were still good. */
  memoHits: number
  memoMisses: number
}

/** Copies as they were worked out, and what they rest on. */
interface Known {
  readonly copies: readonly Copy[]
  /** Equal values once; the same list for as long as it holds equal values. */
  readonly values: readonly Copy[]
  readonly words: ReadonlySet<number>
  readonly stamp: number
}

/** A table through which the entry was or is reached. */
interface Place { readonly from: Time; to: Time }

interface Slot {
  readonly key: string
  ask: EntryAsk<unknown>
  /** Issue of the last completed invalidation that left nothing older (rule 4). */
  low: Time
  /** Completed invalidations since then that some older copies did not match: tags are in the copies (rule 11). */
  drops: { readonly at: Time; readonly matches: (tag: EntryTag) => boolean }[]
  readonly places: Map<bigint, Place>
  /** A drop that took what led here as well: when it was completed, and issued. */
  swept: { readonly at: Time; readonly issue: Time } | undefined
  /** Fetches begun before have ended; what they made is there only if it stays. */
  landed: Time
  known: Known | undefined
  /** What `known` gave last. */
  values: readonly Copy[]
  readonly fresh: Map<bigint, Known>
}

/** Which copies a look may take: `window` all since the last invalidation, `kept` those of them that stay, `fresh` a fetch from now. */
export type CopyKind = 'window' | 'kept' | 'fresh'

export interface EntryCaches {
  /** Copies of an entry; equal values once. The very list that it was before means that nothing has changed. */
  copies(ask: EntryAsk<unknown>, kind: CopyKind): readonly Copy[]
  /** The entry as memory says it: the last value stored of each word. */
  memory(ask: EntryAsk<unknown>): Copy
  /** Every kept copy of every place in the caches; equal values with other bits in words that do not matter included. */
  kept(): readonly Copy[]
  /** The entry is reached through this place from now on. True where it was not before. */
  reach(ask: EntryAsk<unknown>): boolean
  /** Places that were not reached any more are history: nothing is fetched through them after now. */
  close(reached: { has(placeKey: string): boolean }): void
  /** DMA that is under way lands: what it had fetched is left only where it is kept. */
  land(): void
  /** A completed invalidation, by its time of issue. */
  drop(drop: Drop, issue: Time): void
  /** Whether memory still says what the copy says. */
  isCurrent(copy: Copy): boolean
  /** Whether the last answers rest on a word. */
  restsOn(word: number): boolean
  /** The oldest moment that a window reaches back to. */
  floor(): Time
}

export const placeKey = ({ key, place }: EntryAsk<unknown>): string => `${key} @${place.toString(16)}`

const byValue = (copies: readonly Copy[]): Copy[] => [...new Map(copies.map((each) => [each.fetched.key, each])).values()]
/** The list of before where the new one has the same values in the same order. */
const steady = (before: readonly Copy[], now: readonly Copy[]): readonly Copy[] =>
  (before.length === now.length && now.every(({ fetched }, index) => fetched.key === before[index]?.fetched.key) ? before : now)
const byWords = ({ fetched, reads }: Copy): string => `${fetched.key} ${reads.map(([word, value]) => `${word}=${value.toString(16)}`).join()}`

export const createEntryCaches = (history: History, cost: Cost): EntryCaches => {
  const slots = new Map<string, Slot>()

  const slotOf = (ask: EntryAsk<unknown>): Slot => {
    let slot = slots.get(ask.key)
    if (slot === undefined) {
      slot = {
        key: ask.key, ask, low: -1, drops: [], places: new Map(), swept: undefined, landed: -1, known: undefined, values: [], fresh: new Map(),
      }
      slots.set(ask.key, slot)
    }
    return slot
  }
  /** Every copy that a fetch through a place can make in a span. */
  const fetches = (ask: EntryAsk<unknown>, place: bigint, since: Time, until: Time, words: Set<number>): Copy[] =>
    explore((choose): Copy => {
      const reads: (readonly [number, bigint])[] = []
      cost.copies++
      const fetched = ask.fetch(createFetch(history, choose, { since, until }, (word, value) => {
        words.add(word)
        reads.push([word, value])
      }), place)
      return { fetched, reads }
    }, byWords)
  const isGood = (known: Known | undefined): known is Known => {
    const good = known !== undefined && !history.changed(known.words, known.stamp)
    if (good) cost.memoHits++
    else cost.memoMisses++
    return good
  }
  /** Every copy that fetches begun before a moment can have made. */
  const fetchedBefore = (slot: Slot, before: Time, words: Set<number>): Copy[] => {
    const found = new Map<string, Copy>()
    const begins = [slot.low, ...slot.drops.map(({ at }) => at)].filter((begin) => begin < before)
    for (const [place, { from, to }] of slot.places) {
      const spans = begins.map((begin) => Math.max(begin, from))
      for (const since of spans) {
        if (since >= to) continue
        for (const copy of fetches(slot.ask, place, since, to, words)) {
          // Begun before an invalidation that names it: gone. Begun later is another span.
          if (slot.drops.some(({ at, matches }) => at > since && matches(copy.fetched.tag))) continue
          if (since < slot.landed && !copy.fetched.keeps) {
            if (!spans.includes(slot.landed)) spans.push(slot.landed)
            continue
          }
          found.set(byWords(copy), copy)
        }
      }
    }
    return [...found.values()]
  }
  const windowOf = (slot: Slot): Known => {
    if (isGood(slot.known)) return slot.known
    const words = new Set<number>()
    const copies = fetchedBefore(slot, Infinity, words)
    slot.values = steady(slot.values, byValue(copies))
    slot.known = { copies, values: slot.values, words, stamp: history.stamp }
    return slot.known
  }
  const freshOf = (slot: Slot, ask: EntryAsk<unknown>): Known => {
    const old = slot.fresh.get(ask.place)
    if (isGood(old)) return old
    const words = new Set<number>()
    const copies = fetches(ask, ask.place, history.now, Infinity, words)
    const known = { copies, values: byValue(copies), words, stamp: history.stamp }
    slot.fresh.set(ask.place, known)
    return known
  }

  return {
    copies(ask, kind) {
      const slot = slotOf(ask)
      if (kind === 'fresh') return freshOf(slot, ask).values
      const { copies, values } = windowOf(slot)
      if (kind === 'kept') return byValue(copies.filter(({ fetched }) => fetched.keeps))
      // Asked before it was reached: the fetch that is the first begins now.
      return slot.places.get(ask.place)?.to === Infinity ? values : byValue([...copies, ...freshOf(slot, ask).copies])
    },
    memory(ask) {
      const reads: (readonly [number, bigint])[] = []
      const fetched = ask.fetch((address) => (word) => history.latest(address + BigInt(word * 8)), ask.place)
      return { fetched, reads }
    },
    kept: () => [...slots.values()].flatMap((slot) => windowOf(slot).copies.filter(({ fetched }) => fetched.keeps)),
    reach(ask) {
      const slot = slotOf(ask)
      slot.ask = ask
      const place = slot.places.get(ask.place)
      if (place?.to === Infinity) return false
      slot.places.set(ask.place, { from: place?.from ?? history.now, to: Infinity })
      slot.known = undefined
      return true
    },
    close(reached) {
      for (const slot of slots.values()) {
        for (const [address, place] of slot.places) {
          if (place.to !== Infinity || reached.has(placeKey({ ...slot.ask, place: address }))) continue
          place.to = slot.swept?.at === history.now ? slot.swept.issue : history.now
          // Nothing of the time before is left; a place that is reached again begins anew.
          if (place.to <= slot.low) slot.places.delete(address)
          slot.known = undefined
        }
      }
    },
    land() {
      for (const slot of slots.values()) {
        const again = new Set([...slot.places].filter(([, { to }]) => to === Infinity)
          .flatMap(([place]) => freshOf(slot, { ...slot.ask, place }).copies.map(byWords)))
        const { copies } = windowOf(slot)
        slot.known = undefined
        slot.landed = history.now
        // Nothing is kept that a fetch from now could not make: the window begins anew, and stays small.
        if (copies.some((copy) => copy.fetched.keeps && !again.has(byWords(copy)))) continue
        slot.low = history.now
        slot.drops = []
        for (const [address, { to }] of slot.places) if (to <= slot.low) slot.places.delete(address)
      }
    },
    drop({ entry, below = false }, issue) {
      for (const slot of slots.values()) {
        const copies = fetchedBefore(slot, issue, new Set())
        const matching = copies.filter(({ fetched }) => entry(fetched.tag))
        if (matching.length === 0) continue
        slot.known = undefined
        if (below) slot.swept = { at: history.now, issue }
        if (matching.length < copies.length) {
          slot.drops.push({ at: issue, matches: entry })
          continue
        }
        slot.low = Math.max(slot.low, issue)
        slot.drops = slot.drops.filter(({ at }) => at > issue)
        for (const [address, { to }] of slot.places) if (to <= slot.low) slot.places.delete(address)
      }
    },
    isCurrent: ({ reads }) => reads.every(([word, value]) => history.latest(BigInt(word) * 8n) === value),
    restsOn(word) {
      for (const { known, fresh } of slots.values()) {
        if (known?.words.has(word) === true) return true
        for (const { words } of fresh.values()) if (words.has(word)) return true
      }
      return false
    },
    floor: () => Math.min(history.now, ...[...slots.values()].map(({ low }) => low)),
  }
}
