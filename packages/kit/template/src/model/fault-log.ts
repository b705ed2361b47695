// The fault log: one record register, and overflow.
import { encode } from '@iommu/bits'
import type { DmaRequest } from '@iommu/hardware'
import { faultRecord } from '../tables/index.js'

export interface FaultLog {
  words: readonly bigint[]
  pending: boolean
  overflow: boolean
}

export const createFaultLog = (): FaultLog => ({ words: [0n, 0n], pending: false, overflow: false })

/** Records a fault, or sets the overflow flag while one is pending. */
export const recordFault = (log: FaultLog, { source, access, address }: DmaRequest, code: number): void => {
  if (log.pending) {
    log.overflow = true
    return
  }
  log.words = encode(faultRecord, { F: 1, W: access === 'write' ? 1 : 0, CODE: code, SOURCE: source, ADDRESS: address })
  log.pending = true
}
