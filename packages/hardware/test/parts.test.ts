// The smaller parts of machines: rings, polls, endpoints, caches, and exploration.
import { describe, expect, test } from 'vitest'
import {
  createEndpoints, createEntryCache, createEventStream, createRegisters, createRing, createTranslationCache, explore, first,
} from '../src/index.js'
import type { HardwareEvent } from '../src/index.js'

test('a ring wraps, and is full one entry short of its head', () => {
  const ring = createRing(4, 16)
  expect([0, 16, 32, 48].map(ring.next)).toEqual([16, 32, 48, 0])
  expect([ring.used(0, 0), ring.used(48, 16), ring.room(0, 0), ring.room(0, 48)]).toEqual([0, 2, 3, 0])
})

describe('a poll', () => {
  const counting = (): { read: () => number; ticks: () => number; registers: ReturnType<typeof createRegisters> } => {
    let ticks = 0
    const registers = createRegisters({ read: () => BigInt(ticks), write: () => undefined, tick: () => { ticks++ } })
    return { registers, ticks: () => ticks, read: () => registers.read32(0) }
  }
  test('lets time pass until it is done', () => {
    const { registers, read } = counting()
    expect(registers.poll(read, (value) => value === 5)).toEqual({ done: true, value: 5 })
  })
  test('gives up after its budget, and says so', () => {
    const { registers, read, ticks } = counting()
    expect(registers.poll(read, () => false, 10)).toEqual({ done: false, value: 9 })
    expect(ticks()).toBe(9)
  })
})

describe('an endpoint', () => {
  test('has the features that its configuration space offers, and PASID cannot change while ATS is enabled', () => {
    const events = createEventStream()
    const seen: HardwareEvent[] = []
    events.observe((event) => seen.push(event))
    const { config } = createEndpoints(new Map([[0x20, { pasidWidth: 20, atsQueueDepth: 0 }]]), events)(0x20)
    expect([config.enable('ats'), config.enable('pasid'), config.disable('ats'), config.enable('pasid'), config.enable('pri')])
      .toEqual([true, false, true, true, false])
    expect(config.enabled).toEqual({ pasid: true, ats: false, pri: false })
    expect(seen.map((event) => event.kind === 'config' && `${event.feature} ${event.on}`)).toEqual(['ats true', 'ats false', 'pasid true'])
  })
})

test('an entry cache keeps stale copies until an invalidation names their tag', () => {
  const cache = createEntryCache<{ id: number }, string>()
  cache.keep(1, { id: 5 }, 'a')
  cache.keep(2, { id: 6 }, 'b')
  expect(cache.drop(({ id }) => id === 5)).toBe(1)
  expect([cache.get(1), cache.get(2)?.copy, cache.size]).toEqual([undefined, 'b', 1])
})

describe('a translation cache', () => {
  const filled = (): ReturnType<typeof createTranslationCache<string>> => {
    const cache = createTranslationCache<string>()
    cache.keep(1, 0x201, 12, 'small')
    cache.keep(1, 0x433, 21, 'large')
    cache.keep(2, 0x201, 12, 'other')
    return cache
  }
  test('finds pages of each size under their tag', () => {
    const cache = filled()
    const places: [number, number][] = [[1, 0x201], [1, 0x202], [1, 0x400], [1, 0x5ff], [1, 0x600], [2, 0x201]]
    expect(places.map(([tag, frame]) => cache.lookup(tag, frame)))
      .toEqual(['small', undefined, 'large', 'large', undefined, 'other'])
  })
  test('drops a range with every page that touches it, and leaves other tags', () => {
    const cache = filled()
    expect(cache.dropRange((tag) => tag === 1, 0x5ff, 0x5ff)).toBe(1)
    expect([cache.lookup(1, 0x400), cache.lookup(1, 0x201), cache.size]).toEqual([undefined, 'small', 2])
    expect(cache.dropRange((tag) => tag === 1, 0, 0x200)).toBe(0)
    expect(cache.dropTags((tag) => tag === 1)).toBe(1)
    expect([cache.holds(1), cache.holds(2)]).toEqual([false, true])
  })
})

describe('exploring', () => {
  test('runs every sequence of choices once, and answers each distinct outcome', () => {
    let runs = 0
    const answers = explore((choose) => {
      runs++
      const a = choose(2)
      return a === 0 ? 'x' : ['y', 'z', 'y'][choose(3)] as string
    }, String)
    expect(answers).toEqual(['x', 'y', 'z'])
    expect(runs).toBe(4)
  })
  test('has one answer where nothing is chosen, and the deterministic choice is the first', () => {
    expect(explore(() => 7, String)).toEqual([7])
    expect([first(1), first(5)]).toEqual([0, 0])
  })
})
