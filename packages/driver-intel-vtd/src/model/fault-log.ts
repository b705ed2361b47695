// The fault log: fault recording registers, their index, and overflow.
import { decodeField, encode } from '@iommu/bits'
import type { DmaRequest } from '@iommu/hardware'
import { faultRecord } from '../tables/index.js'

/** The fault recording registers of one unit. */
export interface FaultLog {
  /** Records a fault; where the next register still holds one, sets the overflow flag and drops it. */
  record(request: DmaRequest, reason: number): void
  /** The half of record `index` at byte offset 0 or 8. */
  read(index: number, high: boolean): bigint
  /** Software writes 1 to F to clear a record. */
  clear(index: number): void
  readonly overflow: boolean
  clearOverflow(): void
  /** Whether any record is pending. */
  readonly pending: boolean
  /** Index of the oldest pending record. */
  readonly first: number
}

const isPending = (words: readonly bigint[]): boolean => decodeField(faultRecord, words, 'F') === 1

export const createFaultLog = (count: number): FaultLog => {
  const records: bigint[][] = Array.from({ length: count }, () => [0n, 0n])
  let next = 0
  let first = 0
  let overflow = false
  const at = (index: number): bigint[] => records[index] as bigint[]
  return {
    record({ source, pasid, address, access, privileged, execute }, reason) {
      // Nothing is recorded while the overflow flag is up (Linux, `dmar_fault`).
      if (overflow) return
      if (isPending(at(next))) {
        overflow = true
        return
      }
      if (!records.some(isPending)) first = next
      records[next] = encode(faultRecord, {
        FI: address & ~0xfffn,
        SID: source,
        FR: reason,
        T: access === 'read' ? 1 : 0,
        F: 1,
        ...(pasid === undefined ? {} : { PP: 1, PV: pasid, PRIV: privileged ? 1 : 0, EXE: execute ? 1 : 0 }),
      })
      next = (next + 1) % count
    },
    read: (index, high) => at(index)[high ? 1 : 0] as bigint,
    clear(index) {
      records[index] = encode(faultRecord, { F: 0 }, at(index))
      while (first !== next && !isPending(at(first))) first = (first + 1) % count
    },
    get overflow() { return overflow },
    clearOverflow() { overflow = false },
    get pending() { return records.some(isPending) },
    get first() { return first },
  }
}
