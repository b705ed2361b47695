// Runs statements on a backend and collects what came of each.
import { createCore as defaultCore } from '@iommu/core'
import type { Backend, CreateCore } from './backend.js'
import { createBench } from './bench.js'
import type { Bench } from './bench.js'
import { StatementFailed } from './check.js'
import { groupOf } from './statement.js'
import type { Statement } from './statement.js'
import { allStatements } from './statements/index.js'

export type Status = 'passed' | 'failed' | 'not-declared' | 'unavailable'

/** What came of one statement on one backend. */
export interface Result {
  readonly driver: string
  readonly backend: string
  readonly profile: string
  readonly machine: string
  readonly statement: string
  readonly title: string
  readonly status: Status
  readonly reason?: string
}

export interface Report {
  readonly totals: {
    readonly passed: number
    readonly failed: number
    readonly skipped: number
    readonly stores: number
    readonly transitions: number
  }
  readonly results: readonly Result[]
}

export interface RunOptions {
  /** Statement ids or group names; all where absent. */
  readonly only?: readonly string[]
  readonly profile?: string
  readonly machine?: string
  /** The core layer under test. */
  readonly createCore?: CreateCore
  readonly statements?: readonly Statement[]
}

const wanted = (only: readonly string[] | undefined) => ({ id }: Statement): boolean =>
  only === undefined || only.length === 0 || only.some((each) => each === id || each.toUpperCase() === groupOf(id))

/** One statement on one backend. Never throws. */
export const runStatement = (
  statement: Statement, backend: Backend, createCore: CreateCore = defaultCore,
): Pick<Result, 'status' | 'reason'> & { readonly stores: number; readonly transitions: number } => {
  const benches: Bench[] = []
  const count = (): { stores: number; transitions: number } => ({
    stores: benches.reduce((sum, { counts }) => sum + counts.stores, 0),
    transitions: benches.reduce((sum, { trace }) =>
      sum + trace.calls.filter(({ op }) => op === 'attachDev' || op === 'setDevPasid').length, 0),
  })
  try {
    const first = createBench(backend, createCore)
    const { manifest } = first.ops
    const why = statement.unless?.(manifest, backend, first.ops)
    if (why !== undefined) return { status: 'not-declared', reason: why, ...count() }
    statement.run({
      backend,
      manifest,
      bench(options) {
        const bench = createBench(backend, createCore, options)
        benches.push(bench)
        return bench
      },
    })
    return { status: 'passed', ...count() }
  } catch (error) {
    const reason = error instanceof StatementFailed ? error.message
      : `unexpected ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`
    return { status: 'failed', reason, ...count() }
  }
}

/** The suite on one backend. */
export const runSuite = (backend: Backend, options: RunOptions = {}): Report => {
  const { only, profile = 'strict', machine = 'model', createCore, statements = allStatements } = options
  let stores = 0
  let transitions = 0
  const results = statements.filter(wanted(only)).map((statement): Result => {
    const { status, reason, ...counted } = runStatement(statement, backend, createCore)
    stores += counted.stores
    transitions += counted.transitions
    return {
      driver: backend.name, backend: backend.backend, profile, machine, statement: statement.id, title: statement.says,
      status, ...(reason === undefined ? {} : { reason }),
    }
  })
  return { totals: { ...tally(results), stores, transitions }, results }
}

export const tally = (results: readonly Result[]): { passed: number; failed: number; skipped: number } => ({
  passed: results.filter(({ status }) => status === 'passed').length,
  failed: results.filter(({ status }) => status === 'failed').length,
  skipped: results.filter(({ status }) => status === 'not-declared' || status === 'unavailable').length,
})

/** Several reports as one. */
export const mergeReports = (reports: readonly Report[]): Report => {
  const results = reports.flatMap((each) => each.results)
  return {
    totals: {
      ...tally(results),
      stores: reports.reduce((sum, { totals }) => sum + totals.stores, 0),
      transitions: reports.reduce((sum, { totals }) => sum + totals.transitions, 0),
    },
    results,
  }
}
