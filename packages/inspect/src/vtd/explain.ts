// What VT-d's fault lines mean.
import { decode } from '@iommu/bits'
import { faultStatus, queueError } from '@iommu/driver-intel-vtd/registers'
import { nameOfRequester } from '../bdf.js'
import type { Explained } from '../explained.js'
import { suppressedItem } from '../suppressed.js'
import type { LogPlace, LogReader, Report } from '../vendor.js'
import { explainCode } from './codes.js'
import { beginsDumpOf, dumpSaid } from './dumped-tables.js'
import type { DumpLine } from './dumped-tables.js'
import { readLogLine } from './log-lines.js'
import type { LogLine, PrintedCode } from './log-lines.js'

/** In the interrupt range a write is an interrupt, and nothing is ever mapped. */
const INTERRUPT_RANGE = { start: 0xfee0_0000n, end: 0xfeef_ffffn }

/** Lines of a dump: two tables above, a PASID entry of eight words, and five levels twice. */
const MOST_DUMPED = 32

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
      const { kind, printed, device, pasid, pasidSaid, access, address: text } = line
      // Made for every fault of a log, which may be a million: one object, in one go.
      const item: Explained = Object.assign(
        { input, count: 1, kind, device, access, address: text }, pasid === undefined ? undefined : { pasid },
        pasidSaid ? undefined : { pasidSaid }, coded(printed))
      const address = BigInt(text)
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
      return suppressedItem('vtd', input, line.lines)
    case 'queue-error':
      return {
        ...about, kind: line.kind, vendor: 'vtd', meaning: QUEUE_MEANINGS[line.what], section: queueError.section,
        ...(line.what === 'queue' ? {} : { device: nameOfRequester(line.info & 0xffff) }),
      }
    case 'dump': case 'other': return undefined
    default: return line satisfies never
  }
}

type Fault = LogLine & { readonly kind: 'dma-fault' | 'interrupt-fault' }

/** A fault whose lines may not be whole. */
interface Waiting {
  readonly line: Fault
  readonly input: string
  readonly at: LogPlace
  readonly dump: DumpLine[]
}

/**
 * Very old kernels print the reason on a line of its own, and kernels with debugging print the entries on the way below
 * a fault: a fault waits for the next line.
 */
export const createLogReader = (report: Report, other: () => void): LogReader => {
  let waiting: Waiting | undefined
  const end = (): void => {
    if (waiting === undefined) return
    const { line, input, at, dump } = waiting
    waiting = undefined
    const item = itemOf(line, input)
    if (item !== undefined) report(dump.length === 0 ? item : { ...item, details: dumpSaid(dump) }, at)
  }
  /** Whether the line goes on with what waits. */
  const joins = (line: LogLine, input: string): boolean => {
    if (waiting === undefined) return false
    if (line.kind === 'reason') {
      if (waiting.line.printed !== undefined) return false
      waiting = { ...waiting, line: { ...waiting.line, printed: line.printed }, input: `${waiting.input} ${input}` }
      return true
    }
    if (line.kind !== 'dump' || waiting.line.kind !== 'dma-fault') return false
    const { dump, line: { address } } = waiting
    if (dump.length === 0 ? !beginsDumpOf(line.dump, address) : line.dump.what === 'begin' || dump.length >= MOST_DUMPED) return false
    dump.push(line.dump)
    return true
  }
  return {
    take(input, at) {
      const line = readLogLine(input)
      if (line === undefined) return false
      if (joins(line, input)) return true
      end()
      if (line.kind === 'other' || line.kind === 'dump') other()
      else if (line.kind === 'dma-fault' || line.kind === 'interrupt-fault') waiting = { line, input, at, dump: [] }
      else {
        const item = itemOf(line, input)
        if (item !== undefined) report(item, at)
      }
      return true
    },
    end,
  }
}
