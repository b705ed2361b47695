// Spreads tasks over threads, one per processor, and keeps their answers in order.
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { Worker } from 'node:worker_threads'
import { EnvironmentError } from './io.js'
import { runTask } from './conform-tasks.js'
import type { Outcome, Task } from './conform-tasks.js'
import { suiteFlags } from './v8-flags.js'

type Reply = { readonly outcome: Outcome } | { readonly error: string }

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

const onThreads = (file: string, tasks: readonly Task[], threads: number, finished: (count: number) => void): Promise<Outcome[]> =>
  new Promise((resolve, reject) => {
    const outcomes = new Array<Outcome>(tasks.length)
    const waiting = longestFirst(tasks)
    let done = 0
    const running = new Map<Worker, Task>()
    const workers = Array.from({ length: threads }, () => new Worker(file))
    const end = (how: () => void): void => {
      for (const worker of workers) void worker.terminate()
      how()
    }
    const feed = (worker: Worker): void => {
      const index = waiting.shift()
      const task = index === undefined ? undefined : tasks[index]
      if (index === undefined || task === undefined) return
      worker.once('message', (reply: Reply) => {
        if ('error' in reply) return end(() => reject(new Error(reply.error)))
        outcomes[index] = reply.outcome
        finished(++done)
        if (done === tasks.length) end(() => resolve(outcomes))
        else feed(worker)
      })
      running.set(worker, task)
      worker.postMessage(task)
    }
    for (const worker of workers) {
      worker.once('error', (error) => end(() => reject(error)))
      // A driver that ends its process ends its thread, which says nothing more.
      worker.once('exit', () => end(() => reject(new EnvironmentError(`${running.get(worker)?.driver ?? 'a thread'} ended before its answer was there`))))
      feed(worker)
    }
  })

/** Runs all tasks; `finished` is told how many are done. */
export const runTasks = async (tasks: readonly Task[], finished: (count: number) => void): Promise<Outcome[]> => {
  for (const flag of suiteFlags) setFlagsFromString(flag)
  const file = workerFile()
  const threads = Math.min(availableParallelism(), tasks.length)
  if (file !== undefined && threads > 1) return onThreads(file, tasks, threads, finished)
  const outcomes: Outcome[] = []
  for (const task of tasks) {
    outcomes.push(await runTask(task))
    finished(outcomes.length)
  }
  return outcomes
}
