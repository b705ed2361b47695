// Translations: kept ones and the walks that can happen now, from the root and from every kept pointer.
import * as addresses from '../address.js'
import { explore } from '../explore.js'
import type { Choose } from '../explore.js'
import type { HardwareView } from '../memory.js'
import type { Cost } from './entries.js'
import { wordOf } from './history.js'
import type { History } from './history.js'
import { createMaySet, tagKey } from './may-set.js'
import type { MaySet } from './may-set.js'
import type { Held, Reached, TranslationAsk, Walked } from './vendor.js'

/** One walk, with the pointers that it came by. */
interface Way<V, P> {
  /** The kept pointer that it began at, by its key; undefined: the root. */
  readonly start: Held<P> | undefined
  readonly walked: Walked<V>
  readonly reached: readonly Reached<P>[]
}

interface Known<V, P> {
  readonly ways: readonly Way<V, P>[]
  /** What a request may meet, by key, and the state of the leaves that it rests on; undefined until it is asked. */
  met: { readonly values: ReadonlyMap<string, V>; readonly list: readonly V[]; readonly stamp: number } | undefined
  readonly words: ReadonlySet<number>
  readonly stamp: number
  readonly pointersStamp: number
}

export interface Translations<V, P> {
  readonly leaves: MaySet<V>
  readonly tables: MaySet<P>
  /**
   * What a request may meet: kept translations, and walks from now on. Equal values once. The very list that it was
   * before means that nothing has changed.
   */
  values(ask: TranslationAsk<V, P>): readonly V[]
  /** The walk from the root through the last values stored, and what it would leave in caches. */
  memory(ask: TranslationAsk<V, P>): { readonly walked: Walked<V>; readonly reached: readonly Reached<P>[] }
  /** Caches learn from every walk that the question allows. True where they hold more, or anything younger. */
  fill(ask: TranslationAsk<V, P>): boolean
  /** Whether the answers to the questions that are kept rest on a word. */
  restsOn(word: number): boolean
  /** Forgets what was worked out for other questions than these, by `questionKey`. */
  keepOnly(questions: { has(questionKey: string): boolean }): void
}

export const questionKey = <V, P>({ tag, frame, from }: TranslationAsk<V, P>): string => `${tagKey(tag)} ${frame} ${from}`

/** Memory as one walk reads it, each word in one of the values that can be read now. */
const viewOf = (history: History, read: (address: bigint) => bigint): HardwareView => {
  const view = {
    low: 0,
    high: 0,
    has: (frame: number) => history.isMemory(frame),
    load64: read,
    loadPair(frame: number, index: number) {
      addresses.split(read(addresses.frameAddress(frame) + BigInt(index * 8)))
      view.low = addresses.low
      view.high = addresses.high
    },
  }
  return view
}

const sameKeys = (one: ReadonlyMap<string, unknown>, other: ReadonlyMap<string, unknown>): boolean => {
  const keys = other.keys()
  if (one.size !== other.size) return false
  for (const key of one.keys()) if (keys.next().value !== key) return false
  return true
}

const wayKey = <V, P>({ walked, reached }: Way<V, P>): string =>
  `${walked.key} ${walked.first}-${walked.last} ${reached.map(({ key, first, last }) => `${key} ${first}-${last}`).join()}`

export const createTranslations = <V, P>(history: History, cost: Cost): Translations<V, P> => {
  const leaves = createMaySet<V>()
  const tables = createMaySet<P>()
  const known = new Map<string, Known<V, P>>()

  const walks = (ask: TranslationAsk<V, P>, start: Held<P> | undefined, words: Set<number>): Way<V, P>[] =>
    explore((choose: Choose): Way<V, P> => {
      const read = (address: bigint): bigint => {
        words.add(wordOf(address))
        const values = history.readable(address)
        return values[choose(values.length)] as bigint
      }
      const reached: Reached<P>[] = []
      const walked = ask.walk(viewOf(history, read), start?.value, (pointer) => void reached.push(pointer))
      return { start, walked, reached }
    }, wayKey)
  const knownOf = (ask: TranslationAsk<V, P>): Known<V, P> => {
    const name = questionKey(ask)
    const old = known.get(name)
    const pointersStamp = tables.stampOf(ask.tag)
    if (old !== undefined && old.pointersStamp === pointersStamp && !history.changed(old.words, old.stamp)) {
      cost.memoHits++
      return old
    }
    cost.memoMisses++
    const words = new Set<number>()
    const starts = [undefined, ...tables.at(ask.tag, 'table', ask.frame)]
    const ways = starts.flatMap((start) => walks(ask, start, words))
    // Leaves are to be looked at again: no stamp of theirs is negative.
    const met = old?.met === undefined ? undefined : { ...old.met, stamp: -1 }
    const found: Known<V, P> = { ways, met, words, stamp: history.stamp, pointersStamp }
    known.set(name, found)
    return found
  }
  /** Pointers are the same object only until their origin moves: the origin is looked up by what they are. */
  const originOf = (ask: TranslationAsk<V, P>, start: Held<P> | undefined): number => {
    if (start === undefined) return history.now
    const now = tables.at(ask.tag, 'table', ask.frame)
      .find(({ key, first, last }) => key === start.key && first === start.first && last === start.last)
    return now?.origin ?? start.origin
  }

  return {
    leaves,
    tables,
    values(ask) {
      const about = knownOf(ask)
      const stamp = leaves.stampOf(ask.tag)
      if (about.met?.stamp === stamp) return about.met.list
      const values = new Map<string, V>()
      for (const { key, value } of leaves.at(ask.tag, 'leaf', ask.frame)) values.set(key, value)
      for (const { walked } of about.ways) values.set(walked.key, walked.value)
      const before = about.met
      about.met = before !== undefined && sameKeys(before.values, values) ? { ...before, stamp } : { values, list: [...values.values()], stamp }
      return about.met.list
    },
    memory(ask) {
      const reached: Reached<P>[] = []
      const walked = ask.walk(viewOf(history, (address) => history.latest(address)), undefined, (pointer) => void reached.push(pointer))
      return { walked, reached }
    },
    fill(ask) {
      let more = false
      for (const { start, walked, reached } of knownOf(ask).ways) {
        const origin = originOf(ask, start)
        for (const { key, value, first, last, page } of reached) {
          more = tables.add({ tag: ask.tag, kind: 'table', key, value, first, last, page, origin }) || more
        }
        if (!walked.keeps) continue
        const { key, value, first, last } = walked
        more = leaves.add({ tag: ask.tag, kind: 'leaf', key, value, first, last, origin }) || more
      }
      return more
    },
    restsOn(word) {
      for (const { words } of known.values()) if (words.has(word)) return true
      return false
    },
    keepOnly(questions) {
      for (const question of known.keys()) if (!questions.has(question)) known.delete(question)
    },
  }
}
