// What AMD-Vi's event lines mean.
import { decode, decodeField, describe, encode, renderLine } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { commandLayout, completionWait, EVENT_CODES, events, illegalCommandErrorEvent, invalidDeviceRequestEvent, ioPageFaultEvent } from '@iommu/driver-amd-vi/queues'
import { deviceTableEntry } from '@iommu/driver-amd-vi/tables'
import type { Explained, ExplainedFlag } from '../explained.js'
import { once } from '../once.js'
import { hex } from '../spell.js'
import { suppressedItem } from '../suppressed.js'
import type { LogPlace, LogReader, Report } from '../vendor.js'
import { PAGE_FAULT_ADVICE } from './advice.js'
import { codeNamed, explainCode } from './codes.js'
import { readEventRest, readLogLine } from './log-lines.js'
import type { LogLine } from './log-lines.js'
import { readPageFault } from './page-fault.js'

type EventLine = LogLine & { readonly kind: 'event' }

/** Kernels print bits 59:48 of an entry as its flags. */
const FLAGS = { high: 59, low: 48 } as const
/** Codes after which nothing is known of a DMA. */
const OF_COMMANDS: ReadonlySet<number> = new Set([
  EVENT_CODES.illegalCommandError, EVENT_CODES.commandHardwareError, EVENT_CODES.iotlbInvTimeout,
])
const QEMU_FORM = 'read as QEMU\'s: for every refused DMA it writes address 0, domain 0 and I=1, and in the two lowest flags 1 for a '
  + 'read or 2 for a write. By the specification these flags would be those of an interrupt'

const wordsOf = (flags: number): readonly bigint[] => [BigInt(flags) << BigInt(FLAGS.low), 0n]

/** What an event's layout makes of flags, lowest bit first. */
const flagReader = (layout: Entry): ((flags: number) => readonly ExplainedFlag[]) => {
  const fields = Object.entries(layout.fields)
    .filter(([, { runs }]) => runs.every(([high, low]) => high <= FLAGS.high && low >= FLAGS.low))
    .sort(([, one], [, other]) => (one.runs[0]?.[1] ?? 0) - (other.runs[0]?.[1] ?? 0))
  return once((flags) => {
    const values = decode(layout, wordsOf(flags))
    return fields.map(([name, { title }]) => ({ name, value: Number(values[name]), title }))
  })
}
/** By event code. */
const flagReaders = once((code) => flagReader(events.get(code)?.layout ?? ioPageFaultEvent))

/** IO_PAGE_FAULT: who, which access and why, from its flags. */
const pageFaultMembers = ({ flags, domain = 0, address = 0n }: EventLine): Partial<Explained> => {
  if (flags === undefined) return { pasidSaid: false }
  const [head] = wordsOf(flags) as readonly [bigint]
  const fault = readPageFault(encode(ioPageFaultEvent, {
    DomainID: domain & 0xffff, PASIDHigh: domain >>> 16, ADDR: address,
  }, [head, 0n]))
  const { access, interrupt, pasid, domainId, why, asQemu } = fault
  return Object.assign(
    {}, interrupt ? { kind: 'interrupt-fault' as const } : { access }, pasid === undefined ? undefined : { pasid },
    domainId === undefined ? undefined : { domainId }, PAGE_FAULT_ADVICE[why], asQemu ? { reading: QEMU_FORM, pasidSaid: false as const } : undefined)
}

/**
 * Whether a request had a PASID. Linux prints "pasid=" whatever GN says: without GN it is the domain of a page table's event,
 * and 0 in others. Where the event has no GN, or the line no flags, 0 may be either.
 */
const pasidMembers = (flags: readonly ExplainedFlag[] | undefined, printed: number | undefined, isDomain: boolean): Partial<Explained> => {
  const guest = flags?.find(({ name }) => name === 'GN')?.value
  if (printed !== undefined && guest === 0 && isDomain) return { domainId: printed }
  if (printed !== undefined && (printed !== 0 || guest === 1)) return { pasid: printed }
  return guest === 0 ? {} : { pasidSaid: false }
}

/** What Type of an invalid request says, as far as it is known; nobody outside confirms it. */
const requestType = (flags: readonly ExplainedFlag[] | undefined): string[] => {
  const type = flags?.find(({ name }) => name === 'Type')?.value
  if (type === undefined) return []
  const { [type]: meaning } = invalidDeviceRequestEvent.fields.Type.meanings ?? {}
  return [meaning === undefined ? `request of type ${type}, which is unknown here` : `request of type ${type}: ${meaning} (unconfirmed)`]
}

/** A word of 64 bits from two of 32 bits, the lower first. */
const joined = (low: bigint, high: bigint): bigint => low | (high << 32n)

/** The code of an event that the kernel prints as unknown stands in its words. */
const codeOf = ({ name, words }: EventLine): number | undefined => {
  if (words === undefined) return codeNamed(name)
  const [one = 0n, two = 0n, three = 0n, four = 0n] = words
  return decodeField(illegalCommandErrorEvent, [joined(one, two), joined(three, four)], 'Code')
}

const itemOf = (line: EventLine, input: string): Explained => {
  const code = codeOf(line)
  const event = code === undefined ? undefined : events.get(code)
  const { speaker, device, address, tag, domain } = line
  const isPageFault = code === EVENT_CODES.ioPageFault
  const isTableError = code === EVENT_CODES.pageTabHardwareError
  const who = device ?? (isPageFault || code === EVENT_CODES.rmpPageFault ? speaker : undefined)
  const flags = line.flags === undefined || code === undefined || event === undefined ? undefined : flagReaders(code)(line.flags)
  const kind = code !== undefined && OF_COMMANDS.has(code) ? 'queue-error' : 'dma-fault'
  // Made for every fault of a log, which may be a million: one object, in one go.
  const item: Explained = Object.assign(
    { kind, input, count: 1, vendor: 'amd' } as const,
    code === undefined ? { name: line.name } : explainCode(code),
    who === undefined ? undefined : { device: who },
    domain === undefined || isPageFault || isTableError ? undefined : { domainId: domain },
    address === undefined ? undefined : { address: hex(address) },
    flags === undefined ? undefined : { flags },
    tag === undefined ? undefined : { details: [`tag ${hex(tag)}`] },
    code === EVENT_CODES.invalidDeviceRequest && flags !== undefined ? { details: requestType(flags) } : undefined)
  if (isPageFault) return Object.assign(item, pageFaultMembers(line))
  // Kernels call the same number of a page table's event "domain" or "pasid".
  return kind === 'queue-error' ? item : Object.assign(item, pasidMembers(flags, line.pasid ?? (isTableError ? domain : undefined), isTableError))
}

/** The words of an entry or a command that the kernel prints after an event. */
const wordsSaid = (layout: Entry, words: readonly bigint[]): string =>
  `the ${layout.title.toLowerCase()} is ${renderLine(describe(layout, words))}`

const commandSaid = ([one = 0n, two = 0n, three = 0n, four = 0n]: readonly bigint[]): string => {
  const words = [joined(one, two), joined(three, four)]
  const layout = commandLayout(words)
  return layout === undefined
    ? `its command has the opcode ${decodeField(completionWait, words, 'Opcode')}, which is not known here` : wordsSaid(layout, words)
}

/** An event whose entry or command may follow, word by word. */
interface Waiting {
  readonly item: Explained
  readonly at: LogPlace
  readonly entry: bigint[]
  readonly command: bigint[]
}

const whole = ({ item, entry, command }: Waiting): Explained => {
  const details = [
    ...(item.details ?? []),
    ...(entry.length === 4 ? [wordsSaid(deviceTableEntry, entry)] : []),
    ...(command.length === 4 ? [commandSaid(command)] : []),
  ]
  return details.length === 0 ? item : { ...item, details }
}

const about = (kind: Explained['kind'], input: string, meaning: string): Explained =>
  ({ kind, input, count: 1, vendor: 'amd', meaning })

/** Device table entries and commands are printed after the event that they belong to. */
export const createLogReader = (report: Report, other: () => void): LogReader => {
  let waiting: Waiting | undefined
  /** The first line of an event that was broken into two. */
  let begun: { readonly input: string; readonly at: LogPlace } | undefined
  const end = (): void => {
    if (waiting !== undefined) report(whole(waiting), waiting.at)
    waiting = undefined
    if (begun !== undefined) other()
    begun = undefined
  }
  return {
    take(input, at) {
      const rest = begun === undefined ? undefined : readEventRest(input)
      if (begun !== undefined && rest !== undefined) {
        waiting = { item: itemOf(rest, `${begun.input} ${input}`), at: begun.at, entry: [], command: [] }
        begun = undefined
        return true
      }
      const line = readLogLine(input)
      if (line === undefined) return false
      const follows = waiting === undefined ? undefined
        : line.kind === 'entry-word' ? waiting.entry : line.kind === 'command-word' ? waiting.command : undefined
      if (follows !== undefined && (line.kind === 'entry-word' || line.kind === 'command-word') && follows.length === line.index) {
        follows.push(line.word)
        return true
      }
      end()
      switch (line.kind) {
        case 'event': waiting = { item: itemOf(line, input), at, entry: [], command: [] }; break
        case 'event-begins': begun = { input, at }; break
        case 'suppressed':
          report(suppressedItem('amd', input, line.lines), at)
          break
        case 'overflow': report(about('log-error', input, 'the event log was full, so some events were lost'), at); break
        case 'wait-timeout':
          report(about('queue-error', input, 'the IOMMU did not finish its commands in time: what was to be invalidated may still be in use'), at)
          break
        case 'entry-word': case 'command-word': case 'other': other(); break
        default: line satisfies never
      }
      return true
    },
    end,
  }
}
