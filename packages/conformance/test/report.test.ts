// Reports: counting, merging, and the three ways to print them.
import { describe, expect, test } from 'vitest'
import { mergeReports, renderJunit, renderMutants, renderTap, renderText, tally } from '../src/index.js'
import type { Report, Result } from '../src/index.js'

const result = (statement: string, status: Result['status'], reason?: string, backend = 'one'): Result => ({
  driver: 'driver-x', backend, profile: 'strict', machine: 'model', statement, title: `says ${statement}`, status,
  ...(reason === undefined ? {} : { reason }),
})
const adversary = { changes: 3, copies: 50, looks: 20, invalidations: { needed: 4, tooWide: 1, needless: 2, mandated: 0 }, atRest: 1 }
const walks = { walks: 5, commands: 100, seeds: [1] }
const reportOf = (...results: Result[]): Report => ({
  totals: { ...tally(results), stores: 10, transitions: 2, failuresInjected: 1, adversary, walks },
  results,
  kinds: [{ driver: 'driver-x', backend: results[0]?.backend ?? '', profile: 'strict', machine: 'model', stores: 10, transitions: 2 }],
  notes: [{ driver: 'driver-x', backend: 'one', says: 'two invalidations are needless' }],
})

const green = reportOf(result('C-BLOCK-01', 'passed'), result('C-BLOCK-02', 'passed'), result('C-PASID-01', 'not-declared', 'not declared: PASIDs'))
const red = reportOf(result('C-BLOCK-01', 'failed', 'expected <blocked> & found 0x1000', 'two'))

test('what is not declared is counted as skipped, never as passed', () => {
  expect(green.totals).toMatchObject({ passed: 2, failed: 0, skipped: 1 })
  expect(tally([result('C-X-01', 'unavailable')])).toEqual({ passed: 0, failed: 0, skipped: 1 })
})

test('merged reports add up', () => {
  expect(mergeReports([green, red]).totals).toEqual({
    passed: 2, failed: 1, skipped: 1, stores: 20, transitions: 4, failuresInjected: 2,
    adversary: { changes: 6, copies: 100, looks: 40, invalidations: { needed: 8, tooWide: 2, needless: 4, mandated: 0 }, atRest: 2 },
    walks: { walks: 10, commands: 200, seeds: [1] },
  })
})

describe('text', () => {
  test('leads from the first failure to it alone, and to what is known of it', () => {
    const lines = renderText(mergeReports([green, red])).split('\n')
    expect(lines).toContain('the first failure alone: the same command with --only C-BLOCK-01')
    expect(lines).toContain('what breaks it, and what usually mends it: iommu explain C-BLOCK-01')
    expect(renderText(green)).not.toContain('iommu explain')
  })
  test('is one line per group when green, and closes with a line alone', () => {
    const lines = renderText(green).split('\n')
    expect(lines).toContain('  BLOCK   ✓     2  a static domain in which everything faults')
    expect(lines).toContain('  PASID   –     0  any domain on any PASID; blocked removes it  (1 not declared)')
    expect(lines).toContain('  – not declared: PASIDs: C-PASID-01')
    expect(lines).toContain('5 random walks of 100 calls, seed 1')
    expect(lines.at(-2)).toBe('2 passed, 0 failed, 1 skipped')
  })
  test('is a picture when red', () => {
    const text = renderText(red)
    expect(text).toContain('  ✗ two  2 transitions, 10 stores\n')
    expect(text).toContain('  ✗ C-BLOCK-01 on two\n    says C-BLOCK-01\n    expected <blocked> & found 0x1000\n')
  })
})

test('JUnit escapes what XML must not contain', () => {
  const xml = renderJunit(red)
  expect(xml).toContain('<testsuites tests="1" failures="1" skipped="0">')
  expect(xml).toContain('<failure message="expected &#60;blocked&#62; &#38; found 0x1000"/>')
})

test('TAP numbers every statement, and names what was skipped', () => {
  expect(renderTap(green).split('\n').slice(0, 2)).toEqual(['TAP version 13', '1..3'])
  expect(renderTap(green)).toContain('ok 3 - C-PASID-01 driver-x, one: says C-PASID-01 # SKIP not declared: PASIDs')
})

test('a mutant that is not caught says what held, or what failed besides', () => {
  const mutant = { title: 't', part: 'core', driver: 'd', backend: 'b', spent: { stores: 0, transitions: 0, failuresInjected: 0, adversary, walks }, breaks: ['C-A-01'] } as const
  const text = renderMutants([
    { ...mutant, id: 'one', caughtBy: [], caught: false },
    { ...mutant, id: 'two', caughtBy: [{ statement: 'C-A-01', reason: '' }, { statement: 'C-B-01', reason: '' }], caught: false },
  ])
  expect(text).toContain('C-A-01 holds, and must not')
  expect(text).toContain('not expected to fail: C-B-01')
  expect(text.endsWith('0 caught, 2 not caught\n')).toBe(true)
})
