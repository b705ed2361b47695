// Mutants: each breaks core or driver in one way, and the suite must say which.
import type { Backend, CreateCore } from './backend.js'
import { runStatement } from './run.js'
import type { Statement } from './statement.js'
import { allStatements } from './statements/index.js'

/** A broken driver. The first of `breaks` must fail; nothing outside of `breaks` may. */
export interface DriverVariant {
  readonly id: string
  readonly title: string
  readonly breaks: readonly string[]
  /** Names of the backends on which it shows; all where absent. */
  readonly on?: readonly string[]
  readonly createDriver: Backend['createDriver']
}

/** A broken core layer. */
export interface CoreMutant {
  readonly id: string
  readonly title: string
  readonly breaks: readonly string[]
  readonly create: CreateCore
}

export interface MutantResult {
  readonly id: string
  readonly title: string
  readonly driver: string
  readonly backend: string
  readonly breaks: readonly string[]
  /** Statements that failed, each with why. */
  readonly caughtBy: readonly { readonly statement: string; readonly reason: string }[]
  /** Whether the first of `breaks` failed, and nothing outside of `breaks`. */
  readonly caught: boolean
}

const judge = (
  id: string, title: string, breaks: readonly string[], backend: Backend, createCore: CreateCore | undefined,
  statements: readonly Statement[],
): MutantResult => {
  const caughtBy = statements.flatMap((statement) => {
    const { status, reason } = runStatement(statement, backend, createCore)
    return status === 'failed' ? [{ statement: statement.id, reason: reason ?? '' }] : []
  })
  const failed = caughtBy.map(({ statement }) => statement)
  const caught = failed.includes(breaks[0] as string) && failed.every((each) => breaks.includes(each))
  return { id, title, driver: backend.name, backend: backend.backend, breaks, caughtBy, caught }
}

/** Runs the whole suite on every mutant: the driver's on each backend that shows it, the core's on the first backend. */
export const runMutants = (
  backends: readonly Backend[], drivers: readonly DriverVariant[], cores: readonly CoreMutant[],
  statements: readonly Statement[] = allStatements,
): MutantResult[] => {
  const [first] = backends
  if (first === undefined) return []
  return [
    ...drivers.flatMap(({ id, title, breaks, on, createDriver }) => {
      const shown = backends.filter(({ backend }) => on === undefined ? backend === first.backend : on.includes(backend))
      return shown.map((backend) => judge(id, title, breaks, { ...backend, createDriver }, undefined, statements))
    }),
    ...cores.map(({ id, title, breaks, create }) => judge(id, title, breaks, first, create, statements)),
  ]
}
