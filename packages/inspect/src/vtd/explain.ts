// What VT-d's fault lines mean.
import { decode } from '@iommu/bits'
import { faultStatus, queueError } from '@iommu/driver-intel-vtd/tables'
import { nameOfRequester } from '../bdf.js'
import type { Explained } from '../explained.js'
import type { LogReader } from '../vendor.js'
import { explainCode } from './codes.js'
import { readLogLine } from './log-lines.js'
import type { LogLine, PrintedCode } from './log-lines.js'

/** In the interrupt range a write is an interrupt, and nothing is ever mapped. */
const INTERRUPT_RANGE = { start: 0xfee0_0000n, end: 0xfeef_ffffn }

const coded = (printed: PrintedCode | undefined): Partial<Explained> => {
  if (printed === undefined) return { vendor: 'vtd' }
  const { code, reading } = printed
  return { ...explainCode(code), ...(reading === undefined ? {} : { reading }) }
}

const statusMeaning = (value: bigint): string => {
  const { PFO, PPF, IQE, ICE, ITE, PRO, FRI } = decode(faultStatus, [value])
  const said = [
    PPF === 1 ? `a fault is waiting in record ${FRI}` : '',
    PFO === 1 ? 'records overflowed, so some faults were lost' : '',
    IQE === 1 ? 'the invalidation queue stopped at a descriptor that it refuses' : '',
    ICE === 1 ? 'a device answered an invalidation wrongly' : '',
    ITE === 1 ? 'a device did not answer an invalidation in time' : '',
    PRO === 1 ? 'page requests overflowed' : '',
  ].filter((each) => each !== '')
  return said.length === 0 ? 'nothing is reported' : said.join('; ')
}

const QUEUE_MEANINGS = {
  queue: 'the invalidation queue stopped at a descriptor that it refuses',
  completion: 'a device answered an invalidation wrongly',
  'time-out': 'a device did not answer an invalidation in time',
} as const

/** The item for a line; undefined for lines that say nothing by themselves. */
const itemOf = (line: LogLine, input: string): Explained | undefined => {
  const about = { input, count: 1 }
  switch (line.kind) {
    case 'dma-fault': {
      const { kind, printed, ...request } = line
      const address = BigInt(request.address)
      const item = { ...about, kind, ...coded(printed), ...request }
      return address >= INTERRUPT_RANGE.start && address <= INTERRUPT_RANGE.end
        ? {
            ...item,
            so: 'the address lies in the interrupt range, 0xfee00000 to 0xfeefffff, where nothing is ever mapped.',
            usual: [],
          }
        : item
    }
    case 'interrupt-fault':
      return { ...about, kind: line.kind, ...coded(line.printed), device: line.device, index: line.index }
    case 'reason':
      return { ...about, kind: 'fault-code', ...coded(line.printed) }
    case 'fault-status':
      return line.value >> 32n === 0n
        ? {
            ...about,
            kind: line.kind,
            vendor: 'vtd',
            name: 'fault status register',
            meaning: statusMeaning(line.value),
            section: faultStatus.section,
          }
        : undefined
    case 'suppressed':
      return {
        ...about,
        kind: line.kind,
        vendor: 'vtd',
        meaning: `the kernel left out ${line.lines} reports to spare the log: counts are lower than the truth`,
      }
    case 'queue-error':
      return {
        ...about, kind: line.kind, vendor: 'vtd', meaning: QUEUE_MEANINGS[line.what], section: queueError.section,
        ...(line.what === 'queue' ? {} : { device: nameOfRequester(line.info & 0xffff) }),
      }
    case 'other': return undefined
    default: return line satisfies never
  }
}

type WithReason = LogLine & { readonly kind: 'dma-fault' | 'interrupt-fault' }

/** Very old kernels print the reason on a line of its own: a fault without one waits for it. */
export const createLogReader = (report: (item: Explained) => void, other: () => void): LogReader => {
  let waiting: { readonly line: WithReason; readonly input: string } | undefined
  const add = (line: LogLine, input: string): void => {
    const item = itemOf(line, input)
    if (item !== undefined) report(item)
  }
  const end = (): void => {
    if (waiting !== undefined) add(waiting.line, waiting.input)
    waiting = undefined
  }
  return {
    take(input) {
      const line = readLogLine(input)
      if (line === undefined) return false
      if (line.kind === 'reason' && waiting !== undefined) {
        add({ ...waiting.line, printed: line.printed }, `${waiting.input} ${input}`)
        waiting = undefined
        return true
      }
      end()
      if (line.kind === 'other') other()
      else if ((line.kind === 'dma-fault' || line.kind === 'interrupt-fault') && line.printed === undefined) waiting = { line, input }
      else add(line, input)
      return true
    },
    end,
  }
}
