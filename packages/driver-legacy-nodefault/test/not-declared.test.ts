// The suite under a test runner, on hardware that declares little: the rest is skipped where the runner can, and nothing waits for a callback.
import { conformance, runSuite } from '@iommu/conformance'
import type { Runner, Skippable } from '@iommu/conformance'
import { expect, test } from 'vitest'
import { backends } from '../src/backends.js'

const backend = backends[0] as (typeof backends)[number]
const only = ['DRV', 'PASID']

type Body = Parameters<Runner['test']>[1]

const registered = (): { readonly title: string; readonly body: Body }[] => {
  const tests: { readonly title: string; readonly body: Body }[] = []
  conformance({ describe: (_, body) => body(), test: (title, body) => void tests.push({ title, body }) }, backend, { only })
  return tests
}

test('what a driver does not declare is skipped with its reason', () => {
  const skipped = registered().flatMap(({ title, body }) => {
    const reasons: (string | undefined)[] = []
    const context: Skippable = { skip: (reason) => void reasons.push(reason) }
    body(context)
    return reasons.map((reason) => [title.slice(0, title.indexOf(' ')), reason])
  })
  const told = runSuite(backend, { only }).results.filter(({ status }) => status !== 'passed').map(({ statement, reason }) => [statement, reason])
  expect(skipped).toEqual(told)
  expect(skipped.length).toBeGreaterThan(0)
})

test('a runner that hands tests no context gets tests without parameters', () => {
  for (const { body } of registered()) {
    expect(body.length).toBe(0)
    expect(() => body()).not.toThrow()
  }
})
