// Judges mutants: runs the suite on each, and says which statements it fails.
import { createCore as wholeCore } from '@iommu/core'
import type { AdversaryOptions } from '@iommu/hardware'
import { manifestOf } from './backend.js'
import type { Backend, CreateCore } from './backend.js'
import { opsMutants } from './mutants/index.js'
import type { OpsMutant } from './mutants/mutant.js'
import { adversaryCounts, NO_WALKS, runStatement } from './run.js'
import type { Report, Status } from './run.js'
import type { Statement } from './statement.js'
import { allStatements } from './statements/index.js'

/** What a driver elsewhere does otherwise than the contract says. */
export interface Deviation {
  /** "linux-7.3" */
  readonly name: string
  /** One sentence, in the present tense. */
  readonly does: string
  /** File, function and versions. */
  readonly source: string
}

/** A driver of this vendor, broken inside. The first of `breaks` must fail; nothing outside of `breaks` may. */
export interface DriverVariant {
  readonly id: string
  readonly title: string
  readonly breaks: readonly string[]
  /** Names of the backends on which it shows; the first backend where absent. */
  readonly on?: readonly string[]
  /** How stores and commands behave under adversarial mode, where that decides. */
  readonly adversary?: AdversaryOptions
  /** What another driver does on purpose: a deviation of that profile, and where it is from. */
  readonly profile?: Deviation
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
  /** Whether the first of `breaks` failed, and nothing outside of `breaks`; of a harmless one, whether the first held. */
  readonly caught: boolean
  /** Why it is no mistake on this hardware. */
  readonly harmless?: string
  /** What it took. */
  readonly spent: Omit<Report['totals'], 'passed' | 'failed' | 'skipped'>
  /** Where the mutant is a deviation of a profile. */
  readonly profile?: Deviation
}

/** One mutant on one backend, not run yet. */
export interface Trial {
  readonly id: string
  readonly part: MutantResult['part']
  /** The profile whose deviation it is, by name. */
  readonly profile?: string
  /** `verdict`: only as far as `caught` asks. What the mutant may fail and need not is then left out of `caughtBy`. */
  readonly run: (how?: How) => MutantResult
}

type How = 'whole' | 'verdict'

interface Named { readonly id: string; readonly title: string; readonly breaks: readonly string[]; readonly profile?: Deviation }

const judge = (
  { id, title, breaks, profile }: Named, part: MutantResult['part'], backend: Backend, createCore: CreateCore, statements: readonly Statement[],
  how: How, harmless?: string,
): MutantResult => {
  // Either outcome of a statement that a mutant may fail, and need not, leaves it caught.
  const asked = how === 'whole' ? statements : statements.filter((each) => each.id === breaks[0] || !breaks.includes(each.id))
  const runs = asked.map((statement) => ({ statement: statement.id, ...runStatement(statement, backend, createCore) }))
  const caughtBy = runs.flatMap(({ statement, status, reason }) => (status === 'failed' ? [{ statement, reason: reason ?? '' }] : []))
  const spent = {
    stores: runs.reduce((sum, { stores }) => sum + stores, 0),
    transitions: runs.reduce((sum, { transitions }) => sum + transitions, 0),
    failuresInjected: runs.reduce((sum, { failures }) => sum + failures, 0),
    adversary: adversaryCounts(backend),
    walks: NO_WALKS,
  }
  const failed = caughtBy.map(({ statement }) => statement)
  const shows = failed.includes(breaks[0] as string)
  const caught = shows === (harmless === undefined) && failed.every((each) => breaks.includes(each))
  return {
    id, title, part, driver: backend.name, backend: backend.backend, breaks, caughtBy, caught, spent,
    ...(profile === undefined ? {} : { profile }), ...(harmless === undefined ? {} : { harmless }),
  }
}

/** A backend whose driver is broken from outside. */
export const broken = (backend: Backend, { alter }: OpsMutant): Backend => ({
  ...backend,
  createDriver: (machines, setup) => alter(backend.createDriver(machines, setup), { machines, ...setup }),
})

/** A backend whose driver is broken inside. */
export const varied = (backend: Backend, { createDriver, adversary }: Pick<DriverVariant, 'createDriver' | 'adversary'>): Backend => {
  const { createAdversary } = backend
  return {
    ...backend,
    createDriver,
    ...(createAdversary === undefined || adversary === undefined ? {} : {
      createAdversary: (machine, options) => createAdversary(machine, { ...options, ...adversary }),
    }),
  }
}

/**
 * Where mutants are judged that show anywhere, and quick runs are made: the backends that declare the most come first, and among those the one
 * with the fewest formats, since every format makes the whole suite longer.
 */
export const plainestFirst = (backends: readonly Backend[]): Backend[] => {
  const rank = (backend: Backend): number => {
    const { blocked, identity, paging, formats, maxPasids, pasidsUnder } = manifestOf(backend)
    const narrow = pasidsUnder !== undefined && !(pasidsUnder.includes('blocked') && pasidsUnder.includes(formats[0] ?? ''))
    const missing = [
      !blocked.rid, !paging.rid, !identity.rid, maxPasids === 0, narrow, backend.oneTranslation === true,
      backend.attachCannotFail !== undefined, backend.mapCannotFail !== undefined,
    ]
    return missing.filter(Boolean).length * 1000 + formats.length
  }
  return backends.map((backend) => ({ backend, rank: rank(backend) })).sort((one, other) => one.rank - other.rank).map(({ backend }) => backend)
}

/** What comes of the statement that a mutant must fail; undefined where it is none of those that are run. */
const statusOf = (backend: Backend, { breaks: [first] }: Named, statements: readonly Statement[]): Status | undefined => {
  const statement = statements.find(({ id }) => id === first)
  return statement === undefined ? undefined : runStatement(statement, backend).status
}

const opsTrial = (mutant: OpsMutant, backends: readonly Backend[], statements: readonly Statement[]): Trial[] => {
  const { where } = mutant
  const fits = where === undefined ? backends : backends.filter((backend) => where(manifestOf(backend)))
  // Nothing here that it could break: a driver that does not declare it.
  if (fits.length === 0) return []
  return [{
    id: mutant.id,
    part: 'driver',
    run(how = 'whole') {
      // Each is one backend throughout: what adversarial mode has worked out on it is worked out once.
      const tried = fits.map((backend) => ({ backend, altered: broken(backend, mutant) }))
      const comesTo = (...wanted: readonly (Status | undefined)[]): (typeof tried)[number] | undefined =>
        tried.find(({ altered }) => wanted.includes(statusOf(altered, mutant, statements)))
      const asked = comesTo('passed', 'failed', undefined)
      const harmless = asked === undefined ? `${mutant.breaks[0] as string} is not asked here` : asked.backend.harmless?.[mutant.id]
      const chosen = mutant.anywhere === true ? comesTo('failed') ?? tried.at(-1) : asked ?? tried[0]
      return judge(mutant, 'driver', (chosen as (typeof tried)[number]).altered, wholeCore, statements, how, harmless)
    },
  }]
}

/** Every mutant as a trial: those of any driver, those of this vendor, and those of the core layer. */
export const mutantTrials = (
  backends: readonly Backend[], variants: readonly DriverVariant[], cores: readonly CoreMutant[],
  statements: readonly Statement[] = allStatements,
): Trial[] => {
  const sorted = plainestFirst(backends)
  const [first] = sorted
  if (first === undefined) return []
  return [
    ...opsMutants.flatMap((mutant) => opsTrial(mutant, sorted, statements)),
    ...variants.flatMap((variant) => backends
      .filter(({ backend }) => (variant.on ?? [first.backend]).includes(backend))
      .map((backend): Trial => ({
        id: variant.id,
        part: 'variant',
        ...(variant.profile === undefined ? {} : { profile: variant.profile.name }),
        run: (how = 'whole') => judge(variant, 'variant', varied(backend, variant), wholeCore, statements, how),
      }))),
    ...cores.map((mutant): Trial => ({
      id: mutant.id, part: 'core', run: (how = 'whole') => judge(mutant, 'core', first, mutant.create, statements, how, first.harmless?.[mutant.id]),
    })),
  ]
}
