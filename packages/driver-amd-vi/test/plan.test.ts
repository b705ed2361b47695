// Plans of device table entries by literal words: whether GuestPagingMode is in use decides which half goes first.
import { expect, test } from 'vitest'
import { planEntry, planSlot } from '../src/programming/plan.js'
import type { PlanStep } from '../src/programming/plan.js'

const FORGET = [3n, 0n] as const
const flushes = { entry: [FORGET], behind: [] }
const spell = (steps: readonly PlanStep[]): string => steps.map((step) => (step.do === 'store' ? `q${step.index}` : step.do)).join(' ')

// V 0, TV 1, GV 55 of the entry; GuestPagingMode begins at bit 182, so word 2 has it at bit 54.
const [V, TV, GV] = [1n, 2n, 1n << 55n]
const USES = V | TV | GV
const FIVE = 1n << 54n
const UPPER_FIRST = 'order q2 order q0 invalidate'
const LOWER_FIRST = 'order q0 order q2 invalidate'
const ABORTED = 'q0 invalidate q2 order q0 invalidate'

test.each<[string, bigint, bigint, string]>([
  ['both use it', USES, USES | 0x1000n, ABORTED],
  ['the old one is not valid', TV | GV, USES, UPPER_FIRST],
  ['the old one translates nothing', V | GV, USES, UPPER_FIRST],
  ['the old one has no guest tables', V | TV, USES, UPPER_FIRST],
  ['the new one is not valid', USES, TV | GV, LOWER_FIRST],
  ['the new one translates nothing', USES, V | GV, LOWER_FIRST],
  ['the new one has no guest tables', USES, V | TV, LOWER_FIRST],
])('%s', (_what, from, to, steps) => {
  expect(spell(planEntry([from, 0n, 0n, 0n], [to, 0n, FIVE, 0n], flushes))).toBe(steps)
})

test('only halves that differ are stored, each by one store of 16 bytes', () => {
  expect(planEntry([V, 0n, 0n, 0n], [V, 0n, 0n, 5n], flushes)).toEqual([
    { do: 'order' }, { do: 'store', index: 2, values: [0n, 5n] }, { do: 'order' }, { do: 'invalidate', commands: [FORGET] },
  ])
  expect(planEntry([USES, 0n, 0n, 0n], [V, 0n, 0n, 5n], flushes).filter((step) => step.do === 'store')).toEqual([
    { do: 'store', index: 0, values: [V, 0n] }, { do: 'store', index: 2, values: [0n, 5n] },
  ])
  expect(planEntry([V, 0n, 0n, 0n], [V, 7n, 0n, 0n], flushes)).toEqual([
    { do: 'order' }, { do: 'store', index: 0, values: [V, 7n] }, { do: 'invalidate', commands: [FORGET] },
  ])
})

test('an empty flush is no submission', () => {
  const none = { entry: [], behind: [[], [FORGET], []] }
  expect(spell(planEntry([V, 0n, 0n, 0n], [V, 7n, 0n, 0n], none))).toBe('order q0 invalidate')
  expect(spell(planSlot([1n], [2n], none))).toBe('order q0 invalidate')
})
