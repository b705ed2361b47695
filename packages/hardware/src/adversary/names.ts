// What an invalidation names, as data: said once, for caches that keep copies and for adversarial mode alike.
import type { FrameRange } from '../ranges.js'
import { dropsNothing } from './vendor.js'
import type { Drop, EntryTag, TranslationTag } from './vendor.js'

/** What an invalidation names. What is absent it does not touch. */
export interface Names {
  /** Entries, by the tag of each copy. */
  readonly entry?: (tag: EntryTag) => boolean
  /** Whether copies that were fetched through these entries are named too. */
  readonly below?: boolean
  /** Translations under some tags: all of them, or those of a range. `leavesOnly`: pointers to tables stay. */
  readonly pages?: {
    readonly under: (tag: TranslationTag) => boolean
    readonly range?: FrameRange
    readonly leavesOnly?: boolean
  }
  /** What a device holds in its own TLB under a PASID (0: none). */
  readonly device?: { readonly source: number; readonly pasid: number | 'all'; readonly range: FrameRange }
}

const meets = ([first, last]: FrameRange, held: { readonly first: number; readonly last: number }): boolean =>
  held.first <= last && held.last >= first

/** The same as predicates on everything that hardware may hold. */
export const dropOf = ({ entry, below = false, pages, device }: Names): Drop => ({
  ...dropsNothing,
  ...(entry === undefined ? {} : { entry, below }),
  ...(pages === undefined ? {} : {
    translation: (held) => pages.under(held.tag)
      && (pages.range === undefined || (meets(pages.range, held) && (pages.leavesOnly !== true || held.kind === 'leaf'))),
  }),
  ...(device === undefined ? {} : {
    device: (held) => held.tag.domain === device.source && (device.pasid === 'all' || held.tag.pasid === device.pasid) && meets(device.range, held),
  }),
})
