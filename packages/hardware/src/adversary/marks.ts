// Marks: the tags under which hardware keeps what some requests meet, and whether something kept is under a tag given back.
import { tagKey } from './may-set.js'
import type { EntryTag, TranslationTag } from './vendor.js'

/** Tags of entries and of translations. */
export interface Marks {
  readonly entries: readonly EntryTag[]
  readonly translations: readonly TranslationTag[]
}

/** A tag of something in a cache: of an entry copy, or of a translation. */
export type Given = EntryTag | TranslationTag

interface Match {
  hasEntry(tag: EntryTag): boolean
  hasTranslation(tag: TranslationTag): boolean
  has(tag: Given): boolean
}

const sameEntry = (a: EntryTag, b: EntryTag): boolean =>
  a.cache === b.cache && a.source === b.source && a.pasid === b.pasid && a.domain === b.domain

/** What is given back: a domain id, in every space and on every source; or tags, just those. */
export const givenBack = (given: number | Marks): Match => {
  const hasEntry = (tag: EntryTag): boolean => !tag.absent
    && (typeof given === 'number' ? tag.domain === given : given.entries.some((each) => sameEntry(each, tag)))
  const names = typeof given === 'number' ? undefined : new Set(given.translations.map(tagKey))
  const hasTranslation = (tag: TranslationTag): boolean => (names === undefined ? tag.domain === given : names.has(tagKey(tag)))
  return { hasEntry, hasTranslation, has: (tag) => ('cache' in tag ? hasEntry(tag) : hasTranslation(tag)) }
}
