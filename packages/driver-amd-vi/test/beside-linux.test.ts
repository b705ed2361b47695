// The planner beside Linux's: the same changes of device table entries, words and steps laid side by side.
import { describe, expect, test } from 'vitest'
import { decode, encode } from '@iommu/bits'
import { exchanged, uses } from '../../../tools/driver-tests/beside-linux.js'
import type { Beside } from '../../../tools/driver-tests/beside-linux.js'
import { fixture } from '../../../tools/driver-tests/layouts.js'
import { hex } from '../../../tools/driver-tests/spell.js'
import { entryTag, entryWords } from '../src/domains/words.js'
import type { Gcr3Facts, PointState, WordFacts } from '../src/domains/words.js'
import { flushEntry } from '../src/programming/invalidate.js'
import type { Command } from '../src/programming/plan.js'
import { planEntry } from '../src/programming/plan.js'
import { deviceTableEntry } from '../src/tables/index.js'
import type { GuestLevels, HostLevels } from '../src/tables/index.js'
import { notBuilt, stepRules, wordRules } from './beside-linux-rules.js'
import type { Change, Step } from './beside-linux-rules.js'

type RecordedStep =
  | 'completion-wait'
  | { readonly store128: { readonly index: number; readonly values: readonly string[] } }
  | { readonly invalidate: string; readonly command: readonly string[] }

interface Recorded {
  readonly id: number
  readonly op: string
  readonly ats: boolean
  readonly from: readonly string[]
  readonly to: readonly string[]
  readonly steps: readonly RecordedStep[]
  readonly fromState: string
  readonly toState: string
}

const records = fixture<readonly Recorded[]>(import.meta.url, 'linux-transitions')
const bigints = (words: readonly string[]): bigint[] => words.map(BigInt)
const SOURCE = 0x2a

/** What a record sets up, from the name of the state; ids, roots and depths are read from the words. */
const targetOf = ({ toState, to, ats }: Recorded): { readonly state: PointState; readonly facts: WordFacts } => {
  const e = decode(deviceTableEntry, bigints(to))
  const gcr3 = (pasids: boolean): Gcr3Facts => ({
    root: e.GCR3TRP, levels: (e.GLX + 1) as 1 | 2 | 3, domainId: e.DomainID, pasids, guestIo: true, pasidLevels: 4,
  })
  if (toState === 'blocked') return { state: { kind: 'blocked' }, facts: { ats, gcr3: undefined } }
  if (toState.startsWith('pass-through')) return { state: { kind: 'identity' }, facts: { ats, gcr3: undefined } }
  if (toState.startsWith('gcr3 in identity')) return { state: { kind: 'identity' }, facts: { ats, gcr3: gcr3(true) } }
  if (toState.startsWith('v1')) {
    return { state: { kind: 'host', levels: e.Mode as HostLevels, root: e.HostPTRoot, domainId: e.DomainID }, facts: { ats, gcr3: undefined } }
  }
  const levels = (toState.startsWith('v2 5') ? 5 : 4) as GuestLevels
  return { state: { kind: 'guest', levels, root: 0x1000n }, facts: { ats, gcr3: gcr3(false) } }
}

const isBuilt = ({ op, toState }: Recorded): boolean => notBuilt[op] === undefined && notBuilt[toState] === undefined
const compared = records.filter(isBuilt)
const changeOf = ({ op, from, to }: Recorded): Change => ({ op, from: bigints(from), to: bigints(to) })

const theirsOf = ({ steps }: Recorded): Step[] => {
  const out: Step[] = []
  let commands: Command[] = []
  for (const step of steps) {
    if (step === 'completion-wait') {
      out.push({ do: 'invalidate', commands })
      commands = []
    } else if ('store128' in step) {
      out.push({ do: 'store', index: step.store128.index, values: bigints(step.store128.values) })
    } else {
      const [a, b, c, d] = bigints(step.command) as [bigint, bigint, bigint, bigint]
      commands.push([a | (b << 32n), c | (d << 32n)])
    }
  }
  return out
}

/** The driver's plan of a record. What a word rule lets differ is taken over from Linux's words, so that steps can be compared. */
const oursOf = (record: Recorded): Step[] => {
  const { from, to } = changeOf(record)
  const deviceTlbs = record.ats ? [{ source: SOURCE, queueDepth: 0 }] : []
  return planEntry(from, to, flushEntry({ source: SOURCE, old: entryTag(from), deviceTlbs, pasids: [] }))
    .filter((step) => step.do !== 'order')
}

const spell = (steps: readonly Step[]): string[] => steps.map((step) =>
  JSON.stringify(step, (_, value: unknown) => (typeof value === 'bigint' ? hex(value) : value)))

const beside = (record: Recorded, ours: readonly Step[]): Beside => {
  const change = changeOf(record)
  let theirs: readonly Step[] = theirsOf(record)
  const used = stepRules.filter((rule) => {
    const next = rule.rewrite(theirs, change)
    const applies = spell(next).join() !== spell(theirs).join()
    theirs = next
    return applies
  })
  const equal = spell(theirs).join() === spell(ours).join()
  return {
    id: record.id, rules: used.map(({ id }) => id), seen: used.some(({ seen }) => seen),
    unexplained: equal ? [] : [spell(theirs).join(' '), spell(ours).join(' ')],
  }
}

test('each record is compared, or of a kind that is not built', () => {
  const countOf = (kind: string): number => records.filter(({ op, toState }) => (notBuilt[op] === undefined ? toState : op) === kind).length
  for (const [kind, { records: count }] of Object.entries(notBuilt)) expect([kind, countOf(kind)]).toEqual([kind, count])
  expect([records.length, compared.length]).toEqual([151, 151 - Object.values(notBuilt).reduce((sum, each) => sum + each.records, 0)])
})

describe('words', () => {
  const words = compared.map((record) => {
    const { state, facts } = targetOf(record)
    const change = changeOf(record)
    const ours = decode(deviceTableEntry, entryWords(state, facts, change.from))
    const theirs = decode(deviceTableEntry, change.to)
    const rules = wordRules.filter((rule) => rule.holds(change) && ours[rule.field] !== theirs[rule.field])
    const taken = Object.fromEntries(rules.map(({ field }) => [field, theirs[field]]))
    const result = encode(deviceTableEntry, taken, entryWords(state, facts, change.from))
    return { id: record.id, rules: rules.map(({ id }) => id), equal: result.every((word, index) => word === change.to[index]) }
  })
  test('are the same, or a rule says why not', () => {
    expect(words.filter(({ equal }) => !equal)).toEqual([])
    const counts = uses(words.map(({ rules }) => rules))
    expect(Object.keys(counts).sort()).toEqual(wordRules.map(({ id }) => id).sort())
    expect([counts, words.filter(({ rules }) => rules.length === 0).length, words.length]).toEqual([
      { 'identity-domain': 23, 'no-page-requests': 10, 'firmware-from-the-beginning': 3 }, 77, 113,
    ])
  })
})

describe('steps', () => {
  const results = compared.map((record) => beside(record, oursOf(record)))
  test('are the same, or rules say why not', () => {
    expect(results.filter(({ unexplained }) => unexplained.length > 0)).toEqual([])
  })
  test('every rule is needed somewhere', () => {
    const counts = uses(results.map(({ rules }) => rules))
    expect(Object.keys(counts).sort()).toEqual(stepRules.map(({ id }) => id).sort())
    expect(counts).toEqual({
      'aborts-in-between': 12, 'blocked-forgets-pages': 6, 'device-tlb-last': 26, 'equal-stores': 83, 'invalidated-once': 109,
      'slot-forgets-pages': 32,
    })
  })
  test('ours end in the words that were planned, a half at a time, and V is never 0 where it was 1', () => {
    for (const record of compared) {
      const { from, to } = changeOf(record)
      const now = [...from]
      for (const step of oursOf(record)) {
        if (step.do !== 'store') continue
        step.values.forEach((value, index) => { now[step.index + index] = value })
        if (((from[0] as bigint) & 1n) === 1n) expect((now[0] as bigint) & 1n).toBe(1n)
      }
      expect(now).toEqual(to)
    }
  })
})

describe('the comparison can fail', () => {
  const chosen = compared.filter(({ fromState, toState, ats }) =>
    (fromState === 'v1 domain 7' && toState === 'v2 4-level gcr3 B ats' && ats)
    || (fromState === 'v2 4-level gcr3 B ats' && toState === 'v2 5-level gcr3 A'))
  test.each(chosen.map((record) => [`${record.fromState} -> ${record.toState} #${record.id}`, record] as const))('%s', (_name, record) => {
    const ours = oursOf(record)
    expect(beside(record, ours).unexplained).toEqual([])
    ours.forEach((_step, at) => {
      expect([at, 'left out', beside(record, ours.filter((_each, index) => index !== at)).unexplained.length]).toEqual([at, 'left out', 2])
      if (at + 1 === ours.length) return
      expect([at, 'exchanged', beside(record, exchanged(ours, at)).unexplained.length]).toEqual([at, 'exchanged', 2])
    })
  })
})
