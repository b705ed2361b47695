// The register window: what writes start, and what reads report.
import { decode, encode } from '@iommu/bits'
import type { RegisterDevice } from '@iommu/hardware'
import { control, deviceTable, faultRecord, OFFSETS, queueBase, status } from '../tables/index.js'
import type { FaultLog } from './fault-log.js'
import type { QueueState } from './queue.js'

/** What the registers switch. */
export interface UnitState {
  enabled: boolean
  table: bigint
  readonly queue: QueueState
  readonly log: FaultLog
}

export const createRegisterDevice = (state: UnitState, runQueue: () => void): RegisterDevice => {
  const { queue, log } = state
  const readStatus = (): bigint => encode(status, { ILLEGAL: queue.illegal ? 1 : 0, OVERFLOW: log.overflow ? 1 : 0 })[0] as bigint
  const writeStatus = (value: bigint): void => {
    const { ILLEGAL, OVERFLOW } = decode(status, [value])
    if (OVERFLOW === 1) log.overflow = false
    if (ILLEGAL === 1) queue.illegal = false
    runQueue()
  }
  return {
    read(offset) {
      switch (offset) {
        case OFFSETS.control: return state.enabled ? 1n : 0n
        case OFFSETS.deviceTable: return state.table
        case OFFSETS.queueBase: return queue.base
        case OFFSETS.queueHead: return BigInt(queue.head)
        case OFFSETS.queueTail: return BigInt(queue.tail)
        case OFFSETS.status: return readStatus()
        case OFFSETS.fault: return log.pending ? log.words[0] as bigint : 0n
        case OFFSETS.fault + 8: return log.words[1] as bigint
        default: return 0n
      }
    },
    write(offset, _bits, value) {
      switch (offset) {
        case OFFSETS.control: state.enabled = decode(control, [value]).ENABLE === 1; return
        case OFFSETS.deviceTable: state.table = decode(deviceTable, [value]).BASE; return
        case OFFSETS.queueBase: queue.base = decode(queueBase, [value]).BASE; queue.head = 0; return
        case OFFSETS.queueTail: queue.tail = Number(value); return runQueue()
        case OFFSETS.status: return writeStatus(value)
        case OFFSETS.fault: if (decode(faultRecord, [value, 0n]).F === 1) log.pending = false; return
        default:
      }
    },
  }
}
