// The register window: what writes start, and what reads report.
import { decode, encode } from '@iommu/bits'
import { OFFSETS, faultStatus, globalCommand, globalStatus, queueAddress, queueError, rootTableAddress } from '../tables/index.js'
import type { RegisterDevice } from '@iommu/hardware'
import type { Capabilities } from '../tables/index.js'
import type { FaultLog } from './fault-log.js'
import type { QueueState } from './queue.js'

/** Table modes of RTADDR that the unit distinguishes. */
export type TableMode = 'legacy' | 'scalable' | 'abort' | 'reserved'

/** What the registers switch. */
export interface UnitState {
  translating: boolean
  rootPointerSet: boolean
  /** The root pointer in force: latched by SRTP, not by the write of RTADDR. */
  rootTable: bigint
  mode: TableMode
  rtaddr: bigint
  readonly queue: QueueState
  readonly plain: Map<number, bigint>
}

/** What register writes set going. */
export interface Consequences {
  /** Head may move: the tail was written, the queue was enabled, or an error was cleared. */
  runQueue(): void
  rootPointerSet(): void
}

const MODES: Readonly<Record<number, TableMode>> = { 0: 'legacy', 1: 'scalable', 2: 'reserved', 3: 'abort' }
const mask32 = 0xffff_ffffn

export const createRegisterDevice = (
  words: { readonly cap: bigint; readonly ecap: bigint }, capabilities: Capabilities, state: UnitState, log: FaultLog,
  consequences: Consequences,
): RegisterDevice => {
  const { queue } = state
  const command = (value: bigint): void => {
    const c = decode(globalCommand, [value])
    if (c.SRTP === 1) {
      const { TTM, RTA } = decode(rootTableAddress, [state.rtaddr])
      state.rootTable = RTA
      state.mode = MODES[TTM] as TableMode
      state.rootPointerSet = true
      consequences.rootPointerSet()
    }
    state.translating = c.TE === 1
    queue.enabled = c.QIE === 1
    if (!queue.enabled) queue.head = 0
    consequences.runQueue()
  }
  const status = (): bigint => encode(globalStatus, {
    TES: state.translating ? 1 : 0, RTPS: state.rootPointerSet ? 1 : 0, QIES: queue.enabled ? 1 : 0,
  })[0] as bigint
  const faults = (): bigint => encode(faultStatus, {
    PFO: log.overflow ? 1 : 0, PPF: log.pending ? 1 : 0, FRI: log.pending ? log.first : 0,
    IQE: queue.error ? 1 : 0, ITE: queue.timeout ? 1 : 0,
  })[0] as bigint
  const clearFaults = (value: bigint): void => {
    const f = decode(faultStatus, [value & mask32])
    if (f.PFO === 1) log.clearOverflow()
    if (f.IQE === 1) queue.error = false
    if (f.ITE === 1) queue.timeout = false
    consequences.runQueue()
  }
  const setQueue = (value: bigint): void => {
    const { IQA, QS, DW } = decode(queueAddress, [value])
    queue.base = IQA
    queue.pages = 2 ** QS
    queue.wide = DW === 1
  }

  const faultRegister = (offset: number): { index: number; high: boolean; half: bigint } | undefined => {
    const inside = offset - capabilities.faultOffset
    if (inside < 0 || inside >= capabilities.faultRecords * 16) return undefined
    return { index: inside >> 4, high: (inside & 8) !== 0, half: BigInt(inside & 4) * 8n }
  }
  const read64 = (offset: number): bigint => {
    const record = faultRegister(offset)
    if (record !== undefined) return log.read(record.index, record.high) >> record.half
    switch (offset) {
      case OFFSETS.VER: return 0x60n
      case OFFSETS.CAP: return words.cap
      case OFFSETS.ECAP: return words.ecap
      case OFFSETS.GSTS: return status()
      case OFFSETS.RTADDR: return state.rtaddr
      case OFFSETS.FSTS: return faults()
      case OFFSETS.IQH: return BigInt(queue.head)
      case OFFSETS.IQT: return BigInt(queue.tail)
      case OFFSETS.ICS: return queue.waitComplete ? 1n : 0n
      case OFFSETS.IQERCD: return encode(queueError, { ITESID: queue.timeout ? queue.timedOutSource : 0 })[0] as bigint
      default: return state.plain.get(offset) ?? 0n
    }
  }
  return {
    read: (offset, bits) => (bits === 32 ? read64(offset) & mask32 : read64(offset)),
    write(offset, bits, value) {
      const record = faultRegister(offset)
      if (record !== undefined) {
        // F is the top bit of the record; writing it as one clears it.
        const top = record.high && (bits === 64 ? value >> 63n : record.half === 32n ? value >> 31n : 0n) === 1n
        if (top) log.clear(record.index)
        return
      }
      switch (offset) {
        case OFFSETS.GCMD: return command(value)
        case OFFSETS.RTADDR: state.rtaddr = value; return
        case OFFSETS.FSTS: return clearFaults(value)
        case OFFSETS.IQA: state.plain.set(offset, value); return setQueue(value)
        case OFFSETS.IQT: queue.tail = Number(value); return consequences.runQueue()
        case OFFSETS.ICS: if ((value & 1n) === 1n) queue.waitComplete = false; return
        default: state.plain.set(offset, value)
      }
    },
  }
}
