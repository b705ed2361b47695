// The suite's work as tasks: small enough to spread over threads, described by words that can be sent.
import { allStatements, groupOf, manifestOf, mergeReports, mutantTrials, plainestFirst, runSuite, subjects, tally, WALK } from '@iommu/conformance'
import type { Backend, MutantResult, Report, Result, RunOptions } from '@iommu/conformance'
import { coreVariants } from '@iommu/core/variants'
import { loadDriver } from './driver-modules.js'

/** One driver on one kind of hardware. */
export interface SuiteTask {
  readonly kind: 'suite'
  readonly driver: string
  readonly index: number
  /** As results name them. */
  readonly on: Pick<Result, 'driver' | 'backend'>
  readonly only: readonly string[]
  readonly walks?: NonNullable<RunOptions['walks']>
  /** How long it may take, beside others: the longest begin first. */
  readonly weight: number
}

/** One driver on one kind of hardware, or one mutant. */
export type Task = SuiteTask
  | { readonly kind: 'mutant'; readonly driver: string; readonly index: number }

export type Outcome = { readonly report: Report } | { readonly mutant: MutantResult }

const trials = new Map<string, ReturnType<typeof mutantTrials>>()

const trialsOf = async (driver: string): Promise<ReturnType<typeof mutantTrials>> => {
  let known = trials.get(driver)
  if (known === undefined) {
    const { backends, variants } = await loadDriver(driver)
    trials.set(driver, (known = mutantTrials(backends, variants, coreVariants)))
  }
  return known
}

/** The profiles whose deviations a driver brings. */
export const profilesOf = async (driver: string): Promise<string[]> =>
  [...new Set((await trialsOf(driver)).flatMap(({ profile }) => profile ?? []))]

/** Most of a suite's time goes into switches from every state to every other one, on requester ids and on PASIDs. */
const weightOf = (backend: Backend): number => {
  const { formats, maxPasids } = manifestOf(backend)
  return (formats.length + 2) ** 2 * (maxPasids > 0 ? 2 : 1)
}

/** How many kinds of hardware a driver brings. */
export const countKinds = async (driver: string): Promise<number> => (await loadDriver(driver)).backends.length

/** What is to be done. `quick`: of the suite on the plainest kind of hardware alone. */
export interface Selection {
  readonly only: readonly string[]
  readonly quick: boolean
  readonly profile?: string
  readonly walks?: NonNullable<RunOptions['walks']>
}

/** The tasks of a driver: its kinds of hardware, its mutants, or the deviations of a profile. */
export const listTasks = async (kind: Task['kind'], driver: string, { only, quick, profile, walks }: Selection): Promise<Task[]> => {
  if (kind === 'suite') {
    const { backends } = await loadDriver(driver)
    const chosen = quick ? plainestFirst(backends).slice(0, 1) : backends
    return chosen.map((backend) => ({
      kind, driver, index: backends.indexOf(backend), on: { driver: backend.name, backend: backend.backend }, only, weight: weightOf(backend),
      ...(walks === undefined ? {} : { walks }),
    }))
  }
  return (await trialsOf(driver)).flatMap((trial, index) =>
    (profile === undefined || trial.profile === profile ? [{ kind, driver, index }] : []))
}

/** What a task asks, in its order: id -> what it says. */
export const statementsOf = ({ only, walks }: SuiteTask): ReadonlyMap<string, string> => {
  const walk = { id: WALK, says: subjects[groupOf(WALK)] ?? '' }
  const wanted = [...allStatements, ...(walks === undefined ? [] : [walk])]
    .filter(({ id }) => only.length === 0 || only.includes(id) || only.includes(groupOf(id)))
  return new Map(wanted.map(({ id, says }) => [id, says]))
}

/** What comes of a task that was stopped in a statement: that one has failed, and those behind it were not run. */
export const reportStopped = (task: SuiteTask, stopped: string, seconds: number): Report => {
  const statements = [...statementsOf(task)]
  const results = statements.slice(statements.findIndex(([id]) => id === stopped)).map(([statement, title]): Result => ({
    ...task.on, profile: 'strict', machine: 'model', statement, title,
    ...(statement === stopped
      ? { status: 'failed', reason: `did not return within ${seconds} s` }
      : { status: 'unavailable', reason: `not run: ${stopped} did not return` }),
  }))
  const nothing = mergeReports([])
  return { ...nothing, totals: { ...nothing.totals, ...tally(results) }, results }
}

/** `began` is told each statement of a suite. Throws RangeError for an index that the driver does not have. */
export const runTask = async (task: Task, began: (statement: string) => void = () => undefined): Promise<Outcome> => {
  if (task.kind === 'suite') {
    const backend = (await loadDriver(task.driver)).backends[task.index]
    if (backend === undefined) throw new RangeError(`${task.driver} has no backend ${task.index}`)
    return { report: runSuite(backend, { only: task.only, began, ...(task.walks === undefined ? {} : { walks: task.walks }) }) }
  }
  const trial = (await trialsOf(task.driver))[task.index]
  if (trial === undefined) throw new RangeError(`${task.driver} has no mutant ${task.index}`)
  return { mutant: trial.run() }
}
