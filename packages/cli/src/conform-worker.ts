// A thread of the suite: takes one task after the other.
import { Console } from 'node:console'
import { parentPort } from 'node:worker_threads'
import { runTask } from './conform-tasks.js'
import type { Task } from './conform-tasks.js'

/** As in iommu.ts: what a driver prints is talk. */
globalThis.console = new Console(process.stderr)

parentPort?.on('message', (task: Task) => {
  runTask(task, (began) => parentPort?.postMessage({ began })).then(
    (outcome) => parentPort?.postMessage({ outcome }),
    (error: unknown) => parentPort?.postMessage({ error: error instanceof Error ? error.message : String(error) }),
  )
})
