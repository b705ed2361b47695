// Spreads tasks over threads, one per processor, and keeps their answers in order.
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { runTask } from './conform-tasks.js'
import type { Outcome, Task } from './conform-tasks.js'

type Reply = { readonly outcome: Outcome } | { readonly error: string }

/** The built worker beside the built command; from sources there is none, and everything runs here. */
const workerFile = (): string | undefined => {
  const file = fileURLToPath(new URL('./conform-worker.js', import.meta.url))
  return existsSync(file) ? file : undefined
}

const onThreads = (file: string, tasks: readonly Task[], threads: number, finished: (count: number) => void): Promise<Outcome[]> =>
  new Promise((resolve, reject) => {
    const outcomes = new Array<Outcome>(tasks.length)
    let next = 0
    let done = 0
    const workers = Array.from({ length: threads }, () => new Worker(file))
    const end = (how: () => void): void => {
      for (const worker of workers) void worker.terminate()
      how()
    }
    const feed = (worker: Worker): void => {
      const index = next++
      const task = tasks[index]
      if (task === undefined) return
      worker.once('message', (reply: Reply) => {
        if ('error' in reply) return end(() => reject(new Error(reply.error)))
        outcomes[index] = reply.outcome
        finished(++done)
        if (done === tasks.length) end(() => resolve(outcomes))
        else feed(worker)
      })
      worker.postMessage(task)
    }
    for (const worker of workers) {
      worker.once('error', (error) => end(() => reject(error)))
      feed(worker)
    }
  })

/** Runs all tasks; `finished` is told how many are done. */
export const runTasks = async (tasks: readonly Task[], finished: (count: number) => void): Promise<Outcome[]> => {
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
