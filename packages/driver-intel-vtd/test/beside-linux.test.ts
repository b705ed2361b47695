// The planner beside Linux's: the same changes of PASID entries, words and steps laid side by side.
import { describe, expect, test } from 'vitest'
import { decode, diff, encode } from '@iommu/bits'
import { exchanged, uses } from '../../../tools/driver-tests/beside-linux.js'
import type { Beside, StepRule } from '../../../tools/driver-tests/beside-linux.js'
import { fixture } from '../../../tools/driver-tests/layouts.js'
import { hex } from '../../../tools/driver-tests/spell.js'
import { absent } from '../src/devices/state.js'
import type { PointState } from '../src/devices/state.js'
import { identityState, pagingState } from '../src/domains/words.js'
import { capabilityWords, defaultProfile } from '../src/model/index.js'
import { flushPasid } from '../src/programming/invalidate.js'
import { planEntry } from '../src/programming/plan.js'
import { pasidEntry, readCapabilities } from '../src/tables/index.js'
import type { Capabilities } from '../src/tables/index.js'
import { notBuilt, REPLACED_AT_ONCE, stepRules, wordRules } from './beside-linux-rules.js'
import type { Change, Step } from './beside-linux-rules.js'

type RecordedStep =
  | 'wmb' | 'flush-cache-line' | 'flush-write-buffer'
  | { readonly store: { readonly index: number; readonly value: string } }
  | { readonly invalidate: string; readonly descriptor: readonly string[] }

interface Recorded {
  readonly id: number
  readonly op: string
  readonly pasid: number
  readonly hw: { readonly coherent: boolean; readonly cachingMode: boolean; readonly rwbf: boolean; readonly ats: boolean }
  readonly from: readonly string[]
  readonly to: readonly string[]
  readonly rc: number
  readonly steps: readonly RecordedStep[]
}

const records = fixture<readonly Recorded[]>(import.meta.url, 'linux-transitions')

/** 3b:01.0, with ATS and a queue depth of 16. */
const device = { source: 0x3b08, queueDepth: 16 }

/** Linux had chosen 4 levels for its unit, and the unit's page-table walks snoop in all records. */
const unitOf = ({ cachingMode, rwbf, coherent }: Recorded['hw']): Capabilities => {
  const { cap, ecap } = capabilityWords({ ...defaultProfile, levels: [3, 4], cachingMode, writeBufferFlush: rwbf })
  return { ...readCapabilities(cap, ecap), coherent }
}

/** What an operation sets up; roots are read from the words. */
interface Target {
  readonly stage: 'first' | 'second' | 'pass-through'
  readonly levels: number
  readonly domainId: number
  readonly forceSnoop?: boolean
  readonly domainSnooped?: false
}

const FIRST: Target = { stage: 'first', levels: 4, domainId: 5 }
const SECOND: Target = { stage: 'second', levels: 4, domainId: 5 }
const setUps: Readonly<Record<string, Target>> = {
  'set up first-level did 5': FIRST,
  'set up first-level 5-level page-snoop did 33': { stage: 'first', levels: 5, domainId: 33, forceSnoop: true },
  'set up second-level did 5': SECOND,
  'set up second-level incoherent did 9': { stage: 'second', levels: 5, domainId: 9, domainSnooped: false },
  'set up pass-through': { stage: 'pass-through', levels: 4, domainId: 1 },
}
const TEAR_DOWN = 'tear down with faults ignored first-level did 5'
const REFUSED = 'set up second level over a present entry (refused)'

const bigints = (words: readonly string[]): bigint[] => words.map(BigInt)
const BLOCKED = absent(8)

const stateOf = (capabilities: Capabilities, target: Target, words: readonly bigint[]): PointState => {
  const facts = { scalable: true, capabilities, ats: false }
  const { FSPTPTR, SSPTPTR } = decode(pasidEntry, words)
  const { stage, levels, domainId, forceSnoop = false } = target
  return stage === 'pass-through' ? identityState(facts)
    : pagingState(facts, { stage, levels, domainId, forceSnoop, root: stage === 'first' ? FSPTPTR : SSPTPTR })
}

const changeOf = ({ pasid, from, hw }: Recorded, target: Target | undefined): Change =>
  ({ pasid, from: bigints(from), next: target, cachingMode: hw.cachingMode, domainSnooped: target?.domainSnooped ?? true })

/** Our words for what a record sets up. Fields that a rule lets differ are then taken over, so that steps can be compared. */
const wordsBeside = (record: Recorded, target: Target): { state: PointState; rules: string[]; unexplained: string[] } => {
  const theirs = bigints(record.to)
  const state = stateOf(unitOf(record.hw), target, theirs)
  const change = changeOf(record, target)
  const rules: string[] = []
  const unexplained: string[] = []
  const taken: Record<string, number | bigint> = {}
  for (const { name, before } of diff(pasidEntry, theirs, state.words)) {
    const rule = wordRules.find(({ field, holds }) => field === name && holds(change))
    if (rule === undefined) unexplained.push(name)
    else rules.push(rule.id)
    taken[name] = before
  }
  const words = rules.length === 0 ? state.words : encode(pasidEntry, { ...decode(pasidEntry, state.words), ...taken })
  return { state: { ...state, words }, rules, unexplained }
}

const readStep = (step: RecordedStep): Step => {
  if (step === 'wmb') return { do: 'order' }
  if (step === 'flush-cache-line') return { do: 'write-back' }
  if (step === 'flush-write-buffer') return { do: 'flush-write-buffer' }
  if ('store' in step) return { do: 'store', index: step.store.index, value: BigInt(step.store.value) }
  return { do: 'invalidate', words: bigints(step.descriptor) }
}

const planned = ({ hw, pasid }: Recorded, from: PointState, to: PointState): Step[] => {
  const facts = { pasid, old: from.tag, next: to.tag, deviceTlbs: hw.ats ? [device] : [] }
  return planEntry(from.words, to.words, flushPasid(facts, unitOf(hw)))
    .filter((step) => step.do !== 'write-back' || !hw.coherent)
    .map((step): Step => (step.do === 'invalidate' ? { do: 'invalidate', words: step.descriptors.flat() } : step))
}

/** Without stores that change nothing: repeated ones, and zeros into words that are known to be zero. */
const plain = (steps: readonly Step[], { from }: Change): readonly Step[] => {
  const now = [...from]
  return steps.filter((step) => {
    if (step.do !== 'store') return true
    const changes = now[step.index] !== step.value
    now[step.index] = step.value
    return changes
  })
}

const spell = (step: Step): string => {
  switch (step.do) {
    case 'store': return `q${step.index} ${hex(step.value)}`
    case 'invalidate': return hex(...step.words)
    default: return step.do
  }
}

const rewritten = (steps: readonly Step[], change: Change, rules: readonly StepRule<Change, Step>[]): string[] =>
  plain(rules.reduce((now, rule) => rule.rewrite(now, change), steps), change).map(spell)

/** Rules are named that are needed: without any one of them the steps are not the same. */
const stepsBeside = (id: number, theirs: readonly Step[], ours: readonly Step[], change: Change): Beside => {
  const agree = (rules: readonly StepRule<Change, Step>[]): boolean =>
    rewritten(plain(theirs, change), change, rules).join() === rewritten(plain(ours, change), change, rules).join()
  const needed = stepRules.filter((rule) => !agree(stepRules.filter((each) => each !== rule)))
  return {
    id,
    rules: agree([]) ? [] : needed.map((rule) => rule.id),
    seen: !agree([]) && needed.some((rule) => rule.seen),
    unexplained: agree(stepRules) && agree(needed) ? []
      : [rewritten(plain(theirs, change), change, stepRules), rewritten(plain(ours, change), change, stepRules)],
  }
}

const sibling = (record: Recorded, op: string): Recorded => records.find((each) =>
  each.op === op && each.pasid === record.pasid && JSON.stringify(each.hw) === JSON.stringify(record.hw)) as Recorded

const besideOf = (record: Recorded): Beside => {
  const { id, op, steps } = record
  const theirs = steps.map(readStep)
  const capabilities = unitOf(record.hw)
  if (op === TEAR_DOWN) {
    const from = stateOf(capabilities, FIRST, bigints(record.from))
    return stepsBeside(id, theirs, planned(record, from, BLOCKED), changeOf(record, undefined))
  }
  if (op !== REFUSED) {
    const target = setUps[op] as Target
    return stepsBeside(id, theirs, planned(record, BLOCKED, wordsBeside(record, target).state), changeOf(record, target))
  }
  // Linux's callers do this: the tear-down as far as its last flush, then the set-up.
  const down = sibling(record, TEAR_DOWN).steps.map(readStep)
  const up = sibling(record, 'set up second-level did 5')
  const both = [...down.slice(0, down.findLastIndex((step) => step.do === 'invalidate') + 1), ...up.steps.map(readStep)]
  const ours = planned(record, stateOf(capabilities, FIRST, bigints(record.from)), wordsBeside(up, SECOND).state)
  const found = stepsBeside(id, both, ours, changeOf(record, SECOND))
  return { ...found, rules: [REPLACED_AT_ONCE, ...found.rules], seen: true }
}

const compared = records.filter(({ op }) => notBuilt[op] === undefined)
const results = compared.map(besideOf)

describe('the records', () => {
  test('each is compared, or of a kind that is not built', () => {
    const counts = uses(records.map(({ op }) => [op]))
    const known = [...Object.keys(setUps), TEAR_DOWN, REFUSED, ...Object.keys(notBuilt)]
    expect(Object.keys(counts).sort()).toEqual(known.sort())
    for (const [op, { records: count }] of Object.entries(notBuilt)) expect([op, counts[op]]).toEqual([op, count])
    expect([records.length, compared.length]).toEqual([144, 84])
  })
})

describe('words', () => {
  const setUp = compared.filter(({ op }) => setUps[op] !== undefined)
  const words = setUp.map((record) => ({ id: record.id, op: record.op, ...wordsBeside(record, setUps[record.op] as Target) }))

  test('are the same, or a rule says why not', () => {
    expect(words.filter(({ unexplained }) => unexplained.length > 0).map(({ id, unexplained }) => [id, unexplained])).toEqual([])
    expect([words.length, words.filter(({ rules }) => rules.length === 0).length]).toEqual([60, 48])
    const counts = uses(words.map(({ rules }) => rules))
    expect(counts).toEqual({ 'domain-does-not-snoop': 12 })
    expect(Object.keys(counts)).toEqual(wordRules.map(({ id }) => id))
  })

  test('of what is there already, and of what is left after a tear-down, are the same', () => {
    for (const record of compared.filter(({ op }) => op === TEAR_DOWN || op === REFUSED)) {
      expect(stateOf(unitOf(record.hw), FIRST, bigints(record.from)).words).toEqual(bigints(record.from))
      if (record.op === TEAR_DOWN) expect(bigints(record.to)).toEqual(BLOCKED.words)
    }
  })
})

describe('steps', () => {
  test('are the same, or rules say why not', () => {
    expect(results.filter(({ unexplained }) => unexplained.length > 0)).toEqual([])
    const count = (of: (result: Beside) => boolean): number => results.filter(of).length
    expect({
      compared: results.length,
      equal: count(({ rules }) => rules.length === 0),
      storesOfAnAbsentEntryOnly: count(({ rules, seen }) => rules.length > 0 && !seen),
      seenByHardware: count(({ seen }) => seen),
    }).toEqual({ compared: 84, equal: 0, storesOfAnAbsentEntryOnly: 58, seenByHardware: 26 })
  })

  test('every rule is needed somewhere', () => {
    const counts = uses(results.map(({ rules }) => rules))
    expect(Object.keys(counts).sort()).toEqual([REPLACED_AT_ONCE, ...stepRules.map(({ id }) => id)].sort())
    expect(counts).toEqual({
      'field-by-field': 72, 'word-0-twice': 72, 'any-order-while-absent': 36,
      'second-stage-by-domain': 12, 'no-physical-function': 12, 'replaced-at-once': 12,
    })
  })

  test('ours end in the words that were planned, and hardware is never shown a mixture', () => {
    for (const record of compared) {
      const target = record.op === TEAR_DOWN ? undefined : setUps[record.op] ?? SECOND
      const capabilities = unitOf(record.hw)
      const from = record.op === TEAR_DOWN || record.op === REFUSED ? stateOf(capabilities, FIRST, bigints(record.from)) : BLOCKED
      const to = target === undefined ? BLOCKED : stateOf(capabilities, target, bigints(record.to))
      const now = [...from.words]
      for (const step of planned(record, from, to)) {
        if (step.do !== 'store') continue
        if (step.index > 0) expect((now[0] as bigint) & 1n).toBe(0n)
        now[step.index] = step.value
      }
      expect(now).toEqual(to.words)
    }
  })
})

describe('the comparison can fail', () => {
  const tearDown = compared.find(({ op, hw }) => op === TEAR_DOWN && hw.ats && !hw.coherent) as Recorded
  const setUp = compared.find(({ op, hw }) => op === 'set up first-level did 5' && hw.cachingMode && !hw.coherent) as Recorded
  const of = (record: Recorded): { theirs: Step[]; ours: Step[]; change: Change } => {
    const target = record.op === TEAR_DOWN ? undefined : FIRST
    const state = stateOf(unitOf(record.hw), FIRST, bigints(target === undefined ? record.from : record.to))
    const ours = target === undefined ? planned(record, state, BLOCKED) : planned(record, BLOCKED, state)
    return { theirs: record.steps.map(readStep), ours, change: changeOf(record, target) }
  }

  test.each([['a tear-down', tearDown], ['a set-up', setUp]])('%s without any one step of ours', (_what, record) => {
    const { theirs, ours, change } = of(record)
    const kept = ours.map((_step, index) => stepsBeside(0, theirs, ours.filter((_each, at) => at !== index), change))
    expect(kept.filter(({ unexplained }) => unexplained.length === 0)).toEqual([])
  })

  test.each([['a tear-down', tearDown], ['a set-up', setUp]])('%s with two neighbouring steps exchanged, unless both fill an absent entry', (_what, record) => {
    const { theirs, ours, change } = of(record)
    for (let index = 0; index + 1 < ours.length; index++) {
      const harmless = ours[index]?.do === 'store' && ours[index + 1]?.do === 'store'
      expect([index, stepsBeside(0, theirs, exchanged(ours, index), change).unexplained.length === 0]).toEqual([index, harmless])
    }
  })

  test('a descriptor of another domain or PASID', () => {
    const { theirs, ours, change } = of(tearDown)
    const flushes = ours.flatMap((step, index) => (step.do === 'invalidate' ? [{ step, index }] : []))
    expect(flushes).toHaveLength(3)
    for (const { step, index } of flushes) {
      const wrong: Step = { ...step, words: [(step.words[0] as bigint) ^ 0x1_0000n, ...step.words.slice(1)] }
      expect(stepsBeside(0, theirs, ours.with(index, wrong), change).unexplained).toHaveLength(2)
    }
  })
})
