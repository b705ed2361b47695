// Spreads tasks over threads, one per processor, and keeps their answers in order.
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { Worker } from 'node:worker_threads'
import { mergeReports } from '@iommu/conformance'
import type { Report } from '@iommu/conformance'
import { EnvironmentError } from './io.js'
import { reportStopped, runTask, statementsOf } from './conform-tasks.js'
import type { Outcome, SuiteTask, Task } from './conform-tasks.js'
import { createWatch, LIMITS } from './conform-watch.js'
import type { Limits, Watch } from './conform-watch.js'
import { suiteFlags } from './v8-flags.js'

type Reply = { readonly began: string } | { readonly outcome: Outcome } | { readonly error: string }

/** What is told on the way. */
export interface Told {
  /** How many tasks are done. */
  finished(count: number): void
  /** A sentence about a thread that is silent. */
  silent(says: string): void
}

/** A task, its place among all, and what is known of its end where a thread was stopped in it. */
interface Job {
  readonly index: number
  readonly task: Task
  readonly rest: readonly Report[]
}

/** The built worker beside the built command; from sources there is none, and everything runs here. */
const workerFile = (): string | undefined => {
  const file = fileURLToPath(new URL('./conform-worker.js', import.meta.url))
  return existsSync(file) ? file : undefined
}

/** Their numbers, so that no long one begins when all others are done. */
const longestFirst = (tasks: readonly Task[]): number[] => {
  const weights = tasks.map((task) => (task.kind === 'suite' ? task.weight : 0))
  return [...tasks.keys()].sort((one, other) => (weights[other] as number) - (weights[one] as number))
}

const onThreads = (file: string, tasks: readonly Task[], threads: number, told: Told, limits: Limits): Promise<Outcome[]> =>
  new Promise((resolve, reject) => {
    const outcomes = new Array<Outcome>(tasks.length)
    const waiting = longestFirst(tasks).map((index): Job => ({ index, task: tasks[index] as Task, rest: [] }))
    let done = 0
    /** Each with how to leave it. */
    const running = new Map<Worker, () => void>()
    const end = (how: () => void): void => {
      for (const leave of running.values()) leave()
      how()
    }
    const finish = (index: number, outcome: Outcome): void => {
      outcomes[index] = outcome
      told.finished(++done)
      if (done === tasks.length) end(() => resolve(outcomes))
    }
    /** What came before has answered on the thread that is gone: it is asked again, on another. */
    const giveUp = ({ index, task, rest }: Job & { readonly task: SuiteTask }, stopped: string): void => {
      const ids = [...statementsOf(task).keys()]
      const [before, reports] = [ids.slice(0, ids.indexOf(stopped)), [reportStopped(task, stopped, limits.stopAfter / 1000), ...rest]]
      if (before.length > 0) waiting.unshift({ index, task: { ...task, only: before }, rest: reports })
      else finish(index, { report: mergeReports(reports) })
    }
    const startThread = (): void => {
      const worker = new Worker(file)
      let job: Job | undefined
      let watch: Watch | undefined
      let at = ''
      const leave = (): void => {
        watch?.end()
        running.delete(worker)
        void worker.terminate()
      }
      const feed = (): void => {
        job = waiting.shift()
        if (job === undefined) return
        const { task } = job
        worker.postMessage(task)
        // Mutants do not say what they are in.
        if (task.kind !== 'suite') return
        const given = { ...job, task }
        at = [...statementsOf(task).keys()][0] ?? ''
        const { driver, backend } = task.on
        watch = createWatch(limits, () => {
          told.silent(`nothing came from ${driver} on ${backend} for ${limits.tellAfter / 1000} s, in ${at}; after ${limits.stopAfter / 1000} s it is stopped`)
        }, () => {
          leave()
          giveUp(given, at)
          if (waiting.length > 0) startThread()
        })
      }
      worker.on('message', (reply: Reply) => {
        if (job === undefined || !running.has(worker)) return
        if ('began' in reply) {
          at = reply.began
          watch?.heard()
          return
        }
        watch?.end()
        if ('error' in reply) return end(() => reject(new Error(reply.error)))
        const { outcome } = reply
        const { index, rest } = job
        finish(index, 'report' in outcome && rest.length > 0 ? { report: mergeReports([outcome.report, ...rest]) } : outcome)
        if (done < tasks.length) feed()
      })
      worker.once('error', (error) => end(() => reject(error)))
      // A driver that ends its process ends its thread, which says nothing more.
      worker.once('exit', () => {
        if (running.has(worker)) end(() => reject(new EnvironmentError(`${job?.task.driver ?? 'a thread'} ended before its answer was there`)))
      })
      running.set(worker, leave)
      feed()
    }
    for (let count = 0; count < threads; count++) startThread()
  })

/** Runs all tasks, on threads where there are any: only those can be stopped. */
export const runTasks = async (tasks: readonly Task[], told: Told, limits: Limits = LIMITS): Promise<Outcome[]> => {
  for (const flag of suiteFlags) setFlagsFromString(flag)
  const file = workerFile()
  const threads = Math.min(availableParallelism(), tasks.length)
  if (file !== undefined && threads > 0) return onThreads(file, tasks, threads, told, limits)
  const outcomes: Outcome[] = []
  for (const task of tasks) {
    outcomes.push(await runTask(task))
    told.finished(outcomes.length)
  }
  return outcomes
}
