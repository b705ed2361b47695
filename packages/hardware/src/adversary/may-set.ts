// May-sets: what a cache of translations can hold, each value with the oldest table read behind it (rules 8 and 9).
import type { Held, Time, TranslationTag } from './vendor.js'

export interface MaySet<V> {
  /** Adds a value, or moves its origin up. True where it is new or its origin has moved. */
  add(held: Held<V>): boolean
  /** What may be found under a tag for a device frame. */
  at(tag: TranslationTag, kind: Held<V>['kind'], frame: number): readonly Held<V>[]
  /** Removes what matches and rests on reads before `issue`. */
  drop(matches: (held: Held<V>) => boolean, issue: Time): void
  all(): readonly Held<V>[]
  /** Rises when a tag's set becomes larger or smaller. */
  stampOf(tag: TranslationTag): number
}

export const tagKey = ({ space, domain, pasid }: TranslationTag): string => `${space} ${domain}/${pasid}`

export const createMaySet = <V>(): MaySet<V> => {
  const tags = new Map<string, { values: Map<string, Held<V>>; stamp: number }>()
  const setOf = (key: string): { values: Map<string, Held<V>>; stamp: number } => {
    let found = tags.get(key)
    if (found === undefined) tags.set(key, (found = { values: new Map(), stamp: 0 }))
    return found
  }
  return {
    add(held) {
      const set = setOf(tagKey(held.tag))
      const key = `${held.kind} ${held.first}-${held.last} ${held.key}`
      const old = set.values.get(key)
      if (old !== undefined && old.origin >= held.origin) return false
      if (old === undefined) set.stamp++
      set.values.set(key, held)
      return true
    },
    at: (tag, kind, frame) => [...(tags.get(tagKey(tag))?.values.values() ?? [])]
      .filter((held) => held.kind === kind && held.first <= frame && frame <= held.last),
    drop(matches, issue) {
      for (const set of tags.values()) {
        for (const [key, held] of set.values) {
          if (held.origin >= issue || !matches(held)) continue
          set.values.delete(key)
          set.stamp++
        }
      }
    },
    all: () => [...tags.values()].flatMap(({ values }) => [...values.values()]),
    stampOf: (tag) => tags.get(tagKey(tag))?.stamp ?? 0,
  }
}
