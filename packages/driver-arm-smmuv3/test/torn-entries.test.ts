// Every recorded change of an entry, with hardware that may read each of its words at any moment since the last sync: what
// it can piece together is the entry before, the one after, or one that blocks; and blocked only where Linux blocks.
import type { Format } from '@iommu/page-table'
import { describe, expect, test } from 'vitest'
import { createFormats, defaultProfile, fetchContext, fetchStream, identificationWords, Stopped } from '../src/model/index.js'
import type { Reader, StreamCopy } from '../src/model/index.js'
import { planContext, planStream } from '../src/programming/plan.js'
import type { PlanStep } from '../src/programming/plan.js'
import { readCapabilities } from '../src/tables/index.js'
import { records, wordsOf } from './linux-transitions.js'
import type { Recorded } from './linux-transitions.js'

const capabilities = readCapabilities(identificationWords({ ...defaultProfile, outputBits: 48, stalls: 'optional', abortOnly: false }))
const formats = createFormats()
const STREAM: Extract<StreamCopy, { kind: 'stage 1' }> = {
  kind: 'stage 1', contexts: 0n, leafBits: 0, max: 0, substream: 'first', stallsDisabled: false, vmid: 0, tag: '', ats: false, shareability: 1,
}

const known = new Map<string, string>()
const meaning = (kind: 'ste' | 'cd', words: readonly bigint[]): string => {
  const key = `${kind} ${words.join()}`
  let said = known.get(key)
  if (said === undefined) known.set(key, (said = read(kind, words)))
  return said
}

/** What hardware makes of an entry: a line that is equal for equal entries, whether ATS is on aside. */
const read = (kind: 'ste' | 'cd', words: readonly bigint[]): string => {
  const view = { has: () => true, load64: (address: bigint) => words[Number(address) / 8] as bigint, loadPair: () => undefined, low: 0, high: 0 }
  const reader: Reader = { view, capabilities, formats }
  try {
    const copy = kind === 'ste' ? fetchStream(reader, 0n) : fetchContext(reader, STREAM, 0n, 0)
    if ('kind' in copy && copy.kind === 'abort') return 'blocked'
    return JSON.stringify({ ...copy, ats: undefined }, (name, value: unknown) => {
      if (typeof value === 'bigint') return value.toString(16)
      return name === 'format' ? [(value as Format).name, (value as Format).inputBits, (value as Format).levels] : value
    })
  } catch (error) {
    if (error instanceof Stopped) return 'blocked'
    throw error
  }
}

const product = (sets: readonly (readonly bigint[])[]): bigint[][] =>
  sets.reduce<bigint[][]>((all, set) => all.flatMap((head) => set.map((word) => [...head, word])), [[]])

/** Everything that hardware may make of an entry while the steps are carried out. */
const seen = (kind: 'ste' | 'cd', from: readonly bigint[], steps: readonly PlanStep[]): Set<string> => {
  const now = [...from]
  /** Values of each word since the last completed sync. */
  let window = now.map((word) => [word])
  const meanings = new Set<string>()
  for (const step of steps) {
    if (step.do === 'store') {
      now[step.index] = step.value
      window[step.index]?.push(step.value)
      for (const words of product(window)) meanings.add(meaning(kind, words))
    }
    if (step.do === 'invalidate') window = now.map((word) => [word])
  }
  return meanings
}

/** What a plan can be caught at. */
const wrong = ([, kind, from, to, cleared]: Recorded, plan: typeof planStream): string[] => {
  const [before, after] = [wordsOf(from), wordsOf(to)]
  const allowed = new Set([meaning(kind, before), meaning(kind, after), ...(cleared === 1 ? ['blocked'] : [])])
  return [...seen(kind, before, plan(before, after, []))].filter((each) => !allowed.has(each))
}

const plannerOf = ([, kind]: Recorded): typeof planStream => (kind === 'ste' ? planStream : planContext)

describe('an entry that is read half way', () => {
  test('is never anything but before, after, or blocked where Linux blocks', () => {
    expect(records.filter((record) => wrong(record, plannerOf(record)).length > 0).map((record) => record[6])).toEqual([])
  })
  test('the states are told apart: most changes change what hardware does', () => {
    const changes = records.filter(([, kind, from, to]) => meaning(kind, wordsOf(from)) !== meaning(kind, wordsOf(to)))
    expect(changes.length).toBeGreaterThan(records.length / 2)
  })
  // Each plan is broken in one way; the number of records that notice is what was measured, and must not become 0.
  test.each([
    ['stored lowest word first, with one sync', (steps: readonly PlanStep[]) => steps.filter((step) => step.do !== 'invalidate')],
    ['without its first sync', (steps: readonly PlanStep[]) => {
      const first = steps.findIndex((step) => step.do === 'invalidate')
      return steps.filter((_, index) => index !== first)
    }],
    ['with its words in reverse', (steps: readonly PlanStep[]) => [...steps].filter((step) => step.do === 'store').reverse()],
  ])('a plan %s is caught', (_what, change) => {
    const some = records.filter(([id]) => id % 2 === 0)
    const caught = some.filter((record) => wrong(record, (from, to, sync) => change(plannerOf(record)(from, to, sync))).length > 0)
    expect(caught.length).toBeGreaterThan(some.length / 10)
  })
})
