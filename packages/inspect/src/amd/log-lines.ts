// Recognises the lines that kernels write about AMD-Vi, and takes them apart. Says nothing about meaning.

export type LogLine =
  | {
      readonly kind: 'event'
      /** As printed: "IO_PAGE_FAULT". */
      readonly name: string
      /** The PCI device that the kernel wrote the line for: for page faults the one that faulted. */
      readonly speaker?: string
      readonly device?: string
      /** What the line calls a domain: the PASID where the fault has one. */
      readonly domain?: number
      /** What the line calls a PASID, whether the event has one or not. */
      readonly pasid?: number
      readonly tag?: number
      readonly address?: bigint
      /** Bits 59:48 of the entry. */
      readonly flags?: number
      /** An entry of a code that the kernel does not know, as it prints it: four 32-bit words, the lowest first. */
      readonly words?: readonly bigint[]
    }
  /** The name and all else stand on the next line. */
  | { readonly kind: 'event-begins' }
  | { readonly kind: 'entry-word'; readonly index: number; readonly word: bigint }
  | { readonly kind: 'command-word'; readonly index: number; readonly word: bigint }
  | { readonly kind: 'suppressed'; readonly lines: number }
  | { readonly kind: 'overflow' }
  | { readonly kind: 'wait-timeout' }
  | { readonly kind: 'other' }

const BDF = String.raw`(?:[0-9a-f]{4,8}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]`
const SPEAKER = new RegExp(String.raw`\b(${BDF}): $`, 'i')
const EVENT = /^AMD-Vi:\s+(?:IOMMU\s+)?Event logged \[\s*([A-Z_]{1,40})\b(.{0,400})/i
const EVENT_BEGINS = /^AMD-Vi:\s+Event logged \[$/i
const EVENT_GOES_ON = /\b([A-Z_]{6,40}) (device=.{0,400})/
const ENTRY_WORD = /^AMD-Vi:\s+DTE\[([0-3])\]:\s+([0-9a-f]{16})$/i
const COMMAND_WORD = /^AMD-Vi:\s+CMD\[([0-3])\]:\s+([0-9a-f]{8})$/i
const SUPPRESSED = /\bamd_iommu_\w{1,60}: (\d{1,9}) callbacks suppressed/
/** Longest text before "AMD-Vi:" in which the speaker is looked for. */
const BEFORE = 200

/** "key=value" pairs; values end at a space, a comma or the bracket. */
const pairsIn = (text: string): ReadonlyMap<string, string> =>
  new Map([...text.matchAll(/\b([a-z_]{1,20}(?:\[\d\])?)=([^\s,\]]{1,40})/gi)].map(([, key = '', value = '']) => [key.toLowerCase(), value]))

const bigintOf = (text: string | undefined): bigint | undefined =>
  text !== undefined && /^(?:0x)?[0-9a-f]{1,16}$/i.test(text) ? BigInt(`0x${text.replace(/^0x/i, '')}`) : undefined
const numberOf = (text: string | undefined): number | undefined => {
  const value = bigintOf(text)
  return value === undefined ? undefined : Number(value)
}

/** A number of so many bits; no kernel prints a wider one there. */
const fitting = (bits: number, text: string | undefined): number | undefined => {
  const value = numberOf(text)
  return value === undefined || value >= 2 ** bits ? undefined : value
}

/** Members of an event as they are found; those that the line does not give are not there. */
type Found = { -readonly [Name in keyof EventLine]: EventLine[Name] }
type EventLine = LogLine & { readonly kind: 'event' }

/** Made for every event of a log, which may be a million: members are added where the line gives them. */
const readEvent = (name: string, rest: string, before: string): EventLine => {
  const pairs = pairsIn(rest)
  const event: Found = { kind: 'event', name: name.toUpperCase() }
  const speaker = SPEAKER.exec(before)?.[1]
  if (speaker !== undefined) event.speaker = speaker.toLowerCase()
  const device = pairs.get('device')
  if (device !== undefined) event.device = device.toLowerCase()
  const domain = fitting(20, pairs.get('domain'))
  if (domain !== undefined) event.domain = domain
  const pasid = fitting(20, pairs.get('pasid'))
  if (pasid !== undefined) event.pasid = pasid
  const tag = numberOf(pairs.get('tag'))
  if (tag !== undefined) event.tag = tag
  const address = bigintOf(pairs.get('address') ?? pairs.get('gpa') ?? pairs.get('spa'))
  if (address !== undefined) event.address = address
  const flags = fitting(12, pairs.get('flags'))
  if (flags !== undefined) event.flags = flags
  const words = pairs.has('event[0]') ? [0, 1, 2, 3].map((index) => bigintOf(pairs.get(`event[${index}]`))) : []
  if (words.length > 0 && words.every((word) => word !== undefined)) event.words = words
  return event
}

/** One line, whatever stands before it. Undefined where it is not about AMD-Vi. */
export const readLogLine = (line: string): LogLine | undefined => {
  const suppressed = SUPPRESSED.exec(line)
  if (suppressed !== null) return { kind: 'suppressed', lines: Number(suppressed[1]) }
  const at = line.indexOf('AMD-Vi:')
  if (at < 0) return undefined
  const text = line.slice(at)
  const event = EVENT.exec(text)
  if (event !== null) return readEvent(event[1] as string, event[2] as string, line.slice(Math.max(0, at - BEFORE), at))
  if (EVENT_BEGINS.test(text)) return { kind: 'event-begins' }
  const entry = ENTRY_WORD.exec(text)
  if (entry !== null) return { kind: 'entry-word', index: Number(entry[1]), word: BigInt(`0x${entry[2]}`) }
  const command = COMMAND_WORD.exec(text)
  if (command !== null) return { kind: 'command-word', index: Number(command[1]), word: BigInt(`0x${command[2]}`) }
  if (text.includes('Completion-Wait loop timed out')) return { kind: 'wait-timeout' }
  if (/Event log (?:overflow|restarting)/i.test(text)) return { kind: 'overflow' }
  return { kind: 'other' }
}

/** The second line of an event that was broken into two. Undefined where it is no such line. */
export const readEventRest = (line: string): EventLine | undefined => {
  const [, name, rest] = EVENT_GOES_ON.exec(line) ?? []
  return name === undefined || rest === undefined || line.includes('AMD-Vi:') ? undefined : readEvent(name, ` ${rest}`, '')
}
