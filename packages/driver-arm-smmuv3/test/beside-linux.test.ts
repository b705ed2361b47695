// The planner beside Linux's entry writer: the same changes, stores and syncs laid side by side.
import { describe, expect, test } from 'vitest'
import { planContext, planStream } from '../src/programming/plan.js'
import type { PlanStep } from '../src/programming/plan.js'
import { records, wordsOf } from './linux-transitions.js'
import type { Recorded } from './linux-transitions.js'

const spell = (steps: readonly PlanStep[]): string => steps.flatMap((step) =>
  (step.do === 'store' ? [`${step.index}=${step.value.toString(16)}`] : step.do === 'invalidate' ? ['sync'] : [])).join(' ')

const planned = ([, kind, from, to]: Recorded): PlanStep[] => (kind === 'ste' ? planStream : planContext)(wordsOf(from), wordsOf(to), [])

const valid = (kind: 'ste' | 'cd', words: readonly bigint[]): boolean => ((words[0] as bigint) >> (kind === 'ste' ? 0n : 31n) & 1n) === 1n

/** Whether a valid entry is invalid at some sync between two valid ones. */
const clears = (record: Recorded): boolean => {
  const [, kind, from, to] = record
  const now = wordsOf(from)
  let cleared = false
  for (const step of planned(record)) {
    if (step.do === 'store') now[step.index] = step.value
    if (step.do === 'invalidate') cleared ||= !valid(kind, now)
  }
  return cleared && valid(kind, wordsOf(from)) && valid(kind, wordsOf(to))
}

describe('the same changes as Linux 7.3.4', () => {
  test('the records are all there', () => expect(records.length).toBe(1113))
  test('every store and every sync is the same, in the same order', () => {
    const different = records.filter((record) => spell(planned(record)) !== record[5]).map((record) => [record[6], record[5], spell(planned(record))])
    expect(different).toEqual([])
  })
  test('a valid entry is made invalid on the way where Linux does it, and nowhere else', () => {
    expect(records.filter((record) => clears(record) !== (record[4] === 1)).map(([, , , , , , what]) => what)).toEqual([])
  })
  test('a plan ends in the words that were asked for, with everything settled before it is made known', () => {
    for (const record of records) {
      const now = wordsOf(record[2])
      let open = false
      for (const step of planned(record)) {
        if (step.do === 'store') [open, now[step.index]] = [true, step.value]
        if (step.do === 'write-back') open = false
        if (step.do === 'invalidate') expect(open).toBe(false)
      }
      expect(now).toEqual(wordsOf(record[3]))
    }
  })
})
