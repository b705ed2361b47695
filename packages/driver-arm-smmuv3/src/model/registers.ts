// The register window: what writes start, and what reads report.
import { decode, encode } from '@iommu/bits'
import type { RegisterDevice } from '@iommu/hardware'
import {
  commandQueueIndex, control0, control2, globalBypass, globalError, OFFSETS, outputQueueIndex, queueBase, streamTableBase, streamTableConfig,
} from '../tables/index.js'
import type { IdentificationRegisters } from '../tables/index.js'
import type { StreamTable } from './copies.js'
import type { EventQueueState } from './event-queue.js'
import type { QueueState } from './queue.js'

/** What the registers switch. */
export interface UnitState {
  translating: boolean
  /** While translation is off: whether everything aborts, or passes. */
  abortsWhileOff: boolean
  /** ATS traffic is checked by stream table entries. */
  checksAts: boolean
  recordsBadStreams: boolean
  streamTable: StreamTable
  readonly queue: QueueState
  readonly events: EventQueueState
  /** GERROR and GERRORN. */
  errors: number
  acknowledged: number
  readonly plain: Map<number, bigint>
}

/** What register writes set going. */
export interface Consequences {
  /** Commands may be taken: the producer moved, the queue was enabled, or an error was acknowledged. */
  runQueue(): void
}

const mask32 = 0xffff_ffffn
/** Width of queue indexes with their wrap bit. */
const indexMask = (log2size: number): number => 2 ** (log2size + 1) - 1
const [COMMAND_QUEUE_ERROR] = encode(globalError, { CMDQ: 1 }) as [bigint]

/** GERROR says that the command queue has stopped. */
export const raiseCommandError = (state: UnitState): void => { state.errors ^= Number(COMMAND_QUEUE_ERROR) }

export const createRegisterDevice = (identification: IdentificationRegisters, state: UnitState, { runQueue }: Consequences): RegisterDevice => {
  const { queue, events, plain } = state
  const enable = (value: bigint): void => {
    const c = decode(control0, [value & mask32])
    state.translating = c.SMMUEN === 1
    state.checksAts = c.ATSCHK === 1
    events.enabled = c.EVENTQEN === 1
    queue.enabled = c.CMDQEN === 1
    plain.set(OFFSETS.CR0, value)
    plain.set(OFFSETS.CR0ACK, value)
    runQueue()
  }
  /** The stream table can be changed while translation is off only. */
  const setTable = (): void => {
    const { ADDR } = decode(streamTableBase, [plain.get(OFFSETS.STRTAB_BASE) ?? 0n])
    const c = decode(streamTableConfig, [plain.get(OFFSETS.STRTAB_BASE_CFG) ?? 0n])
    state.streamTable = { base: ADDR, log2size: c.LOG2SIZE, split: c.FMT === 1 ? c.SPLIT : 0 }
  }
  const acknowledge = (value: bigint): void => {
    state.acknowledged = Number(value)
    if (decode(globalError, [BigInt((state.errors ^ state.acknowledged) >>> 0)]).CMDQ === 0 && queue.stopped) {
      queue.stopped = false
      queue.error = 0
      runQueue()
    }
  }
  const read = (offset: number): bigint => {
    switch (offset) {
      case OFFSETS.IDR0: return BigInt(identification.IDR0)
      case OFFSETS.IDR1: return BigInt(identification.IDR1)
      case OFFSETS.IDR3: return BigInt(identification.IDR3)
      case OFFSETS.IDR5: return BigInt(identification.IDR5)
      // SMMUv3.1
      case OFFSETS.AIDR: return 1n
      case OFFSETS.GERROR: return BigInt(state.errors >>> 0)
      case OFFSETS.GERRORN: return BigInt(state.acknowledged >>> 0)
      case OFFSETS.CMDQ_PROD: return BigInt(queue.produced)
      case OFFSETS.CMDQ_CONS: return encode(commandQueueIndex, { INDEX: queue.consumed, ERR: queue.error })[0] as bigint
      case OFFSETS.EVENTQ_PROD: return encode(outputQueueIndex, { INDEX: events.produced, OVFLG: events.overflow ? 1 : 0 })[0] as bigint
      case OFFSETS.EVENTQ_CONS: return encode(outputQueueIndex, { INDEX: events.consumed, OVFLG: events.acknowledged ? 1 : 0 })[0] as bigint
      default: return plain.get(offset) ?? 0n
    }
  }
  const write = (offset: number, value: bigint): void => {
    switch (offset) {
      case OFFSETS.CR0: return enable(value)
      case OFFSETS.CR2:
        plain.set(offset, value)
        state.recordsBadStreams = decode(control2, [value & mask32]).RECINVSID === 1
        return
      case OFFSETS.IRQ_CTRL:
        plain.set(offset, value)
        plain.set(OFFSETS.IRQ_CTRLACK, value)
        return
      case OFFSETS.GBPA: {
        const g = decode(globalBypass, [value & mask32])
        // A write without Update is no write.
        if (g.Update === 0) return
        state.abortsWhileOff = g.ABORT === 1
        plain.set(offset, encode(globalBypass, { Update: 0 }, [value & mask32])[0] as bigint)
        return
      }
      case OFFSETS.GERRORN: return acknowledge(value)
      case OFFSETS.STRTAB_BASE: case OFFSETS.STRTAB_BASE_CFG:
        if (state.translating) return
        plain.set(offset, value)
        return setTable()
      case OFFSETS.CMDQ_BASE: case OFFSETS.EVENTQ_BASE: {
        const target = offset === OFFSETS.CMDQ_BASE ? queue : events
        if (target.enabled) return
        const { ADDR, LOG2SIZE } = decode(queueBase, [value])
        plain.set(offset, value)
        target.base = ADDR
        target.log2size = LOG2SIZE
        return
      }
      case OFFSETS.CMDQ_PROD:
        queue.produced = Number(value) & indexMask(queue.log2size)
        return runQueue()
      case OFFSETS.CMDQ_CONS:
        if (!queue.enabled) queue.consumed = decode(commandQueueIndex, [value & mask32]).INDEX & indexMask(queue.log2size)
        return
      case OFFSETS.EVENTQ_PROD:
        if (!events.enabled) events.produced = decode(outputQueueIndex, [value & mask32]).INDEX
        return
      case OFFSETS.EVENTQ_CONS: {
        const { INDEX, OVFLG } = decode(outputQueueIndex, [value & mask32])
        events.consumed = INDEX & indexMask(events.log2size)
        events.acknowledged = OVFLG === 1
        return
      }
      default: plain.set(offset, value)
    }
  }
  return {
    read: (offset, bits) => (bits === 32 ? read(offset) & mask32 : read(offset)),
    write: (offset, _bits, value) => write(offset, value),
  }
}
