// Explain: fault lines of a kernel log, one or thousands, and what they mean in our words.
import { decode } from '@iommu/bits'
import type { Run } from '@iommu/bits'
import { faultStatus, queueError } from '@iommu/driver-intel-vtd/tables'
import { nameOfRequester } from './bdf.js'
import { InputError, quoted } from './input-error.js'
import { readLogLine } from './log-lines.js'
import type { LogLine, PrintedCode } from './log-lines.js'
import { explainTopic, reasonMembers } from './topics.js'

/** One element of `iommu.explain/1`. */
export interface Explained {
  readonly kind: 'dma-fault' | 'interrupt-fault' | 'fault-status' | 'suppressed' | 'queue-error' | 'other-vendor'
    | 'fault-code' | 'field' | 'entry'
  /** The first line of its kind, as it was given. */
  readonly input: string
  readonly count: number
  readonly vendor?: string
  readonly device?: string
  readonly pasid?: number
  readonly address?: string
  readonly access?: 'read' | 'write'
  /** Index of an interrupt. */
  readonly index?: number
  readonly code?: number
  readonly name?: string
  /** Absent: not known. */
  readonly meaning?: string
  readonly section?: string
  readonly confirmedBy?: readonly string[]
  /** Which of two possible readings was taken. */
  readonly reading?: string
  readonly so?: string
  readonly usual?: readonly string[]
  readonly bits?: readonly Run[]
  readonly values?: Readonly<Record<number, string>>
  readonly alias?: readonly string[]
  readonly fields?: readonly string[]
}

/** What a log says of one device. */
export interface DeviceSummary {
  readonly device: string
  readonly faults: number
  /** Different combinations of access, address and reason. */
  readonly distinct: number
  readonly codes: readonly number[]
}

export interface Explanation {
  readonly schema: 'iommu.explain/1'
  readonly items: readonly Explained[]
  readonly devices: readonly DeviceSummary[]
  /** Lines about an IOMMU that are not faults: start-up messages and the like. */
  readonly otherLines: number
}

/** In the interrupt range a write is an interrupt, and nothing is ever mapped. */
const INTERRUPT_RANGE = { start: 0xfee0_0000n, end: 0xfeef_ffffn }

const coded = (printed: PrintedCode | undefined): Partial<Explained> => {
  if (printed === undefined) return { vendor: 'vtd' }
  const { code, reading } = printed
  return { ...reasonMembers(code), ...(reading === undefined ? {} : { reading }) }
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
    case 'other-vendor': return { ...about, kind: line.kind, vendor: line.vendor }
    case 'other': return undefined
    default: return line satisfies never
  }
}

const keyOf = ({ kind, vendor, device, pasid, address, access, index, code, meaning, input }: Explained): string =>
  JSON.stringify([
    kind,
    vendor,
    device,
    pasid,
    address,
    access,
    index,
    code,
    meaning,
    kind === 'other-vendor' ? input : 0,
  ])

const isFault = ({ kind }: Explained): boolean => kind === 'dma-fault' || kind === 'interrupt-fault'

const summarise = (items: readonly Explained[]): DeviceSummary[] => {
  const byDevice = new Map<string, Explained[]>()
  for (const item of items) {
    if (!isFault(item) || item.device === undefined) continue
    byDevice.set(item.device, [...(byDevice.get(item.device) ?? []), item])
  }
  return [...byDevice].map(([device, own]) => ({
    device,
    faults: own.reduce((sum, { count }) => sum + count, 0),
    distinct: own.length,
    codes: [...new Set(own.flatMap(({ code }) => (code === undefined ? [] : [code])))],
  }))
}

/** Every IOMMU line of a log; equal faults are counted, whatever their timestamps. */
export const explainLog = (text: string): Explanation => {
  const items = new Map<string, Explained>()
  let otherLines = 0
  let waiting:
    | { readonly line: LogLine & { readonly kind: 'dma-fault' | 'interrupt-fault' }; readonly input: string }
    | undefined
  const add = (item: Explained | undefined): void => {
    if (item === undefined) return
    const key = keyOf(item)
    const known = items.get(key)
    items.set(key, known === undefined ? item : { ...known, count: known.count + 1 })
  }
  const flush = (): void => {
    if (waiting !== undefined) add(itemOf(waiting.line, waiting.input))
    waiting = undefined
  }
  for (const raw of text.split('\n')) {
    const input = raw.trim()
    const line = readLogLine(input)
    if (line === undefined) continue
    if (line.kind === 'reason' && waiting !== undefined) {
      // Very old kernels print the reason on a line of its own.
      const whole = waiting
      waiting = undefined
      add(itemOf({ ...whole.line, printed: line.printed }, `${whole.input} ${input}`))
      continue
    }
    flush()
    if (line.kind === 'other') otherLines++
    else if ((line.kind === 'dma-fault' || line.kind === 'interrupt-fault') && line.printed === undefined)
      waiting = { line, input }
    else add(itemOf(line, input))
  }
  flush()
  const all = [...items.values()]
  return { schema: 'iommu.explain/1', items: all, devices: summarise(all), otherLines }
}

/**
 * A line, a whole log, or a name: an entry, a field ("vtd.pasid.PGTT"), a fault code ("vtd:0x59"). Throws InputError
 * for a single line in which there is nothing of that kind.
 */
export const explain = (text: string): Explanation => {
  if (text.trim().includes('\n')) return explainLog(text)
  const topics = explainTopic(text)
  if (topics.length > 0) return { schema: 'iommu.explain/1', items: topics, devices: [], otherLines: 0 }
  const log = explainLog(text)
  if (log.items.length > 0) return log
  throw new InputError({
    file: 'the arguments', place: 'what to explain',
    expected: 'a fault line, a field such as vtd.pasid.PGTT or a code such as vtd:0x59', found: quoted(text),
  })
}
