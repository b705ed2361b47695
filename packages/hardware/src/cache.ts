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

const FIRST_SLOTS = 16

/**
 * A page as one number: its middle, counted in half frames. Naturally aligned pages of different sizes have different
 * middles, and that of any page of a 64-bit address space is exact.
 */
const middleOf = (frame: number, span: number): number =>
  span === 1 ? frame * 2 + 1 : Math.floor(frame / span) * span * 2 + span

/** The span of a page from its middle: the lowest bit that is set. */
const spanOf = (middle: number): number =>
  (middle | 0) !== 0 ? (middle & -middle) >>> 0 : spanOf(middle / 0x1_0000_0000) * 0x1_0000_0000

/**
 * An empty translation cache: open addressing, with tags and pages as numbers in one flat array and translations
 * beside it. A lookup probes once for each size of page that is kept. Dropping goes through all entries and puts
 * those that stay in anew, so that no slot is ever marked as deleted.
 *
 * Where kept pages of several sizes overlap, the size that was kept first is found first.
 */
export const createTranslationCache = <T>(): TranslationCache<T> => {
  /** Slot by slot: tag and middle. A middle is never 0, so 0 is an empty slot. */
  let keys = new Float64Array(0)
  let translations: (T | undefined)[] = []
  let slotMask = -1
  let size = 0
  /** Spans of the pages that are kept, in frames, in the order in which they came. */
  let spans: number[] = []
  const perTag = new Map<number, number>()

  /** The slot of a page: where it is, or the empty one where it would be. */
  const slotOf = (tag: number, middle: number): number => {
    // Multiplied bits are best at the top; lower halves of tag and page tell enough apart.
    const mixed = Math.imul((middle | 0) ^ Math.imul(tag | 0, 0x85eb_ca6b), 0x9e37_79b1)
    let slot = (mixed ^ (mixed >>> 15)) & slotMask
    while (keys[slot * 2 + 1] !== 0 && (keys[slot * 2 + 1] !== middle || keys[slot * 2] !== tag)) slot = (slot + 1) & slotMask
    return slot
  }

  const put = (tag: number, middle: number, translation: T): void => {
    const slot = slotOf(tag, middle)
    if (keys[slot * 2 + 1] === 0) {
      keys[slot * 2] = tag
      keys[slot * 2 + 1] = middle
      perTag.set(tag, (perTag.get(tag) ?? 0) + 1)
      size++
    }
    translations[slot] = translation
  }

  /** Makes `slots` slots and puts in what is to stay. */
  const rebuild = (slots: number, stays: (tag: number, middle: number) => boolean): void => {
    const before = keys
    const old = translations
    keys = new Float64Array(slots * 2)
    translations = new Array<T | undefined>(slots).fill(undefined)
    slotMask = slots - 1
    size = 0
    perTag.clear()
    for (let slot = 0; slot < old.length; slot++) {
      const tag = before[slot * 2] as number
      const middle = before[slot * 2 + 1] as number
      if (middle !== 0 && stays(tag, middle)) put(tag, middle, old[slot] as T)
    }
    if (size === 0) spans = []
  }

  /** Drops, under the tags that match, the pages that go. */
  const drop = (matches: (tag: number) => boolean, goes: (middle: number) => boolean): number => {
    const hit = new Set([...perTag.keys()].filter(matches))
    if (hit.size === 0) return 0
    const before = size
    rebuild(slotMask + 1, (tag, middle) => !hit.has(tag) || !goes(middle))
    return before - size
  }

  return {
    lookup(tag, frame) {
      if (size === 0) return undefined
      // By index: an iterator takes a fifth of a lookup.
      let at = 0
      while (at < spans.length) {
        const found = translations[slotOf(tag, middleOf(frame, spans[at++] as number))]
        if (found !== undefined) return found
      }
      return undefined
    },
    keep(tag, frame, pageShift, translation) {
      const span = 2 ** (pageShift - 12)
      if ((size + 1) * 2 > slotMask + 1) rebuild(Math.max((slotMask + 1) * 2, FIRST_SLOTS), () => true)
      if (!spans.includes(span)) spans.push(span)
      put(tag, middleOf(frame, span), translation)
    },
    dropTags: (matches) => drop(matches, () => true),
    dropRange: (matches, first, last) => drop(matches, (middle) => {
      const span = spanOf(middle)
      const start = (middle - span) / 2
      return start <= last && start + span > first
    }),
    holds: (tag) => perTag.has(tag),
    get size() { return size },
  }
}
