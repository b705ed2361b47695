// The event queue: records in memory, the producer's index, and overflow.
import { encode } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import type { DmaRequest, PhysicalMemory } from '@iommu/hardware'
import { EVENTS, events } from '../tables/index.js'
import type { Detail, Stopped } from './copies.js'

const EVENT_BYTES = 32n
const CLASSES = { walk: 1, input: 2 } as const
/** The record has bits 55:12 of an intermediate address. */
const IPA_MASK = 0xff_ffff_ffff_f000n

/** Where the queue is and how far it has come. Indexes have a wrap bit above them. */
export interface EventQueueState {
  base: bigint
  log2size: number
  enabled: boolean
  produced: number
  consumed: number
  /** The overflow flag, and what software has acknowledged. */
  overflow: boolean
  acknowledged: boolean
  /** Stall tags given out. */
  stalled: number
}

export const createEventQueueState = (): EventQueueState => ({
  base: 0n, log2size: 0, enabled: false, produced: 0, consumed: 0, overflow: false, acknowledged: false, stalled: 0,
})

/** The fields that an event's layout has, of all that could be said. */
const recordOf = (layout: Entry, request: DmaRequest, { code }: Stopped, detail: Detail, tag: number): bigint[] => {
  const { source, pasid, address, access, privileged, execute } = request
  const all: Readonly<Record<string, number | bigint>> = {
    ID: code, SID: source, SSV: pasid === undefined ? 0 : 1, SSID: pasid ?? 0,
    PnU: privileged === true ? 1 : 0, InD: execute === true ? 1 : 0, RnW: access === 'read' ? 1 : 0,
    InputAddr: address, S2: detail.stage === 2 ? 1 : 0, CLASS: CLASSES[detail.class ?? 'input'], FetchAddr: detail.fetch ?? 0n,
    // Stage 2 alone: the input address is the intermediate one.
    IPA: detail.stage === 2 ? address & IPA_MASK : 0n,
    Stall: detail.stalls === true ? 1 : 0, STAG: detail.stalls === true ? tag : 0,
  }
  return encode(layout, Object.fromEntries(Object.entries(all).filter(([name]) => Object.hasOwn(layout.fields, name))))
}

/** Records why a DMA stopped; where the queue is full, raises the overflow flag and drops it (IHI0070 7.4). */
export const recordEvent = (state: EventQueueState, memory: PhysicalMemory, request: DmaRequest, stopped: Stopped): void => {
  const kind = events.get(stopped.code)
  if (!state.enabled || kind === undefined) return
  const size = 2 ** state.log2size
  if ((state.produced - state.consumed + 2 * size) % (2 * size) === size) {
    state.overflow = !state.acknowledged
    return
  }
  const { detail } = stopped
  const tag = detail.stalls === true ? (state.stalled = (state.stalled + 1) & 0xffff) : 0
  const at = state.base + BigInt(state.produced % size) * EVENT_BYTES
  recordOf(kind.layout, request, stopped, detail, tag).forEach((word, index) => memory.deviceStore64(at + BigInt(index * 8), word))
  state.produced = (state.produced + 1) % (2 * size)
}

/** Whether an event of this code is one of the four that a stage may keep silent about. A table that cannot be read is none (IHI0070 5.5). */
export const isTranslationFault = (code: number): boolean => code >= EVENTS.F_TRANSLATION && code <= EVENTS.F_PERMISSION
