// The suite under a test runner: vitest, node:test, or anything with `describe` and `test`.
import type { Backend } from './backend.js'
import { runStatement } from './run.js'
import type { RunOptions } from './run.js'
import { groupOf } from './statement.js'
import { allStatements } from './statements/index.js'

/** What a runner must offer. */
export interface Runner {
  describe(name: string, body: () => void): void
  test(name: string, body: () => void): void
}

/** Registers every statement as a test. What a backend does not declare is named so, and checks that it is refused. */
export const conformance = (runner: Runner, backend: Backend, options: RunOptions = {}): void => {
  const { createCore, statements = allStatements, only } = options
  const chosen = statements.filter(({ id }) => only === undefined || only.includes(id) || only.includes(groupOf(id)))
  runner.describe(`${backend.name}, ${backend.backend}`, () => {
    for (const group of new Set(chosen.map(({ id }) => groupOf(id)))) {
      runner.describe(group, () => {
        for (const statement of chosen.filter(({ id }) => groupOf(id) === group)) {
          runner.test(`${statement.id} ${statement.says}`, () => {
            const { status, reason } = runStatement(statement, backend, createCore)
            if (status === 'failed') throw new Error(`${statement.id}: ${reason ?? ''}`)
          })
        }
      })
    }
  })
}
