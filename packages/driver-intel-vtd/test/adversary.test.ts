// The driver against hardware that may look after every step: every ordered pair of states, and mutants that each fail
// for the reason given (docs/adversary.md).
import { decode } from '@iommu/bits'
import type { Judgement } from '@iommu/hardware'
import { describe, expect, test } from 'vitest'
import { pairsOf } from '../../../tools/driver-tests/adversary.js'
import type { Pair } from '../../../tools/driver-tests/adversary.js'
import { rootEntry } from '../src/tables/index.js'
import { adversaryVariants } from '../src/variants/index.js'
import type { AdversaryVariant } from '../src/variants/index.js'
import { count, createScene, legacyStates, MAPPED, OWN_PASID, runPair, scalableStates, tableStates } from './adversary-scene.js'
import type { PairResult, Setup } from './adversary-scene.js'
import { read } from './scene.js'

// On a PASID, 10 states, 90 pairs: those of the experiment that the rules come from.
const scalable = pairsOf(scalableStates)
// Where walks do not snoop there are no processes: 8 states, 56 pairs.
const withoutProcesses = pairsOf(tableStates)
const legacy = pairsOf(legacyStates)
const LEGACY = { scalable: false, levels: [3, 4] } as const

/** Milliseconds that a busy machine may take for 180 pairs. */
const PATIENCE = 60_000

const run = (setup: Setup, pairs: readonly Pair[]): PairResult[] => pairs.map((pair) => runPair(setup, pair))
const spell = (results: readonly PairResult[]): string => {
  const { failed, during, after, free } = count(results)
  return failed === 0 ? '0' : `${failed} (${during}/${after}/${free})`
}

/** How many invalidations got which verdict. */
const tally = (results: readonly PairResult[], which: (each: Judgement) => boolean = () => true): Record<string, number> => {
  const verdicts: Record<string, number> = {}
  for (const each of results.flatMap(({ invalidations }) => invalidations).filter(which)) {
    const name = each.verdict === 'needed' && each.tooWide > 0 ? 'too wide' : each.verdict
    verdicts[name] = (verdicts[name] ?? 0) + 1
  }
  return verdicts
}

const correct: readonly (readonly [name: string, setup: Setup, pairs: readonly Pair[], verdicts: Record<string, number>, rest: number])[] = [
  // 81 pairs leave a present entry: its PASID cache, then its IOTLB.
  ['CM=0', {}, scalable, { needed: 162 }, 0],
  // The IOTLB flush after each set is demanded by the manual, and no pair can tell: 75 of the 81 arrivals, all but
  // those that find something stale under their own id.
  // At rest: a copy of the absent entry is kept, and the driver then clears words of it that no longer matter.
  ['CM=1', { profile: { cachingMode: true } }, scalable, { needed: 249, mandated: 75 }, 9],
  ['walker does not snoop', { profile: { coherent: false } }, withoutProcesses, { needed: 98 }, 0],
  ['walker does not snoop, CM=1', { profile: { coherent: false, cachingMode: true } }, withoutProcesses, { needed: 147, mandated: 49 }, 7],
  ['CPU with late stores', { options: { stores: 'order' } }, scalable, { needed: 162 }, 0],
  ['nothing ordered but by waits', { options: { queue: 'unordered' } }, scalable, { needed: 162 }, 0],
  ['device TLB', { ats: true, options: { queue: 'unordered' } }, scalable, { needed: 243 }, 0],
  ['legacy mode, CM=0', { profile: LEGACY }, legacy, { needed: 32 }, 0],
  ['legacy mode, CM=1', { profile: { ...LEGACY, cachingMode: true } }, legacy, { needed: 48, mandated: 16 }, 4],
  ['legacy mode, walker does not snoop', { profile: { ...LEGACY, coherent: false } }, legacy, { needed: 32 }, 0],
  ['legacy mode, device TLB', { profile: LEGACY, ats: true }, legacy, { needed: 44 }, 0],
]

describe('the driver is right at every step', () => {
  test.each(correct)('%s', (_name, setup, pairs, verdicts, rest) => {
    const results = run(setup, pairs)
    const findings = results.flatMap(({ name, during, after, free }) =>
      [...during, ...after, ...free].map(({ step, says }) => ({ name, step, says })))
    expect(findings).toEqual([])
    expect(tally(results)).toEqual(verdicts)
    expect(results.filter((each) => each.rest.length > 0).length).toBe(rest)
  }, PATIENCE)
})

/** Pairs that fail, of 90: in all, and (during/after/when given back). CM=0, then CM=1. */
const measured: Readonly<Record<string, readonly [plain: string, caching: string]>> = {
  // Experiment: 80. What passes is what ends in blocked without a second atom. Four more fail here: the two stages'
  // pairs that reuse an id at once, which this driver makes through blocked.
  'in-place-ascending': ['84 (84/47/46)', '84 (84/13/36)'],
  // Experiment: 73; the same four.
  'in-place-descending': ['77 (77/59/27)', '77 (77/13/23)'],
  // Experiment: 45 (45/0/0), the 5 states with first-stage tables times 9.
  'zeroed-at-once': ['45 (45/0/0)', '45 (45/0/0)'],
  // Experiment: 81 (45/81/81). CM=1: the flush after the set names the same id where one is reused or shared.
  'no-entry-cache': ['81 (43/81/81)', '77 (43/71/75)'],
  // Experiment: 81 (0/10/81). After: only where the tag is the same. Given back: not the six pairs between identity and
  // processes, whose id 1 stays in use. CM=1 hides all of the first, and those six with them.
  'no-iotlb': ['81 (0/10/75)', '75 (0/0/75)'],
  'iotlb-first': ['81 (0/10/75)', '75 (0/0/75)'],
  'iotlb-first-one-wait': ['81 (0/10/75)', '75 (0/0/75)'],
  // Experiment: 0 ordered, 81 unordered.
  'one-wait-ordered': ['0', '0'],
  'one-wait': ['81 (0/10/75)', '75 (0/0/75)'],
  // Experiment: 81. CM=1: from blocked too, since the flush after the set is not waited for either.
  'no-wait': ['81 (43/81/81)', '90 (43/90/81)'],
  // Experiment: 81 (81/81/0), 9 states to come to times 9. Given back: this driver leaves the words of the old entry in
  // place until it writes the new ones, so P brings the old id or the old root back; Linux clears them first.
  'present-before-pointer': ['81 (77/79/68)', '77 (77/75/62)'],
  // Experiment: 0 prompt, 45 late, the 5 first-stage states to come to times 9. Given back: as before.
  'no-barrier': ['0', '0'],
  'no-barrier-late': ['45 (43/45/12)', '43 (43/0/0)'],
  // Experiment: 81 (0/81/0) with CM=1; with CM=0 nothing is needed.
  'no-entry-cache-after-set': ['0', '81 (0/81/0)'],
  'no-iotlb-after-set': ['0', '0'],
}

const setupOf = ({ stores, queue, createDriver }: AdversaryVariant, cachingMode: boolean): Setup => ({
  profile: { cachingMode },
  options: { ...(stores === undefined ? {} : { stores }), ...(queue === undefined ? {} : { queue }) },
  createDriver,
})

describe('mutants', () => {
  test('each has its numbers', () => expect(Object.keys(measured)).toEqual(adversaryVariants.map(({ id }) => id)))
  test.each(adversaryVariants.map((variant) => [variant.id, variant] as const))('%s', (id, variant) => {
    const [plain, caching] = [false, true].map((cachingMode) => run(setupOf(variant, cachingMode), scalable)) as [PairResult[], PairResult[]]
    expect([spell(plain), spell(caching)]).toEqual(measured[id])
    const shown = variant.cachingMode === true ? caching : plain
    const found = (['during', 'after', 'free'] as const).filter((sentence) => shown.some((each) => each[sentence].length > 0))
    expect(found.sort()).toEqual([...variant.breaks].sort())
    const [first] = variant.breaks
    // The sentence that names the mistake catches every pair that any sentence does, but for some of the six between
    // identity and processes: they share an id that stays in use.
    if (first !== undefined) expect(count(shown).failed - count(shown)[first]).toBeLessThanOrEqual(6)
  }, PATIENCE)
})

describe('legacy context entries are one atom', () => {
  const change = (write: 'whole' | 'halves'): readonly string[] => {
    const scene = createScene({ profile: LEGACY, probes: [read(MAPPED)] })
    const { machine, adversary, device, driver } = scene
    const { memory } = machine
    const root = machine.hardware.state.rootTable
    const { CTP } = decode(rootEntry, [memory.load64(root), memory.load64(root + 8n)])
    const entry = CTP + 0x20n * 16n
    const next = scene.paging('second-stage-4')
    scene.attach(next, device)
    const [low, high] = [memory.load64(entry), memory.load64(entry + 8n)]
    scene.attach(driver.blockedDomain ?? next, device)
    scene.attach(driver.identityDomain ?? next, device)
    const { during } = adversary.watch(() => {
      if (write === 'whole') return memory.store128(entry, low, high)
      memory.store64(entry + 8n, high)
      memory.store64(entry, low)
    }, { hitless: true })
    return during.map(({ says }) => says)
  }
  test('one 16-byte store in place is hitless', () => expect(change('whole')).toEqual([]))
  test('two 8-byte stores are torn', () => expect(change('halves')).toEqual([
    '0x100000 domain 2 (stage pass-through, snoop no), and not 0x100000 domain 1 (stage pass-through, snoop no)'
    + ' or 0x800000 domain 2 (stage second, snoop no)',
  ]))
})

test('a transition costs few copies', () => {
  const copies = run({}, scalable).map((each) => each.copies)
  // The experiment: at most 58.
  expect(Math.max(...copies)).toBe(33)
  expect(Math.round(copies.reduce((sum, each) => sum + each, 0) / copies.length)).toBe(23)
}, PATIENCE)

test.each([false, true])('windows do not grow, and repetition accuses nobody: 200 transitions, caching mode %s', (cachingMode) => {
  const { adversary, attach, device, driver, paging } = createScene({ profile: { cachingMode } })
  const domains = [paging('first-stage-4'), paging('second-stage-4'), driver.identityDomain, driver.blockedDomain].filter((each) => each !== undefined)
  const costs = Array.from({ length: 200 }, (_, index) => {
    const before = adversary.cost.copies
    const { during, after } = adversary.watch(() => attach(domains[(index * 7 + (index >> 3)) % 4] as (typeof domains)[number], device, OWN_PASID))
    expect([during, after]).toEqual([[], []])
    return adversary.cost.copies - before
  })
  expect(Math.max(...costs.slice(100))).toBeLessThanOrEqual(Math.max(...costs.slice(0, 100)))
}, PATIENCE)
