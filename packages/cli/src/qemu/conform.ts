// The suite on QEMU: what passes, what QEMU has no door for, and what fails because QEMU is not as the specification says.
import { mergeReports, runSuite } from '@iommu/conformance'
import type { Backend, Report, Result } from '@iommu/conformance'
import type { Board, Installation } from '@iommu/machine-qemu'
import { qemuBackends } from './backends.js'
import { exceptions } from './exceptions.js'
import type { Exception } from './exceptions.js'

/** How the suite shows that a case asked for what the machine has no door for. */
const UNAVAILABLE = /^unexpected UnavailableError: /

/** A listed exception must show, in just the way that it is listed; otherwise the list is wrong. */
const judged = (result: Result, { deviation, says, shows }: Exception): Result => {
  if (result.status === 'failed' && shows.test(result.reason ?? '')) return { ...result, status: 'unavailable', reason: `QEMU: ${says} (${deviation})` }
  return { ...result, status: 'failed', reason: `listed as an exception of QEMU (${deviation}), and not so: ${result.reason ?? result.status}` }
}

const onBoard = (result: Result, { name }: Board, { series }: Installation): Result => {
  const exception = exceptions.find((each) =>
    each.statements.includes(result.statement) && each.boards.includes(name) && each.series?.includes(series) !== false)
  if (exception !== undefined) return judged(result, exception)
  if (!UNAVAILABLE.test(result.reason ?? '')) return result
  return { ...result, status: 'unavailable', reason: (result.reason ?? '').replace(UNAVAILABLE, '') }
}

/** A board that this QEMU has not: one line, so that it is seen. */
const missing = ({ name, backend }: Backend, machine: string, lack: string): Result => ({
  driver: name, backend, profile: 'strict', machine, statement: 'C-DRV-01', title: 'the whole suite', status: 'unavailable', reason: lack,
})

/** A driver on every board that it has. Statements that QEMU cannot answer are unavailable, with the reason. */
export const conformOnQemu = (
  driver: string, installation: Installation, only: readonly string[], progress: (done: number, of: number) => void = () => undefined,
): Report => {
  const backends = qemuBackends(driver, installation)
  const machine = `QEMU ${installation.version}`
  return mergeReports(backends.map(({ backend, board, lack, stop }, index): Report => {
    progress(index, backends.length)
    if (lack !== undefined) return { ...mergeReports([]), results: [missing(backend, machine, lack)] }
    try {
      const report = runSuite(backend, { only, machine })
      return { ...report, results: report.results.map((each) => onBoard(each, board, installation)) }
    } finally {
      // One board at a time: a QEMU without the qtest accelerator takes a processor for itself.
      stop()
    }
  }))
}
