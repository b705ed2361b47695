// The suite's work as tasks: small enough to spread over threads, described by words that can be sent.
import { mutantTrials, runSuite } from '@iommu/conformance'
import type { MutantResult, Report } from '@iommu/conformance'
import { coreVariants } from '@iommu/core/variants'
import { loadDriver } from './driver-modules.js'

/** One driver on one kind of hardware, or one mutant. */
export type Task =
  | { readonly kind: 'suite'; readonly driver: string; readonly index: number; readonly only: readonly string[] }
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

/** The tasks of a driver: its kinds of hardware, its mutants, or the deviations of a profile. */
export const listTasks = async (
  kind: Task['kind'], driver: string, { only, profile }: { readonly only: readonly string[]; readonly profile?: string },
): Promise<Task[]> => {
  if (kind === 'suite') return (await loadDriver(driver)).backends.map((_, index) => ({ kind, driver, index, only }))
  return (await trialsOf(driver)).flatMap((trial, index) =>
    (profile === undefined || trial.profile === profile ? [{ kind, driver, index }] : []))
}

/** Throws RangeError for an index that the driver does not have. */
export const runTask = async (task: Task): Promise<Outcome> => {
  if (task.kind === 'suite') {
    const backend = (await loadDriver(task.driver)).backends[task.index]
    if (backend === undefined) throw new RangeError(`${task.driver} has no backend ${task.index}`)
    return { report: runSuite(backend, { only: task.only }) }
  }
  const trial = (await trialsOf(task.driver))[task.index]
  if (trial === undefined) throw new RangeError(`${task.driver} has no mutant ${task.index}`)
  return { mutant: trial.run() }
}
