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

// Classes, since objects whose literals have getters are dictionaries to V8 from the second one on: each use looks the name up.
class Entries<Tag, Copy> implements EntryCache<Tag, Copy> {
  private readonly kept = new Map<number, Kept<Tag, Copy>>()

  get size(): number { return this.kept.size }

  get(key: number): Kept<Tag, Copy> | undefined {
    return this.kept.get(key)
  }

  keep(key: number, tag: Tag, copy: Copy): void {
    this.kept.set(key, { tag, copy })
  }

  drop(matches: (tag: Tag, key: number) => boolean): number {
    let dropped = 0
    for (const [key, { tag }] of this.kept) {
      if (!matches(tag, key)) continue
      this.kept.delete(key)
      dropped++
    }
    return dropped
  }

  [Symbol.iterator](): IterableIterator<[number, Kept<Tag, Copy>]> {
    return this.kept.entries()
  }
}

export const createEntryCache = <Tag, Copy>(): EntryCache<Tag, Copy> => new Entries()

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
/** In place of a tag's upper half: there is nothing in this slot. */
const EMPTY = -1

/** What is above the lowest 32 bits. Nearly all numbers here are small integers, which V8 then keeps as such. */
const upper = (value: number): number => (value === (value | 0) ? 0 : Math.floor(value / 0x1_0000_0000) | 0)
const whole = (low: number, high: number): number => (low >>> 0) + high * 0x1_0000_0000

/**
 * The pages of one size: open addressing, with keys in one flat array and translations beside it. A key is four integers:
 * lower and upper half of the page, and of the tag. (Literals: constants of a bundled module are variables to V8.)
 */
class PagesOfSize<T> {
  /** log2 of the frames that a page covers. */
  readonly shift: number
  private readonly span: number
  size = 0
  private keys = new Int32Array(0)
  private translations: (T | undefined)[] = []
  private mask = -1

  constructor(shift: number) {
    this.shift = shift
    this.span = 2 ** shift
  }

  pageOf(frame: number): number {
    return Math.floor(frame / this.span)
  }

  get(tag: number, page: number): T | undefined {
    const slot = this.slotOf(tag, page)
    return slot < 0 ? undefined : this.translations[slot]
  }

  /** Whether the page is new. */
  put(tag: number, page: number, translation: T): boolean {
    const old = this.slotOf(tag, page)
    if (old >= 0) {
      this.translations[old] = translation
      return false
    }
    if ((this.size + 1) * SPARSE > this.mask + 1) this.grow(Math.max((this.mask + 1) * 2, FIRST_SLOTS))
    const { keys, mask } = this
    let slot = hash(tag, page) & mask
    while (keys[slot * 4 + 3] !== EMPTY) slot = (slot + 1) & mask
    keys[slot * 4] = page | 0
    keys[slot * 4 + 1] = upper(page)
    keys[slot * 4 + 2] = tag | 0
    keys[slot * 4 + 3] = upper(tag)
    this.translations[slot] = translation
    this.size++
    return true
  }

  /** Whether the page was there. What it had pushed on moves up, so that no slot is ever marked as deleted. */
  remove(tag: number, page: number): boolean {
    const { keys, translations, mask } = this
    let hole = this.slotOf(tag, page)
    if (hole < 0) return false
    for (let slot = (hole + 1) & mask; keys[slot * 4 + 3] !== EMPTY; slot = (slot + 1) & mask) {
      const home = hash(keys[slot * 4 + 2] as number, keys[slot * 4] as number) & mask
      // It stays where its own place lies behind the hole.
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue
      keys.copyWithin(hole * 4, slot * 4, slot * 4 + 4)
      translations[hole] = translations[slot]
      hole = slot
    }
    keys[hole * 4 + 3] = EMPTY
    translations[hole] = undefined
    this.size--
    return true
  }

  /** The pages under these tags that touch the frames, both inclusive, as tag and page in turn. */
  under(tags: ReadonlySet<number>, first: number, last: number): number[] {
    const { keys } = this
    const from = this.pageOf(first)
    const to = this.pageOf(last)
    const found: number[] = []
    // A narrow range is asked page by page, so that it costs nothing how much lies outside of it.
    if ((to - from + 1) * tags.size <= this.size) {
      for (const tag of tags) for (let page = from; page <= to; page++) if (this.slotOf(tag, page) >= 0) found.push(tag, page)
      return found
    }
    for (let at = 0; at < keys.length; at += 4) {
      if (keys[at + 3] === EMPTY) continue
      const page = whole(keys[at] as number, keys[at + 1] as number)
      const tag = whole(keys[at + 2] as number, keys[at + 3] as number)
      if (page >= from && page <= to && tags.has(tag)) found.push(tag, page)
    }
    return found
  }

  /** Where the page is kept; -1 where it is not. */
  private slotOf(tag: number, page: number): number {
    const { keys, mask } = this
    if (mask < 0) return -1
    const pageLow = page | 0
    const pageHigh = upper(page)
    const tagLow = tag | 0
    const tagHigh = upper(tag)
    for (let slot = hash(tagLow, pageLow) & mask; ; slot = (slot + 1) & mask) {
      const at = slot << 2
      if (keys[at] === pageLow && keys[at | 2] === tagLow && keys[at | 1] === pageHigh && keys[at | 3] === tagHigh) return slot
      if (keys[at | 3] === -1) return -1
    }
  }

  private grow(slots: number): void {
    const { keys, translations } = this
    this.keys = new Int32Array(slots * 4).fill(EMPTY)
    this.translations = new Array<T | undefined>(slots).fill(undefined)
    this.mask = slots - 1
    this.size = 0
    for (let at = 0; at < keys.length; at += 4) {
      if (keys[at + 3] === EMPTY) continue
      this.put(whole(keys[at + 2] as number, keys[at + 3] as number),
        whole(keys[at] as number, keys[at + 1] as number), translations[at / 4] as T)
    }
  }
}

/** Lower halves of tag and page tell enough apart; multiplied bits are best at the top. */
const hash = (tag: number, page: number): number => {
  const mixed = Math.imul((page | 0) ^ Math.imul(tag | 0, 0x85eb_ca6b), 0x9e37_79b1)
  return mixed >>> 12
}

/** A table for each size of page that is kept, each of which a lookup asks, in the order in which the sizes came. */
class Pages<T> implements TranslationCache<T> {
  private sizes: PagesOfSize<T>[] = []
  private readonly perTag = new Map<number, number>()

  get size(): number {
    return this.sizes.reduce((sum, { size }) => sum + size, 0)
  }

  holds(tag: number): boolean {
    return this.perTag.has(tag)
  }

  lookup(tag: number, frame: number): T | undefined {
    const { sizes } = this
    // By index: an iterator takes a fifth of a lookup.
    let at = 0
    while (at < sizes.length) {
      const each = sizes[at++] as PagesOfSize<T>
      // Two calls: one number that may be an integer or a double would be a double to V8, and take half as long again.
      const found = each.shift === 0 ? each.get(tag, frame) : each.get(tag, each.pageOf(frame))
      if (found !== undefined) return found
    }
    return undefined
  }

  keep(tag: number, frame: number, pageShift: number, translation: T): void {
    const shift = pageShift - 12
    let pages = this.sizes.find((each) => each.shift === shift)
    if (pages === undefined) this.sizes.push(pages = new PagesOfSize(shift))
    const isNew = shift === 0 ? pages.put(tag, frame, translation) : pages.put(tag, pages.pageOf(frame), translation)
    if (isNew) this.perTag.set(tag, (this.perTag.get(tag) ?? 0) + 1)
  }

  dropTags(matches: (tag: number) => boolean): number {
    return this.dropRange(matches, 0, Infinity)
  }

  dropRange(matches: (tag: number) => boolean, first: number, last: number): number {
    const { perTag } = this
    const hit = new Set([...perTag.keys()].filter(matches))
    if (hit.size === 0) return 0
    let dropped = 0
    for (const each of this.sizes) {
      const found = each.under(hit, first, last)
      for (let at = 0; at < found.length; at += 2) {
        const tag = found[at] as number
        each.remove(tag, found[at + 1] as number)
        dropped++
        const left = (perTag.get(tag) ?? 0) - 1
        if (left === 0) perTag.delete(tag)
        else perTag.set(tag, left)
      }
    }
    this.sizes = this.sizes.filter(({ size }) => size > 0)
    return dropped
  }
}

/** An empty translation cache. Where kept pages of several sizes overlap, the size that was kept first is found first. */
export const createTranslationCache = <T>(): TranslationCache<T> => new Pages()
