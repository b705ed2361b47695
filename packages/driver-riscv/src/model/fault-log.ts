// The fault queue: records in memory, and overflow where software does not take them.
import { encode } from '@iommu/bits'
import { frameOf } from '@iommu/hardware'
import type { DmaRequest, PhysicalMemory } from '@iommu/hardware'
import { faultRecord } from '../tables/index.js'

/** Where the queue is and how far it has come. Indexes are of records. */
export interface FaultQueueState {
  base: bigint
  entries: number
  enabled: boolean
  head: number
  tail: number
  memoryFault: boolean
  overflow: boolean
}

export const createFaultQueueState = (): FaultQueueState => ({
  base: 0n, entries: 2, enabled: false, head: 0, tail: 0, memoryFault: false, overflow: false,
})

const RECORD_BYTES = 32
/** Transaction types: untranslated, then translated; execute, read, write. */
const UNTRANSLATED = 1
const TRANSLATED = 5
const ATS_REQUEST = 8

const typeOf = ({ kind, access, execute }: DmaRequest): number => {
  if (kind === 'translate') return ATS_REQUEST
  return (kind === 'translated' ? TRANSLATED : UNTRANSLATED) + (execute === true ? 0 : access === 'read' ? 1 : 2)
}

/** Records a fault. A full queue sets the overflow flag, and nothing more is recorded until that is cleared. */
export const recordFault = (state: FaultQueueState, memory: PhysicalMemory, request: DmaRequest, cause: number, guest: bigint): void => {
  if (!state.enabled || state.overflow || state.memoryFault) return
  const next = (state.tail + 1) % state.entries
  if (next === state.head) {
    state.overflow = true
    return
  }
  const at = state.base + BigInt(state.tail * RECORD_BYTES)
  if (!memory.snooped.has(frameOf(at))) {
    state.memoryFault = true
    return
  }
  const { source, pasid, address, privileged } = request
  encode(faultRecord, {
    CAUSE: cause,
    TTYP: typeOf(request),
    DID: source,
    ...(pasid === undefined ? {} : { PV: 1, PID: pasid, PRIV: privileged === true ? 1 : 0 }),
    IOTVAL: address,
    IOTVAL2: guest,
  }).forEach((word, index) => memory.deviceStore64(at + BigInt(index * 8), word))
  state.tail = next
}
