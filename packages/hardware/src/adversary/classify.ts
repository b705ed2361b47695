// Judges invalidations when they are issued: needed, needless, mandated, and how much too wide.
import type { Copy } from './entries.js'
import type { Given } from './marks.js'
import { tagKey } from './may-set.js'
import type { Command, Drop, EntryTag, Held } from './vendor.js'

/** What became of one command. Answers may change until the change that it belongs to is over. */
export interface Judgement {
  readonly text: string
  /**
   * `needless`: everything it covers equals memory and a fresh walk, and no tag that it covers is given back;
   * `mandated`: needless as far as can be told, but the manual demands it.
   */
  readonly verdict: 'needed' | 'needless' | 'mandated'
  /** Places in caches that it covers where something stale could be. */
  readonly stale: number
  /** Places that it empties although nothing stale could be there, and their tag stays in use. */
  readonly tooWide: number
  /** Why it is mandated. */
  readonly why?: string
}

/** What hardware holds when a command is issued. */
export interface Holdings {
  readonly entries: readonly Copy[]
  readonly translations: readonly Held<unknown>[]
  readonly devices: readonly Held<unknown>[]
  isCurrent(copy: Copy): boolean
  /** Whether a fresh walk would leave the same behind. */
  isFresh(held: Held<unknown>): boolean
}

/** One name for equal things in caches, whatever their origin. */
export const heldKey = ({ tag, kind, key, first, last }: Omit<Held<unknown>, 'value' | 'origin'>): string =>
  `${tagKey(tag)} ${kind} ${first}-${last} ${key}`

/** What may be in one place: several copies, of which the cache holds one at the most. */
interface Covered { readonly place: string; readonly tag: Given | undefined; readonly stale: boolean }

const entryPlace = ({ cache, source, pasid }: EntryTag): string => `${cache} ${source}/${pasid}`
const heldPlace = ({ tag, kind, first, last }: Held<unknown>): string => `${tagKey(tag)} ${kind} ${first}-${last}`

const covers = (drop: Drop, holdings: Holdings): Covered[] => [
  ...holdings.entries.filter(({ fetched }) => drop.entry(fetched.tag)).map((copy) => ({
    place: entryPlace(copy.fetched.tag), tag: copy.fetched.tag, stale: !holdings.isCurrent(copy),
  })),
  ...holdings.translations.filter((held) => drop.translation(held))
    .map((held) => ({ place: heldPlace(held), tag: held.tag, stale: !holdings.isFresh(held) })),
  // A device's tag is its source: it is never given back.
  ...holdings.devices.filter((held) => drop.device(held))
    .map((held) => ({ place: heldPlace(held), tag: undefined, stale: !holdings.isFresh(held) })),
]

const placesOf = (covered: readonly Covered[]): Set<string> => new Set(covered.map(({ place }) => place))

/** Looks at a command now; the answer is asked once it is known which tags have been given back since. */
export const classify = (command: Command, holdings: Holdings): ((released: (tag: Given) => boolean) => Judgement) => {
  const covered = command.drop === undefined ? [] : covers(command.drop, holdings)
  const all = placesOf(covered)
  const stale = placesOf(covered.filter((each) => each.stale))
  return (released) => {
    const leaving = placesOf(covered.filter(({ place, tag }) => !stale.has(place) && tag !== undefined && released(tag)))
    const needed = stale.size + leaving.size > 0
    return {
      text: command.text,
      verdict: needed ? 'needed' : command.mandated === undefined ? 'needless' : 'mandated',
      stale: stale.size,
      tooWide: all.size - stale.size - leaving.size,
      ...(!needed && command.mandated !== undefined ? { why: command.mandated } : {}),
    }
  }
}
