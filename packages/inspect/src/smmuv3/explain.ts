// What SMMUv3's event lines mean.
import { decode, decodeField, describe, renderLine } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { anyEvent, commandLayout, events, syncCommand } from '@iommu/driver-arm-smmuv3/queues'
import { COMMAND_ERRORS, commandQueueIndex, globalError } from '@iommu/driver-arm-smmuv3/registers'
import type { Explained } from '../explained.js'
import { hex, hexCode, hexWord } from '../spell.js'
import { suppressedItem } from '../suppressed.js'
import type { LogPlace, LogReader, Report } from '../vendor.js'
import { codeNamed, explainCode } from './codes.js'
import { readLogLine } from './log-lines.js'
import type { DecodedAccess, DecodedEvent, LogLine } from './log-lines.js'

/** An event of which some lines have been read. Its words come first, then what newer kernels make of them. */
interface Event {
  readonly kind: 'event'
  readonly at: LogPlace
  input: string
  readonly code: number
  readonly words: bigint[]
  decoded?: DecodedEvent
  access?: DecodedAccess
}

/** A command that was refused, and its words as they are printed after it. */
interface Command {
  readonly kind: 'command'
  readonly at: LogPlace
  input: string
  readonly meaning: string
  readonly words: bigint[]
}

type Waiting = Event | Command

const EVENT_WORDS = 4
const COMMAND_WORDS = 2

/** Fields of an event by name; those that its layout has not are absent. */
const valuesOf = (layout: Entry, words: readonly bigint[]): Readonly<Record<string, number | bigint | undefined>> =>
  decode(layout, words)

const has = (value: number | bigint | undefined): boolean => value !== undefined && Number(value) === 1

/** What the event's words say, in the form of what newer kernels print. */
const fromWords = (layout: Entry, name: string, words: readonly bigint[]): Pick<Event, 'decoded' | 'access'> => {
  const values = valuesOf(layout, words)
  const { SID, SSID, InputAddr, IPA, FetchAddr } = values
  const decoded: DecodedEvent = {
    name, stream: Number(SID), substream: Number(SSID),
    ...(InputAddr === undefined ? {} : { iova: BigInt(InputAddr) }),
    ...(IPA === undefined ? {} : { ipa: BigInt(IPA) }),
    ...(FetchAddr === undefined ? {} : { fetch: BigInt(FetchAddr) }),
  }
  if (values['RnW'] === undefined) return { decoded }
  return {
    decoded,
    access: {
      privileged: has(values['PnU']), instruction: has(values['InD']), access: has(values['RnW']) ? 'read' : 'write',
      stage: has(values['S2']) ? 2 : 1, stalled: has(values['Stall']), tag: Number(values['STAG'] ?? 0),
    },
  }
}

const detailsOf = (layout: Entry, event: Event, { decoded, access }: Pick<Event, 'decoded' | 'access'>): string[] => {
  const cls = event.words.length === EVENT_WORDS ? valuesOf(layout, event.words)['CLASS'] : undefined
  const kind = cls === undefined ? undefined : layout.fields['CLASS']?.meanings?.[Number(cls)]
  const made = access === undefined ? []
    : [`${access.privileged ? 'privileged' : 'unprivileged'} ${access.instruction ? 'instruction' : 'data'} access`,
        ...(Object.hasOwn(layout.fields, 'S2') ? [`stage ${access.stage}`] : [])]
  return [
    ...(event.decoded?.client === undefined ? [] : [`stream ${hex(decoded?.stream ?? 0)}`]),
    ...made,
    ...(kind === undefined ? [] : [`while translating: ${kind}`]),
    ...(decoded?.ipa !== undefined && access?.stage === 2 ? [`intermediate address ${hex(decoded.ipa)}`] : []),
    ...(decoded?.fetch === undefined ? [] : [`could not read ${hex(decoded.fetch)}`]),
    ...(access?.stalled === true ? [`stalled, tag ${hex(access.tag)}: the device waits for an answer`] : []),
  ]
}

/** Whether the request had an SSID: the printed form has 0 where it had none, the words tell them apart. */
const substreamOf = ({ words }: Event, decoded: DecodedEvent): number | undefined => {
  if (words.length === EVENT_WORDS) return decodeField(anyEvent, words, 'SSV') === 1 ? decodeField(anyEvent, words, 'SSID') : undefined
  return decoded.substream === 0 ? undefined : decoded.substream
}

/** What is told of an event whose line was cut: who it was stands in the first word. */
const cut = ([first, ...more]: readonly bigint[]): Partial<Explained> => {
  if (first === undefined) return { reading: 'the words of the event are missing: who and where is not told' }
  const { SID, SSV, SSID } = decode(anyEvent, [first, 0n, 0n, 0n])
  return {
    device: `stream ${hex(SID)}`, ...(SSV === 1 ? { pasid: SSID } : {}),
    reading: `${more.length + 1} of ${EVENT_WORDS} words of the event are there: where is not told`,
  }
}

const eventItem = (event: Event): Explained => {
  const { code, words, input } = event
  const known = events.get(code)
  const layout = known?.layout ?? anyEvent
  const complete = words.length === EVENT_WORDS
  const read = complete ? fromWords(layout, known?.name ?? '', words) : event
  const about = { kind: 'dma-fault', input, count: 1 } as const
  const { decoded, access } = read
  if (decoded === undefined) return { ...about, ...explainCode(code), ...cut(words) }
  const pasid = substreamOf(event, decoded)
  const { client } = event.decoded ?? {}
  return {
    ...about,
    ...explainCode(code),
    device: client ?? `stream ${hex(decoded.stream)}`,
    ...(pasid === undefined ? {} : { pasid }),
    ...(decoded.iova === undefined ? {} : { address: hex(decoded.iova) }),
    ...(access === undefined ? {} : { access: access.access }),
    details: detailsOf(layout, event, read),
  }
}

const wordsSaid = (words: readonly bigint[]): string => {
  const layout = commandLayout(words)
  return layout === undefined
    ? `its command has the opcode ${hexCode(decodeField(syncCommand, words, 'Opcode'))}, which is not known here`
    : `the command is ${layout.title}: ${renderLine(describe(layout, words))}`
}

const commandItem = ({ input, meaning, words }: Command): Explained => ({
  kind: 'queue-error', input, count: 1, vendor: 'smmuv3', meaning, section: commandQueueIndex.section,
  ...(words.length === COMMAND_WORDS ? { details: [wordsSaid(words)] } : {}),
})

const COMMAND_MEANINGS: Readonly<Record<number, string>> = {
  [COMMAND_ERRORS.none]: 'the command queue reports an error without a reason',
  [COMMAND_ERRORS.illegal]: 'the SMMU refuses a command, and runs no further one until software has replaced it',
  [COMMAND_ERRORS.abort]: 'a command could not be read: the queue lies in something that is not memory',
  [COMMAND_ERRORS.atcInvSync]: 'a device did not answer the invalidation of its TLB: it may still use what was taken away',
}

const errorsIn = (value: bigint): string => {
  const { rows } = describe(globalError, [value])
  const set = rows.filter(({ value: each }) => Number(each) !== 0).map(({ name, title }) => `${name} (${title})`)
  return set.length === 0 ? 'no error that is known here' : set.join('; ')
}

const simple = (kind: Explained['kind'], input: string, meaning: string, section?: string): Explained =>
  ({ kind, input, count: 1, vendor: 'smmuv3', meaning, ...(section === undefined ? {} : { section }) })

/** A line that says all by itself; undefined for those that do not. */
const itemOf = (line: LogLine, input: string): Explained | undefined => {
  switch (line.kind) {
    case 'suppressed':
      return suppressedItem('smmuv3', input, line.lines)
    case 'global-error':
      return simple('fault-status', input, `the SMMU reports ${errorsIn(line.value)}`, globalError.section)
    case 'lost': return simple('log-error', input, `the ${line.queue} queue was full or could not be written, so some were lost`)
    case 'failure': return simple('log-error', input, 'the SMMU has given up: it aborts all DMA until it is reset')
    case 'sync-timeout':
      return simple('queue-error', input, 'the SMMU did not finish its commands in time: what was to be invalidated may still be in use')
    default: return undefined
  }
}

/** Puts the lines of an event together: its code, four words, and in newer kernels what these mean. */
export const createLogReader = (report: Report, other: () => void): LogReader => {
  const waiting = new Map<string, Waiting>()
  const finish = (smmu: string): void => {
    const done = waiting.get(smmu)
    waiting.delete(smmu)
    if (done !== undefined) report(done.kind === 'event' ? eventItem(done) : commandItem(done), done.at)
  }
  /** Whether the line goes on with what waits. */
  const joins = (line: LogLine, open: Waiting): boolean => {
    switch (line.kind) {
      case 'word': {
        const wanted = open.words.length < (open.kind === 'event' ? EVENT_WORDS : COMMAND_WORDS)
        if (!wanted) return false
        open.words.push(line.word)
        open.input += ` ${hexWord(line.word)}`
        return true
      }
      case 'command-follows': return open.kind === 'command'
      case 'decoded':
        if (open.kind !== 'event' || open.decoded !== undefined || codeNamed(line.event.name) !== open.code) return false
        open.decoded = line.event
        return true
      case 'access':
        if (open.kind !== 'event' || open.access !== undefined) return false
        open.access = line.access
        return true
      default: return false
    }
  }
  const begin = (smmu: string, line: LogLine, input: string, at: LogPlace): void => {
    if (line.kind === 'event') waiting.set(smmu, { kind: 'event', at, input, code: line.code, words: [...line.words] })
    else if (line.kind === 'command-error') {
      const code = decodeField(commandQueueIndex, [line.consumer], 'ERR')
      waiting.set(smmu, { kind: 'command', at, input, meaning: COMMAND_MEANINGS[code] ?? `the command queue reports the unknown error ${code}`, words: [] })
    } else if (line.kind === 'decoded') {
      const code = codeNamed(line.event.name)
      if (code === undefined) other()
      else waiting.set(smmu, { kind: 'event', at, input, code, words: [], decoded: line.event })
    } else {
      const item = itemOf(line, input)
      if (item === undefined) other()
      else report(item, at)
    }
  }
  return {
    take(input, at) {
      const read = readLogLine(input)
      if (read === undefined) return false
      const { smmu, line } = read
      const open = waiting.get(smmu)
      if (open !== undefined && joins(line, open)) return true
      finish(smmu)
      begin(smmu, line, input, at)
      return true
    },
    end() {
      for (const smmu of [...waiting.keys()]) finish(smmu)
    },
  }
}
