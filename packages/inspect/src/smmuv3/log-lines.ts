// Recognises the lines that kernels write about SMMUv3, and takes them apart. Says nothing about meaning.

/** An event as newer kernels print it, decoded. */
export interface DecodedEvent {
  readonly name: string
  /** Absent where the kernel knows no device of that stream. */
  readonly client?: string
  readonly stream: number
  readonly substream: number
  readonly iova?: bigint
  readonly ipa?: bigint
  readonly fetch?: bigint
}

/** How the access was made, as newer kernels print it. */
export interface DecodedAccess {
  readonly privileged: boolean
  readonly instruction: boolean
  readonly access: 'read' | 'write'
  readonly stage: 1 | 2
  readonly stalled: boolean
  readonly tag: number
}

export type LogLine =
  | { readonly kind: 'event'; readonly code: number; readonly words: readonly bigint[] }
  | { readonly kind: 'word'; readonly word: bigint }
  | { readonly kind: 'decoded'; readonly event: DecodedEvent }
  | { readonly kind: 'access'; readonly access: DecodedAccess }
  | { readonly kind: 'command-error'; readonly consumer: bigint }
  | { readonly kind: 'command-follows' }
  | { readonly kind: 'global-error'; readonly value: bigint }
  | { readonly kind: 'lost'; readonly queue: 'event' | 'page request' }
  | { readonly kind: 'failure' }
  | { readonly kind: 'sync-timeout' }
  | { readonly kind: 'suppressed'; readonly lines: number }
  | { readonly kind: 'other' }

/** A line, and which SMMU it is about: reports of two of them may be mixed. */
export interface SmmuLine {
  readonly smmu: string
  readonly line: LogLine
}

const DRIVER = 'arm-smmu-v3 '
const SPEAKER = /^arm-smmu-v3 (\S{1,80}): ?/
const EVENT = /^event (?:0x)?([0-9a-f]{2}) received:((?:\s+0x[0-9a-f]{1,16}){0,4})$/i
const WORD = /^0x([0-9a-f]{16})$/i
const NUMBER = '(0x[0-9a-f]{1,16}|0)'
const DECODED = new RegExp(
  String.raw`^event: (\w{1,40}) client: (.{1,80}?) sid: ${NUMBER} ssid: ${NUMBER}((?: \w{1,20}: ${NUMBER}){0,3})$`, 'i')
const ACCESS = /^(unpriv|priv) (data|inst) (read|write) (s1|s2) "[^"]{0,80}"( \w{1,20}){0,3} stag: (0x[0-9a-f]{1,8}|0)$/i
const COMMAND_ERROR = /^CMDQ error \(cons 0x([0-9a-f]{1,8})\)/i
const GLOBAL_ERROR = /^unexpected global error reported \(0x([0-9a-f]{1,8})\)/i
/** Faults of contexts, and global ones, are those of SMMUs before version 3. */
const SUPPRESSED = /\barm_smmu_(?!(?:context|global)_fault)\w{1,60}: (\d{1,9}) callbacks suppressed/
const DEVICE = /^(?:[0-9a-f]{4,8}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/i

const wordsIn = (text: string): bigint[] => [...text.matchAll(/0x[0-9a-f]{1,16}/gi)].map(([word]) => BigInt(word))

const readDecoded = ([, name = '', client = '', stream = '', substream = '', rest = '']: RegExpExecArray): DecodedEvent => {
  const values = new Map([...rest.matchAll(/(\w+): (\w+)/g)].map(([, key = '', value = '']) => [key, BigInt(value)]))
  const [iova, ipa, fetch] = ['iova', 'ipa', 'fetch_addr'].map((key) => values.get(key))
  return {
    name: name.toUpperCase(), stream: Number(stream), substream: Number(substream),
    ...(DEVICE.test(client) ? { client: client.toLowerCase() } : {}),
    ...(iova === undefined ? {} : { iova }), ...(ipa === undefined ? {} : { ipa }), ...(fetch === undefined ? {} : { fetch }),
  }
}

const readText = (text: string): LogLine => {
  const word = WORD.exec(text)
  if (word !== null) return { kind: 'word', word: BigInt(`0x${word[1]}`) }
  const event = EVENT.exec(text)
  if (event !== null) return { kind: 'event', code: parseInt(event[1] as string, 16), words: wordsIn(event[2] as string) }
  const decoded = DECODED.exec(text)
  if (decoded !== null) return { kind: 'decoded', event: readDecoded(decoded) }
  const access = ACCESS.exec(text)
  if (access !== null) {
    const [, privilege, type, direction, stage, , tag] = access as unknown as string[]
    return {
      kind: 'access',
      access: {
        privileged: privilege === 'priv', instruction: type === 'inst', access: direction as 'read' | 'write',
        stage: stage === 's2' ? 2 : 1, stalled: / stall\b/.test(text), tag: Number(tag),
      },
    }
  }
  const command = COMMAND_ERROR.exec(text)
  if (command !== null) return { kind: 'command-error', consumer: BigInt(`0x${command[1]}`) }
  const error = GLOBAL_ERROR.exec(text)
  if (error !== null) return { kind: 'global-error', value: BigInt(`0x${error[1]}`) }
  if (text.startsWith('skipping command in error state')) return { kind: 'command-follows' }
  if (/^(?:EVTQ overflow|EVTQ write aborted)/.test(text)) return { kind: 'lost', queue: 'event' }
  if (/^PRIQ (?:overflow|write aborted)/.test(text)) return { kind: 'lost', queue: 'page request' }
  if (/^device has entered Service Failure Mode/.test(text)) return { kind: 'failure' }
  if (/^CMD_SYNC timeout/.test(text)) return { kind: 'sync-timeout' }
  return { kind: 'other' }
}

/** One line, whatever stands before it. Undefined where it is not about an SMMUv3. */
export const readLogLine = (line: string): SmmuLine | undefined => {
  const suppressed = SUPPRESSED.exec(line)
  if (suppressed !== null) return { smmu: '', line: { kind: 'suppressed', lines: Number(suppressed[1]) } }
  const at = line.indexOf(DRIVER)
  if (at >= 0) {
    const text = line.slice(at)
    const speaker = SPEAKER.exec(text)
    if (speaker !== null) return { smmu: speaker[1] as string, line: readText(text.slice(speaker[0].length).trim()) }
  }
  // A line that was copied without what stands before it.
  const bare = line.indexOf('event 0x')
  const read = bare < 0 ? undefined : readText(line.slice(bare).trim())
  return read?.kind === 'event' ? { smmu: '', line: read } : undefined
}
