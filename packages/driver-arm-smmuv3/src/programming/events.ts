// Reads the event queue.
import { decode, encode } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { loadWords } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import { anyEvent, EVENT_LAYOUTS, EVENTS, OFFSETS, outputQueueIndex } from '../tables/index.js'
import type { EventName, translationEvent } from '../tables/index.js'

const EVENT_WORDS = 4
const NAMES = Object.keys(EVENTS) as readonly EventName[]

/** One event as hardware recorded it. Which members an event has depends on what it is. */
export interface RecordedEvent {
  readonly source: number
  /** Absent: a request without PASID. */
  readonly pasid?: number
  readonly code: number
  /** undefined for a code that is not known; `events` of ./queues says what it means. */
  readonly name: EventName | undefined
  readonly address?: bigint
  readonly access?: 'read' | 'write'
  /** 2: the fault is of stage 2. */
  readonly stage?: 1 | 2
  /** Address of the structure that could not be read. */
  readonly fetch?: bigint
  /** The DMA waits for an answer under this tag. */
  readonly stalled?: number
}

/** What was in the queue. `overflow`: further events were dropped. */
export interface EventReport {
  readonly events: readonly RecordedEvent[]
  readonly overflow: boolean
}

/** Where the queue is. */
export interface EventQueue {
  readonly base: bigint
  readonly log2size: number
}

const read = (words: readonly bigint[]): RecordedEvent => {
  const { ID, SSV, SSID, SID } = decode(anyEvent, words)
  const name = NAMES.find((each) => EVENTS[each] === ID)
  const values: Partial<ReturnType<typeof decode<(typeof translationEvent)['fields']>>> & { readonly FetchAddr?: bigint }
    = name === undefined ? {} : decode(EVENT_LAYOUTS[name] as Entry, words)
  return {
    source: SID,
    ...(SSV === 1 ? { pasid: SSID } : {}),
    code: ID,
    name,
    ...(values.InputAddr === undefined ? {} : { address: values.InputAddr }),
    ...(values.RnW === undefined ? {} : { access: values.RnW === 1 ? 'read' : 'write' }),
    ...(values.S2 === undefined ? {} : { stage: values.S2 === 1 ? 2 : 1 }),
    ...(values.FetchAddr === undefined ? {} : { fetch: values.FetchAddr }),
    ...(values.Stall === 1 ? { stalled: values.STAG ?? 0 } : {}),
  }
}

/** Takes every event, oldest first, and acknowledges an overflow (IHI0070 7.4). */
export const readEvents = ({ memory, registers }: Machine, { base, log2size }: EventQueue): EventReport => {
  const size = 2 ** log2size
  const index = (offset: number): { INDEX: number; OVFLG: number } => decode(outputQueueIndex, [BigInt(registers.read32(offset) >>> 0)])
  const produced = index(OFFSETS.EVENTQ_PROD)
  const consumed = index(OFFSETS.EVENTQ_CONS)
  const taken: RecordedEvent[] = []
  for (let at = consumed.INDEX; at !== produced.INDEX; at = (at + 1) % (size * 2)) {
    const record = base + BigInt((at % size) * EVENT_WORDS * 8)
    taken.push(read(loadWords(memory, record, EVENT_WORDS)))
  }
  registers.write32(OFFSETS.EVENTQ_CONS, Number(encode(outputQueueIndex, { INDEX: produced.INDEX, OVFLG: produced.OVFLG })[0]))
  return { events: taken, overflow: produced.OVFLG !== consumed.OVFLG }
}
