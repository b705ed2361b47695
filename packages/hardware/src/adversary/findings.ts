// Findings: which sentence was broken, at which step, and by what.
import type { DmaRequest, Outcome } from '../dma.js'
import type { HardwareEvent } from '../events.js'

/** Which of the sentences is broken: during a switch, after it, when something is given back, at rest. */
export type Sentence = 'during' | 'after' | 'free' | 'rest'

export interface Finding {
  readonly sentence: Sentence
  /** After which step it was first possible. */
  readonly step: string
  readonly says: string
  readonly probe?: DmaRequest
  readonly outcome?: Outcome
}

/** What was found while something changed. */
export interface Verdict {
  readonly during: readonly Finding[]
  readonly after: readonly Finding[]
  /** Table pages given back while hardware could still hold them. */
  readonly free: readonly Finding[]
  readonly probes: readonly DmaRequest[]
  /** What each probe met before and meets now, as memory says it. */
  readonly from: readonly Outcome[]
  readonly to: readonly Outcome[]
  /** Probes that could be blocked in between, although they are blocked neither before nor after. */
  readonly interrupted: readonly DmaRequest[]
}

const hex = (value: bigint | number): string => `0x${value.toString(16)}`

/** A step in one line, for people. */
export const describeStep = (event: HardwareEvent): string => {
  switch (event.kind) {
    case 'store': return `store ${hex(event.address)}: ${event.before.map(hex).join(' ')} -> ${event.after.map(hex).join(' ')}`
    case 'command': return `command ${event.text}`
    case 'write-back': return `write-back ${hex(event.address)}`
    case 'allocate': case 'free': return `${event.kind} ${hex(event.frame)}000`
    case 'register': return `register ${hex(event.offset)} = ${hex(event.value)}`
    case 'order': case 'config': return event.kind
    default: return event satisfies never
  }
}
