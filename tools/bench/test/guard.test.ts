// The guard and the page: what fails, what is measured again, and what is replaced.
import { describe, expect, test } from 'vitest'
import { baselineOf, guard } from '../guard.js'
import { rewritten } from '../page.js'

const rows = [{ subject: 'walk', name: 'random' }, { subject: 'IOTLB', name: 'hit' }]
const baseline = { 'walk: random': 2, 'IOTLB: hit': 3 }
type Row = (typeof rows)[number]

/** Measures each row as so many ratios say, turn by turn. */
const measuring = (turns: readonly Readonly<Record<string, number>>[]): ((asked: readonly Row[]) => object[]) => {
  let turn = 0
  return (asked) => {
    const ratios = turns[turn++] ?? {}
    return asked.map((row) => ({ ...row, ratio: { least: ratios[row.subject], median: (ratios[row.subject] ?? 0) + 1 } }))
  }
}

describe('the guard', () => {
  test('is content with what is at most half as slow again', () => {
    const { failed, lines } = guard(rows, measuring([{ walk: 3, IOTLB: 1 }]), baseline)
    expect(failed).toBe(false)
    expect(lines).toHaveLength(2)
  })

  test('measures what is slower again, and only that', () => {
    const { failed, lines } = guard(rows, measuring([{ walk: 3.1, IOTLB: 1 }, { walk: 3.1 }, { walk: 2.9 }]), baseline)
    expect(failed).toBe(false)
    expect(lines.filter((line) => line.includes('IOTLB'))).toHaveLength(1)
    expect(lines.filter((line) => line.startsWith('SLOWER  walk: random'))).toHaveLength(2)
  })

  test('fails where a row stays slower, is not in the baseline, or is in it alone', () => {
    const slow = { walk: 3.1, IOTLB: 1 }
    expect(guard(rows, measuring([slow, slow, slow]), baseline).failed).toBe(true)
    expect(guard(rows, measuring([{ walk: 1 }]), { 'walk: random': 2 }).failed).toBe(true)
    expect(guard(rows.slice(1), measuring([{ IOTLB: 1 }]), baseline).failed).toBe(true)
  })

  test('keeps medians as its baseline', () => {
    expect(baselineOf(measuring([{ walk: 1.2345, IOTLB: 2 }])(rows))).toEqual({ 'walk: random': 2.23, 'IOTLB: hit': 3 })
  })
})

test('a page has its sections replaced, and no others', () => {
  const page = 'before\n<!-- bench: goals -->\nold\n<!-- end -->\nafter\n'
  expect(rewritten(page, { goals: 'new' })).toBe('before\n<!-- bench: goals -->\n\nnew\n\n<!-- end -->\nafter\n')
  expect(() => rewritten(page, { drivers: 'new' })).toThrow('no place for "drivers"')
})
