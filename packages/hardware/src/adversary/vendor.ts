// What a vendor gives to adversarial mode: how entries are read, what tags them, the walk, and what commands drop.
import type { DmaRequest, Outcome } from '../dma.js'
import type { HardwareEvent } from '../events.js'
import type { HardwareView } from '../memory.js'

/** A moment: a counter that advances at every step of the driver. */
export type Time = number

/**
 * In which order hardware reads the atoms of an entry. `free`: in any, each at a moment of its own;
 * `present-first`: the first atom, then the others at that moment or later; `snapshot`: all at one moment.
 */
export type FetchOrder = 'free' | 'present-first' | 'snapshot'

/** An entry as hardware reads it: `atomBytes` at a time, indivisibly, 8 or more. */
export interface Shape {
  readonly bytes: number
  readonly atomBytes: number
  readonly order: FetchOrder
}

/** Begins to read an entry; the answer reads its 64-bit words, each when it is first asked for. */
export type Fetch = (address: bigint, shape: Shape) => (word: number) => bigint

/** What invalidations of entries match on, as the copy itself says it. */
export interface EntryTag {
  /** The cache that holds it: "context", "pasid". */
  readonly cache: string
  readonly source: number
  /** 0: none. */
  readonly pasid: number
  readonly domain: number
  /** Not present or not usable: it has no domain, and matches any. */
  readonly absent: boolean
}

/** What hardware made of an entry. */
export interface Fetched<C> {
  readonly value: C
  /** Equal keys, equal values. */
  readonly key: string
  readonly tag: EntryTag
  /** Whether such a copy may stay in the cache, or answers the DMA in flight only. */
  readonly keeps: boolean
  /** Frames of tables that the copy points to. */
  readonly names: readonly number[]
}

/** The key of a value: equal keys, equal values. `said`: what a member counts as. */
export const keyOf = (value: object, said: (name: string, member: unknown) => unknown = (_, member) => member): string =>
  JSON.stringify(value, (name, member: unknown) => (typeof member === 'bigint' ? member.toString(16) : said(name, member)))

/** A question for an entry that hardware caches. */
export interface EntryAsk<C> {
  /** The place in the cache, "pasid 0x20/5": copies from an old table live on in it, whatever points there now. */
  readonly key: string
  /** Where the fetch begins: the table that the entry above names. */
  readonly place: bigint
  /** Reads and decodes lazily: words that are not asked for do not multiply the copies. */
  readonly fetch: (read: Fetch, place: bigint) => Fetched<C>
}

/** Under which tag a translation is cached. */
export interface TranslationTag {
  /** "first", "second": tags of different spaces never meet. */
  readonly space: string
  readonly domain: number
  /** 0 where the space has none. */
  readonly pasid: number
}

/** A pointer that a walk came by, as paging-structure caches keep it. */
export interface Reached<P> {
  readonly value: P
  readonly key: string
  /** First and last device frame for which it holds. */
  readonly first: number
  readonly last: number
  /** The table that it points to. */
  readonly page: number
}

/** What a walk came to. */
export interface Walked<V> {
  readonly value: V
  readonly key: string
  readonly keeps: boolean
  readonly first: number
  readonly last: number
}

/** A question for a translation. */
export interface TranslationAsk<V, P> {
  readonly tag: TranslationTag
  /** The device frame. */
  readonly frame: number
  /** What the walk depends on besides memory: the root, the format. */
  readonly from: string
  /** Walks from the root, or from a kept pointer, and tells of every pointer on the way. */
  readonly walk: (memory: HardwareView, start: P | undefined, reach: (pointer: Reached<P>) => void) => Walked<V>
}

/** One look of the hardware: of all copies and translations that there may be, it takes one. */
export interface Look<V, P> {
  entry<C>(ask: EntryAsk<C>): C
  translation(ask: TranslationAsk<V, P>): V
}

/** Something that a cache of translations may hold. */
export interface Held<V> {
  readonly tag: TranslationTag
  readonly kind: 'leaf' | 'table'
  readonly key: string
  readonly value: V
  readonly first: number
  readonly last: number
  /** The table that it points to; undefined for a leaf. */
  readonly page?: number
  /** The oldest table read behind it. */
  readonly origin: Time
}

/** What an invalidation forgets. */
export interface Drop {
  /** Entry copies, by the tag that each copy holds. */
  readonly entry: (tag: EntryTag) => boolean
  /** Copies fetched through an entry that it drops go too, however late they were fetched: the command names both. */
  readonly below?: boolean
  /** Translations and paging structures. */
  readonly translation: (held: Pick<Held<unknown>, 'tag' | 'kind' | 'first' | 'last'>) => boolean
  /** What a device holds in its own TLB: the tag's domain is the source. */
  readonly device: (held: Pick<Held<unknown>, 'tag' | 'first' | 'last'>) => boolean
}

/** A command that hardware took. */
export interface Command {
  /** One line for people. */
  readonly text: string
  /** "iotlb", "pasid-cache": what `ordered` compares. */
  readonly kind: string
  readonly drop?: Drop
  /** Tells the driver that all commands before it are complete. */
  readonly completes: boolean
  /** Commands after it do not begin before those before it are complete. */
  readonly fences: boolean
  /** The manual demands it in a case that this mode may be unable to tell from a needless one; where it does. */
  readonly mandated?: string
}

/** A vendor's hardware: it decodes and walks, and knows nothing of time. */
export interface Vendor<V, P> {
  /** The answer to a request, by what the look gives. Called many times; changes nothing. */
  translate(request: DmaRequest, look: Look<V, P>): Outcome
  /**
   * What registers say now and `translate` reads besides the look: an answer is good until one of these is another.
   * They are replaced, and never changed in place. Features of endpoints are not among them: those change with an event.
   */
  settings(): readonly unknown[]
  /** The command that an event is; undefined for other events. */
  command(event: HardwareEvent): Command | undefined
  /** Whether hardware completes `earlier` before it begins `later`, without being told to wait. */
  ordered(earlier: Command, later: Command): boolean
  /** Whether the source's own TLB is on. */
  hasDeviceTlb(source: number): boolean
}

/** A drop of nothing; commands name what they do drop. */
export const dropsNothing: Drop = { entry: () => false, translation: () => false, device: () => false }
