// The translation cache against a plain list of pages: keeps, lookups and drops in any order, growth, wide numbers.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createTranslationCache } from '../src/index.js'

interface Page { readonly tag: number; readonly start: number; readonly span: number; readonly kept: string }

/** Tags as wide as a domain id with a PASID, frames as wide as 64-bit addresses, few enough of each to collide. */
const tags = [0, 1, 2, 0x10_0001, 0xf_ffff_ffff]
const tag = fc.constantFrom(...tags)
const frame = fc.oneof(fc.nat(0x1000), fc.nat(64).map((each) => 2 ** 52 - 1 - each), fc.nat(64).map((each) => 2 ** 32 + each))
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('keep' as const), tag, frame, shift: fc.constantFrom(12, 21, 30) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('range' as const), tags: fc.subarray(tags), frame, more: fc.nat(0x800) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('tags' as const), tags: fc.subarray(tags) }) },
)

test('it holds what a list would, whatever is kept and dropped', () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const cache = createTranslationCache<string>()
    let pages: Page[] = []
    const places: { readonly tag: number; readonly frame: number }[] = []
    const drop = (goes: (page: Page) => boolean): number => {
      const before = pages.length
      pages = pages.filter((page) => !goes(page))
      return before - pages.length
    }
    steps.forEach((each, at) => {
      if (each.kind === 'keep') {
        const span = 2 ** (each.shift - 12)
        const start = Math.floor(each.frame / span) * span
        drop((page) => page.tag === each.tag && page.start === start && page.span === span)
        pages.push({ tag: each.tag, start, span, kept: `page ${at}` })
        cache.keep(each.tag, each.frame, each.shift, `page ${at}`)
        places.push({ tag: each.tag, frame: each.frame }, { tag: each.tag, frame: start + span })
      } else if (each.kind === 'range') {
        const last = each.frame + each.more
        const goes = (page: Page): boolean => each.tags.includes(page.tag) && page.start <= last && page.start + page.span > each.frame
        expect(cache.dropRange((one) => each.tags.includes(one), each.frame, last)).toBe(drop(goes))
      } else {
        expect(cache.dropTags((one) => each.tags.includes(one))).toBe(drop((page) => each.tags.includes(page.tag)))
      }
      expect(cache.size).toBe(pages.length)
      expect(tags.map((one) => cache.holds(one))).toEqual(tags.map((one) => pages.some((page) => page.tag === one)))
    })
    for (const place of places) {
      const there = pages.filter((page) =>
        page.tag === place.tag && page.start <= place.frame && place.frame < page.start + page.span)
      const found = cache.lookup(place.tag, place.frame)
      if (there.length === 0) expect(found).toBeUndefined()
      else expect(there.map((page) => page.kept)).toContain(found)
    }
  }), { numRuns: 300 })
})

describe('many pages', () => {
  test('are all found as the cache grows, and none beside them', () => {
    const cache = createTranslationCache<number>()
    for (let page = 0; page < 5000; page++) cache.keep(page % 3, page * 2, 12, page)
    for (let page = 0; page < 5000; page++) {
      expect(cache.lookup(page % 3, page * 2)).toBe(page)
      expect(cache.lookup(page % 3, page * 2 + 1)).toBeUndefined()
    }
    expect(cache.dropRange(() => true, 0, 4999)).toBe(2500)
    expect([cache.lookup(2499 % 3, 4998), cache.lookup(2500 % 3, 5000), cache.size]).toEqual([undefined, 2500, 2500])
  })
  test('of several sizes over one address: the size that was kept first is found first', () => {
    const cache = createTranslationCache<string>()
    cache.keep(1, 0, 21, 'large')
    cache.keep(1, 5, 12, 'small')
    expect(cache.lookup(1, 5)).toBe('large')
    cache.dropTags(() => true)
    cache.keep(1, 5, 12, 'small')
    cache.keep(1, 0, 21, 'large')
    expect(cache.lookup(1, 5)).toBe('small')
  })
})
