// Caches that keep stale copies: what hardware has fetched stays until an invalidation names it.

/** A cached copy with the tag that invalidations match. */
export interface Kept<Tag, Copy> {
  readonly tag: Tag
  readonly copy: Copy
}

/** A cache of entries (contexts, PASID entries, device table entries) by key. */
export interface EntryCache<Tag, Copy> {
  get(key: number): Kept<Tag, Copy> | undefined
  keep(key: number, tag: Tag, copy: Copy): void
  /** Drops every copy that matches; how many those were. */
  drop(matches: (tag: Tag, key: number) => boolean): number
  readonly size: number
  [Symbol.iterator](): IterableIterator<[number, Kept<Tag, Copy>]>
}

export const createEntryCache = <Tag, Copy>(): EntryCache<Tag, Copy> => {
  const kept = new Map<number, Kept<Tag, Copy>>()
  return {
    get: (key) => kept.get(key),
    keep: (key, tag, copy) => void kept.set(key, { tag, copy }),
    drop(matches) {
      let dropped = 0
      for (const [key, { tag }] of kept) {
        if (!matches(tag, key)) continue
        kept.delete(key)
        dropped++
      }
      return dropped
    },
    get size() { return kept.size },
    [Symbol.iterator]: () => kept.entries(),
  }
}

/**
 * A translation cache: pages of several sizes under a numeric tag (a domain id, or a domain id and a PASID).
 * Device addresses are frames, 12 bits dropped.
 */
export interface TranslationCache<T> {
  lookup(tag: number, frame: number): T | undefined
  /** `pageShift` is log2 of the page's size in bytes. */
  keep(tag: number, frame: number, pageShift: number, translation: T): void
  /** Drops everything under the tags that match. */
  dropTags(matches: (tag: number) => boolean): number
  /** Drops, under the tags that match, every page that touches the frames from `first` to `last`, both inclusive. */
  dropRange(matches: (tag: number) => boolean, first: number, last: number): number
  holds(tag: number): boolean
  readonly size: number
}

const startOf = (frame: number, pageShift: number): number => {
  const span = 2 ** (pageShift - 12)
  return Math.floor(frame / span) * span
}

export const createTranslationCache = <T>(): TranslationCache<T> => {
  // tag -> page shift -> first frame of the page -> translation
  const tags = new Map<number, Map<number, Map<number, T>>>()
  const count = (sizes: Map<number, Map<number, T>>): number => {
    let sum = 0
    for (const pages of sizes.values()) sum += pages.size
    return sum
  }
  return {
    lookup(tag, frame) {
      const sizes = tags.get(tag)
      if (sizes === undefined) return undefined
      for (const [shift, pages] of sizes) {
        const found = pages.get(startOf(frame, shift))
        if (found !== undefined) return found
      }
      return undefined
    },
    keep(tag, frame, pageShift, translation) {
      let sizes = tags.get(tag)
      if (sizes === undefined) tags.set(tag, (sizes = new Map()))
      let pages = sizes.get(pageShift)
      if (pages === undefined) sizes.set(pageShift, (pages = new Map()))
      pages.set(startOf(frame, pageShift), translation)
    },
    dropTags(matches) {
      let dropped = 0
      for (const [tag, sizes] of tags) {
        if (!matches(tag)) continue
        dropped += count(sizes)
        tags.delete(tag)
      }
      return dropped
    },
    dropRange(matches, first, last) {
      let dropped = 0
      for (const [tag, sizes] of tags) {
        if (!matches(tag)) continue
        for (const [shift, pages] of sizes) {
          const span = 2 ** (shift - 12)
          for (const start of pages.keys()) {
            if (start > last || start + span <= first) continue
            pages.delete(start)
            dropped++
          }
        }
      }
      return dropped
    },
    holds: (tag) => count(tags.get(tag) ?? new Map()) > 0,
    get size() { return [...tags.values()].reduce((sum, sizes) => sum + count(sizes), 0) },
  }
}
