// Adversarial mode on every ordered pair of stream table entries, and on the changes of a context: the driver's writer is
// right, and each mutant of it fails for the reason given.
import type { Words } from '@iommu/bits'
import { describe, expect, test } from 'vitest'
import { contextWriter, createScene, groupsOf, PROBES, runChange, runStreams, streamWriter, STREAMS } from './adversary-scene.js'
import type { Action, Group, Result, Setup, Writer } from './adversary-scene.js'

/** Milliseconds that a busy machine may take for 132 pairs. */
const PATIENCE = 60_000

const failed = (results: readonly Result[]): Result[] => results.filter(({ during, after }) => during.length + after.length > 0)
const findings = (results: readonly Result[]): unknown[] => results.flatMap(({ name, during, after }) =>
  [...during, ...after].map(({ sentence, step, says }) => ({ name, sentence, step, says })))
/** Pairs that fail: in all, and (during/after). */
const spell = (results: readonly Result[]): string => {
  const count = (which: 'during' | 'after'): number => results.filter((each) => each[which].length > 0).length
  return failed(results).length === 0 ? '0' : `${failed(results).length} (${count('during')}/${count('after')})`
}

describe('the writer of stream table entries', () => {
  test.each<readonly [string, Setup]>([
    ['stores seen at once', {}],
    ['stores seen at the next barrier', { options: { stores: 'order' } }],
    ['each command complete before the next', { options: { queue: 'ordered' } }],
  ])('breaks nothing, on 132 pairs: %s', (_name, setup) => {
    const results = runStreams(streamWriter, setup)
    expect(results).toHaveLength(132)
    expect(findings(results)).toEqual([])
    expect(results.filter(({ rest }) => rest.length > 0)).toEqual([])
    expect(Math.max(...results.map(({ copies }) => copies))).toBeLessThan(100)
  }, PATIENCE)

  const all = (): ReadonlyMap<string, Result> => new Map(runStreams(streamWriter).map((each) => [each.name, each]))
  test('is interrupted only where two words change at once, and takes so many syncs', () => {
    const results = all()
    // As Linux's arm_smmu_test_make_* expect of the same pairs.
    const expected: Readonly<Record<string, readonly [syncs: number, hitless: boolean]>> = {
      'abort -> bypass': [2, true], 'bypass -> abort': [2, true], 'abort -> stage 1': [2, true], 'stage 1 -> abort': [2, true],
      'abort -> stage 2, VMID 5': [2, true], 'stage 2, VMID 5 -> abort': [2, true],
      'bypass -> stage 1': [3, true], 'stage 1 -> bypass': [3, true],
      'stage 1 -> S1DSS bypass': [1, true], 'S1DSS bypass -> S1DSS terminate': [1, true],
      'S1DSS bypass -> bypass': [2, true], 'bypass -> S1DSS bypass': [2, true],
      'stage 1 -> stage 2, VMID 0': [3, true], 'stage 2, VMID 0 -> stage 1': [3, true],
      'stage 1 -> stage 2, VMID 5': [3, false], 'stage 2, VMID 5 -> stage 1': [3, false],
    }
    const found = Object.fromEntries(Object.keys(expected).map((name) => {
      const { syncs, blocked } = results.get(name) as Result
      return [name, [syncs, blocked.length === 0]]
    }))
    expect(found).toEqual(expected)
    // Stage 1 beside a VMID that is not 0, two VMIDs, another CD table with another S1DSS; 34 go through V=0, and of these four
    // are blocked on one side for either probe.
    const interrupted = [...results.values()].filter(({ blocked }) => blocked.length > 0).map(({ name }) => name)
    expect(interrupted.every((name) => /VMID [59]|other CD table/.test(name))).toBe(true)
    expect(interrupted).toHaveLength(30)
  }, PATIENCE)
})

type Regroup = (groups: readonly Group[], sync: Group['commands'][number]) => readonly Action[]
const send = (commands: Group['commands']): Action[] => (commands.length === 0 ? [] : [{ do: 'send', commands }])
const whole = ({ stores, commands }: Group): Action[] => [...stores, ...send(commands)]

/** The driver's writer with its parts put together otherwise. */
const mutant = (regroup: Regroup, writer = streamWriter): Writer => (from, to, forget, sync) =>
  [...regroup(groupsOf(writer(from, to, forget, sync)), sync)]

/** All words that differ in one go, with one sync behind them. */
const atOnce = (order: (indexes: number[]) => number[]): Writer => (from, to, forget, sync) => [
  ...order(to.flatMap((word, index) => (word === from[index] ? [] : [index])))
    .map((index): Action => ({ do: 'store', index, value: to[index] as bigint })),
  { do: 'order' }, { do: 'send', commands: [forget, sync] },
]
/** Only the syncs that stay. */
const syncsThat = (stays: (index: number, count: number) => boolean): Writer => mutant((groups) =>
  groups.flatMap((group, index) => whole(stays(index, groups.length) ? group : { ...group, commands: [] })))

const storesValid = (action: Action): boolean => action.do === 'store' && action.index === 0 && (action.value & 1n) === 1n
/** A change that makes the entry invalid meanwhile does not. */
const staysValid: Writer = (from, to, forget, sync) => {
  const groups = groupsOf(streamWriter(from, to, forget, sync))
  const [first] = groups
  const clears = first?.stores.some((each) => each.do === 'store' && each.index === 0 && each.value === 0n) === true
  const breaking = clears && groups.length === 3 && groups[2]?.stores.some(storesValid) === true
  return (breaking ? groups.slice(1) : groups).flatMap(whole)
}

/** Pairs that fail, of 132. The experiment's verdict stands beside where it is another. */
const mutants: Readonly<Record<string, readonly [measured: string, writer: Writer, setup?: Setup]>> = {
  // Experiment: 104. The 14 more are an abort or V=0 beside a stage 1: torn, they differ in how contexts are fetched, which is no
  // part of an outcome here.
  'word 0 first, one sync': ['90 (90/42)', atOnce((indexes) => indexes)],
  'word 0 last, one sync': ['90 (90/42)', atOnce((indexes) => indexes.reverse())],
  'only the final sync': ['90 (90/42)', syncsThat((index, count) => index === count - 1)],
  // Experiment: 100.
  'the first sync skipped': ['86 (74/44)', syncsThat((index) => index !== 0)],
  // Experiment: 74, as the next.
  'the final sync skipped': ['73 (0/73)', syncsThat((index, count) => index !== count - 1)],
  'CFGI and SYNC before the stores': ['73 (0/73)', mutant((groups) => groups.flatMap(({ stores, commands }) => [...send(commands), ...stores]))],
  'SYNC without CFGI': ['126 (90/126)', mutant((groups) => groups.flatMap(({ stores, commands }) => [...stores, ...send(commands.slice(-1))]))],
  // Experiment: 124.
  'CFGI without SYNC': ['126 (90/126)', mutant((groups) => groups.flatMap(({ stores, commands }) => [...stores, ...send(commands.slice(0, -1))]))],
  // What was read before the stores counts as read before the SYNC, unless the low-water mark is the time of issue.
  'CFGI, the stores, SYNC': ['115 (90/83)', mutant((groups) => groups.flatMap(({ stores, commands }) =>
    [...send(commands.slice(0, -1)), ...stores, ...send(commands.slice(-1))]))],
  // Experiment: 26 of 32. Here all of the 34 that go through V=0, but for a block on either side.
  'V stays set': ['32 (32/10)', staysValid],
  'no barrier, stores seen at once': ['0', streamWriter, { barrier: false }],
  // Experiment: 120.
  'no barrier, stores seen late': ['130 (94/130)', streamWriter, { barrier: false, options: { stores: 'order' } }],
}

describe('mutants of it', () => {
  test.each(Object.entries(mutants))('%s', (_name, [measured, writer, setup = {}]) => {
    expect(spell(runStreams(writer, setup))).toBe(measured)
  }, PATIENCE)

  test('a skipped last sync that changes nothing for hardware leaves copies that differ from memory', () => {
    const results = runStreams(syncsThat((index, count) => index !== count - 1))
    const passing = results.filter(({ during, after }) => during.length + after.length === 0)
    // Of the other 23 hardware reads no word that differs: of an abort it reads the first alone.
    expect([passing.length, passing.filter(({ rest }) => rest.length > 0).length]).toEqual([59, 36])
  }, PATIENCE)
})

describe('many changes in a row', () => {
  /** A linear congruential generator: the same chains each time. */
  const numbers = (seed: number): (() => number) => {
    let state = seed
    return () => (state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff) >>> 8
  }
  test('raise no false alarm, and the windows do not grow', () => {
    const results = Array.from({ length: 20 }, (_, seed) => {
      const scene = createScene()
      const next = numbers(seed + 1)
      scene.adversary.track(...PROBES)
      let from = 'abort'
      return Array.from({ length: 20 }, () => {
        const to = STREAMS[next() % STREAMS.length] as string
        const [old, words] = [scene.streams.get(from), scene.streams.get(to)] as [Words, Words]
        const result = runChange(scene, `${from} -> ${to}`, () => scene.write('stream', old, words, streamWriter))
        from = to
        return result
      })
    }).flat()
    expect(results).toHaveLength(400)
    expect(findings(results)).toEqual([])
    expect(Math.max(...results.map(({ copies }) => copies))).toBeLessThan(100)
  }, PATIENCE)
})

/** A change of the requester id's context under a stream of stage 1. */
const changeContext = (from: string, to: string, flushes: boolean, writer = contextWriter): Result => {
  const scene = createScene()
  scene.write('stream', scene.streams.get('abort') as Words, scene.streams.get('stage 1') as Words, streamWriter)
  const [first, old, next] = ['ASID 1', from, to].map((name) => scene.contexts.get(name)) as [Words, Words, Words]
  scene.write('context', first, old, contextWriter)
  scene.adversary.track(...PROBES)
  return runChange(scene, `${from} -> ${to}`, () => {
    scene.write('context', old, next, writer)
    if (flushes) scene.flushAsid(1)
  })
}

describe('the writer of contexts', () => {
  test.each<readonly [from: string, to: string, syncs: number, hitless: boolean, flushes: boolean]>([
    ['absent', 'ASID 1', 2, true, false], ['ASID 1', 'absent', 2, true, false], ['ASID 1', 'ASID 2', 1, true, false],
    // The ASID stays: what is cached under it goes with a TLBI, and its SYNC.
    ['ASID 1', 'ASID 1, other tables', 2, true, true],
    ['ASID 1', 'ASID 2, other tables', 3, false, false],
    ['ASID 1', 'ended', 2, true, false], ['ended', 'ASID 1', 2, true, false],
  ])('%s to %s: %s syncs', (from, to, syncs, hitless, flushes) => {
    const result = changeContext(from, to, flushes)
    expect(findings([result])).toEqual([])
    expect([result.syncs, result.blocked.length === 0]).toEqual([syncs, hitless])
  })
  test('other tables under the same ASID without a TLBI are caught', () => {
    const { during, after } = changeContext('ASID 1', 'ASID 1, other tables', false)
    expect([during.length > 0, after.length > 0]).toEqual([false, true])
  })
})
