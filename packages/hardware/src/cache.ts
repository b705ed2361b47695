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
/** Slots for each page at least: with fewer, pages meet and a lookup takes half as long again. */
const SPARSE = 4
/** In place of a page number: there is none in this slot. */
const EMPTY = -1

/**
 * The pages of one size: open addressing, with page numbers and tags in one flat array and translations beside it.
 * Dropping puts those that stay in anew, so that no slot is ever marked as deleted.
 */
class PagesOfSize<T> {
  /** Frames that a page covers. */
  readonly span: number
  size = 0
  private keys = new Float64Array(0)
  private translations: (T | undefined)[] = []
  private mask = -1

  constructor(span: number) {
    this.span = span
  }

  get(tag: number, page: number): T | undefined {
    const { keys, mask } = this
    if (mask < 0) return undefined
    let slot = hash(tag, page) & mask
    for (;;) {
      const kept = keys[slot * 2]
      if (kept === page && keys[slot * 2 + 1] === tag) return this.translations[slot]
      if (kept === EMPTY) return undefined
      slot = (slot + 1) & mask
    }
  }

  /** Whether the page is new. */
  put(tag: number, page: number, translation: T): boolean {
    if ((this.size + 1) * SPARSE > this.mask + 1) this.rebuild(Math.max((this.mask + 1) * 2, FIRST_SLOTS), () => true)
    let slot = hash(tag, page) & this.mask
    while (this.keys[slot * 2] !== EMPTY && (this.keys[slot * 2] !== page || this.keys[slot * 2 + 1] !== tag)) slot = (slot + 1) & this.mask
    const isNew = this.keys[slot * 2] === EMPTY
    this.keys[slot * 2] = page
    this.keys[slot * 2 + 1] = tag
    this.translations[slot] = translation
    if (isNew) this.size++
    return isNew
  }

  /** Keeps what stays; calls `gone` with the tag of each page that does not. */
  retain(stays: (tag: number, page: number) => boolean, gone: (tag: number) => void): void {
    this.rebuild(this.mask + 1, (tag, page) => {
      if (stays(tag, page)) return true
      gone(tag)
      return false
    })
  }

  private rebuild(slots: number, stays: (tag: number, page: number) => boolean): void {
    const { keys, translations } = this
    this.keys = new Float64Array(slots * 2).fill(EMPTY)
    this.translations = new Array<T | undefined>(slots).fill(undefined)
    this.mask = slots - 1
    this.size = 0
    for (let slot = 0; slot < translations.length; slot++) {
      const page = keys[slot * 2] as number
      const tag = keys[slot * 2 + 1] as number
      if (page !== EMPTY && stays(tag, page)) this.put(tag, page, translations[slot] as T)
    }
  }
}

/** Lower halves of tag and page tell enough apart; multiplied bits are best at the top. */
const hash = (tag: number, page: number): number => {
  const mixed = Math.imul((page | 0) ^ Math.imul(tag | 0, 0x85eb_ca6b), 0x9e37_79b1)
  return mixed >>> 12
}

/**
 * An empty translation cache: a table for each size of page that is kept, each of which a lookup asks. Where kept pages of
 * several sizes overlap, the size that was kept first is found first.
 */
export const createTranslationCache = <T>(): TranslationCache<T> => {
  /** In the order in which the sizes came. */
  const sizes: PagesOfSize<T>[] = []
  const perTag = new Map<number, number>()
  const total = (): number => sizes.reduce((sum, { size }) => sum + size, 0)

  /** Drops, under the tags that match, the pages of which the first and the last frame say that they go. */
  const drop = (matches: (tag: number) => boolean, goes: (first: number, last: number) => boolean): number => {
    const hit = new Set([...perTag.keys()].filter(matches))
    if (hit.size === 0) return 0
    const before = total()
    for (const each of sizes) {
      const { span } = each
      each.retain((tag, page) => !hit.has(tag) || !goes(page * span, page * span + span - 1), (tag) => {
        const left = (perTag.get(tag) ?? 0) - 1
        if (left === 0) perTag.delete(tag)
        else perTag.set(tag, left)
      })
    }
    sizes.splice(0, sizes.length, ...sizes.filter(({ size }) => size > 0))
    return before - total()
  }

  return {
    lookup(tag, frame) {
      // By index: an iterator takes a fifth of a lookup.
      let at = 0
      while (at < sizes.length) {
        const each = sizes[at++] as PagesOfSize<T>
        const { span } = each
        // Two calls: one number that may be an integer or a double would be a double to V8, and take half as long again.
        const found = span === 1 ? each.get(tag, frame) : each.get(tag, Math.floor(frame / span))
        if (found !== undefined) return found
      }
      return undefined
    },
    keep(tag, frame, pageShift, translation) {
      const span = 2 ** (pageShift - 12)
      let pages = sizes.find((each) => each.span === span)
      if (pages === undefined) sizes.push(pages = new PagesOfSize(span))
      const isNew = span === 1 ? pages.put(tag, frame, translation) : pages.put(tag, Math.floor(frame / span), translation)
      if (isNew) perTag.set(tag, (perTag.get(tag) ?? 0) + 1)
    },
    dropTags: (matches) => drop(matches, () => true),
    dropRange: (matches, first, last) => drop(matches, (start, end) => start <= last && end >= first),
    holds: (tag) => perTag.has(tag),
    get size() { return total() },
  }
}
