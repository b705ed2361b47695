// Reads and clears the fault record.
import { decode, encode } from '@iommu/bits'
import type { Machine } from '@iommu/hardware'
import { faultCodes, faultRecord, OFFSETS, status } from '../tables/index.js'

/** One fault as hardware recorded it. */
export interface RecordedFault {
  readonly source: number
  readonly address: bigint
  readonly access: 'read' | 'write'
  readonly code: number
  /** What the code means, or undefined for a code that is not known. */
  readonly meaning: string | undefined
}

/** What was in the log. `overflow`: further faults were dropped. */
export interface FaultReport {
  readonly faults: readonly RecordedFault[]
  readonly overflow: boolean
}

/** Takes the record, if there is one, and clears the overflow. */
export const readFaults = ({ registers }: Machine): FaultReport => {
  const { F, W, CODE, SOURCE, ADDRESS } = decode(faultRecord, [registers.read64(OFFSETS.fault), registers.read64(OFFSETS.fault + 8)])
  const { OVERFLOW } = decode(status, [registers.read64(OFFSETS.status)])
  if (F === 1) registers.write64(OFFSETS.fault, encode(faultRecord, { F: 1 })[0] as bigint)
  if (OVERFLOW === 1) registers.write64(OFFSETS.status, encode(status, { OVERFLOW: 1 })[0] as bigint)
  return {
    faults: F === 0 ? [] : [{ source: SOURCE, address: ADDRESS, access: W === 1 ? 'write' : 'read', code: CODE, meaning: faultCodes.get(CODE) }],
    overflow: OVERFLOW === 1,
  }
}
