// The IOTLB: a hit, and invalidations with 100 000 translations live.
import { createTranslationCache } from '@iommu/hardware'
import { timed } from './measure.js'
import { shuffle } from './tables.js'

const PAGES = 1 << 18
const LOOKUPS = 1 << 15
const LIVE = 1024
const CROWD = 100_000
const DOMAINS = 100

const lookups = (cache, order) => {
  let sum = 0
  for (let page = 0; page < LOOKUPS; page++) {
    const at = page % LIVE
    sum = (sum + (cache.lookup(1 + at % 4, order[at]) << 12)) | 0
  }
  return sum
}

/** As in peer.c: 1024 live pages of 4 domains. */
const hit = () => {
  const order = shuffle(PAGES)
  const cache = createTranslationCache()
  for (let page = 0; page < LIVE; page++) cache.keep(1 + page % 4, order[page], 12, page)
  return () => ({ ns: timed(() => { lookups(cache, order) }) / LOOKUPS, checksum: 0 })
}

/** A cache of `live` pages, spread over domains. */
export const crowd = (live) => {
  const cache = createTranslationCache()
  for (let page = 0; page < live; page++) cache.keep(page % DOMAINS, page, 12, page)
  return cache
}

/** Invalidates a range of 64 frames of one domain, in which something is kept; that is put back. */
export const dropRange = (cache) => {
  cache.keep(7, 7, 12, 7)
  return timed(() => cache.dropRange((tag) => tag === 7, 0, 63))
}

const dropDomain = (cache) => {
  for (let page = 7; page < CROWD; page += DOMAINS) cache.keep(7, page, 12, page)
  return timed(() => cache.dropTags((tag) => tag === 7))
}

/** @returns {import('./measure.js').Row[]} */
export const cacheRows = () => {
  const full = crowd(CROWD)
  return [
    { subject: 'IOTLB', name: 'hit', run: hit(), peer: 'lookup', goal: 3, guard: true },
    { subject: 'IOTLB', name: 'invalidate 64 frames, 100 000 live', run: () => ({ ns: dropRange(full), checksum: 0 }) },
    { subject: 'IOTLB', name: 'invalidate a domain of 1000, 100 000 live', run: () => ({ ns: dropDomain(full), checksum: 0 }) },
  ]
}
