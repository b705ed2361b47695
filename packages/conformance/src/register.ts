// The suite under a test runner: vitest, node:test, or anything with `describe` and `test`.
import type { Backend } from './backend.js'
import { mutantTrials } from './judge.js'
import type { CoreMutant, DriverVariant, MutantResult } from './judge.js'
import { runStatement } from './run.js'
import type { RunOptions } from './run.js'
import { groupOf } from './statement.js'
import { allStatements } from './statements/index.js'

/** How a test says that it did not take place: vitest's and node:test's context have it. */
export interface Skippable {
  skip(reason?: string): void
}

/** What a runner must offer. */
export interface Runner {
  describe(name: string, body: () => void): void
  test(name: string, body: (context?: Skippable) => void): void
}

/**
 * Registers every statement as a test. What a backend does not declare, or its machine cannot show, is skipped with the
 * reason, where the runner hands tests a context that can; others count it as passed.
 */
export const conformance = (runner: Runner, backend: Backend, options: RunOptions = {}): void => {
  const { createCore, statements = allStatements, only } = options
  const chosen = statements.filter(({ id }) => only === undefined || only.includes(id) || only.includes(groupOf(id)))
  runner.describe(`${backend.name}, ${backend.backend}`, () => {
    for (const group of new Set(chosen.map(({ id }) => groupOf(id)))) {
      runner.describe(group, () => {
        for (const statement of chosen.filter(({ id }) => groupOf(id) === group)) {
          // A rest parameter: runners that go by the number of parameters would wait for a callback.
          runner.test(`${statement.id} ${statement.says}`, (...[context]) => {
            const { status, reason } = runStatement(statement, backend, createCore)
            if (status === 'failed') throw new Error(`${statement.id}: ${reason ?? ''}`)
            if (status !== 'passed') context?.skip(reason)
          })
        }
      })
    }
  })
}

/** What mutants are made of and judged on. */
export interface MutantSources {
  readonly backends: readonly Backend[]
  readonly variants: readonly DriverVariant[]
  readonly coreVariants?: readonly CoreMutant[]
  /** Which of them: test runners spread files, so that each part may be a file of its own. */
  readonly part: MutantResult['part']
}

const explain = ({ breaks, caughtBy, harmless }: MutantResult): string => {
  const unexpected = caughtBy.filter(({ statement }) => harmless !== undefined || !breaks.includes(statement))
  if (unexpected.length === 0) return `${breaks[0] as string} holds, and must not`
  return `not expected to fail: ${unexpected.map(({ statement, reason }) => `${statement} (${reason})`).join('; ')}`
}

/** Registers every mutant as a test: the first statement that it breaks must fail, and nothing outside of its list may. */
export const mutants = (runner: Runner, { backends, variants, coreVariants = [], part }: MutantSources): void => {
  runner.describe(`mutants: ${part}`, () => {
    for (const { id, run } of mutantTrials(backends, variants, coreVariants).filter((trial) => trial.part === part)) {
      runner.test(id, () => {
        const result = run('verdict')
        if (!result.caught) throw new Error(`${id}: ${explain(result)}`)
      })
    }
  })
}
