// Judges mutants: runs the suite on each, and says which statements it fails.
import { createCore as wholeCore } from '@iommu/core'
import { manifestOf } from './backend.js'
import type { Backend, CreateCore } from './backend.js'
import { opsMutants } from './mutants/index.js'
import type { OpsMutant } from './mutants/mutant.js'
import { runStatement } from './run.js'
import type { Statement } from './statement.js'
import { allStatements } from './statements/index.js'

/** A driver of this vendor, broken inside. The first of `breaks` must fail; nothing outside of `breaks` may. */
export interface DriverVariant {
  readonly id: string
  readonly title: string
  readonly breaks: readonly string[]
  /** Names of the backends on which it shows; the first backend where absent. */
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
  /** What is broken: the driver from outside, the driver inside, or the core layer. */
  readonly part: 'driver' | 'variant' | 'core'
  readonly driver: string
  readonly backend: string
  readonly breaks: readonly string[]
  /** Statements that failed, each with why. */
  readonly caughtBy: readonly { readonly statement: string; readonly reason: string }[]
  /** Whether the first of `breaks` failed, and nothing outside of `breaks`. */
  readonly caught: boolean
}

/** One mutant on one backend, not run yet. */
export interface Trial {
  readonly id: string
  readonly part: MutantResult['part']
  readonly run: () => MutantResult
}

interface Named { readonly id: string; readonly title: string; readonly breaks: readonly string[] }

const judge = (
  { id, title, breaks }: Named, part: MutantResult['part'], backend: Backend, createCore: CreateCore, statements: readonly Statement[],
): MutantResult => {
  const caughtBy = statements.flatMap((statement) => {
    const { status, reason } = runStatement(statement, backend, createCore)
    return status === 'failed' ? [{ statement: statement.id, reason: reason ?? '' }] : []
  })
  const failed = caughtBy.map(({ statement }) => statement)
  const caught = failed.includes(breaks[0] as string) && failed.every((each) => breaks.includes(each))
  return { id, title, part, driver: backend.name, backend: backend.backend, breaks, caughtBy, caught }
}

const broken = (backend: Backend, { alter }: OpsMutant): Backend => ({
  ...backend,
  createDriver: (machines, setup) => alter(backend.createDriver(machines, setup), { machines, ...setup }),
})

/**
 * Where a mutant is judged that shows anywhere: the backend that declares the most with the fewest formats, since
 * every format makes the whole suite longer.
 */
const plainest = (backends: readonly Backend[]): Backend | undefined => {
  const rank = (backend: Backend): number => {
    const { identity, maxPasids, formats } = manifestOf(backend)
    return (identity.rid ? 0 : 1000) + (maxPasids > 0 ? 0 : 1000) + formats.length
  }
  return [...backends].map((backend) => ({ backend, rank: rank(backend) })).sort((a, b) => a.rank - b.rank)[0]?.backend
}

const opsTrial = (mutant: OpsMutant, backends: readonly Backend[], statements: readonly Statement[]): Trial[] => {
  const { where } = mutant
  const fits = where === undefined ? backends : backends.filter((backend) => where(manifestOf(backend)))
  const first = plainest(fits)
  // Nothing here that it could break: a driver that does not declare it.
  if (first === undefined) return []
  return [{
    id: mutant.id,
    part: 'driver',
    run() {
      if (mutant.anywhere !== true) return judge(mutant, 'driver', broken(first, mutant), wholeCore, statements)
      let result: MutantResult | undefined
      for (const backend of fits) {
        result = judge(mutant, 'driver', broken(backend, mutant), wholeCore, statements)
        if (result.caught) break
      }
      return result as MutantResult
    },
  }]
}

/** Every mutant as a trial: those of any driver, those of this vendor, and those of the core layer. */
export const mutantTrials = (
  backends: readonly Backend[], variants: readonly DriverVariant[], cores: readonly CoreMutant[],
  statements: readonly Statement[] = allStatements,
): Trial[] => {
  const first = plainest(backends)
  if (first === undefined) return []
  return [
    ...opsMutants.flatMap((mutant) => opsTrial(mutant, backends, statements)),
    ...variants.flatMap((variant) => backends
      .filter(({ backend }) => (variant.on ?? [first.backend]).includes(backend))
      .map((backend): Trial => ({
        id: variant.id,
        part: 'variant',
        run: () => judge(variant, 'variant', { ...backend, createDriver: variant.createDriver }, wholeCore, statements),
      }))),
    ...cores.map((mutant): Trial => ({ id: mutant.id, part: 'core', run: () => judge(mutant, 'core', first, mutant.create, statements) })),
  ]
}
