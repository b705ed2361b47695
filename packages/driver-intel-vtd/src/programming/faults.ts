// Reads and clears the fault recording registers.
import { decode, encode } from '@iommu/bits'
import type { Machine } from '@iommu/hardware'
import { faultRecord } from '../tables/index.js'
import { clearFaultStatus, readFaultStatus } from './registers.js'

/** One fault as hardware recorded it. */
export interface RecordedFault {
  readonly source: number
  /** Absent: a request without PASID. */
  readonly pasid?: number
  /** The page of the address. */
  readonly address: bigint
  readonly access: 'read' | 'write'
  /** `faultReasons` of ./registers says what it means. */
  readonly code: number
}

/** What was in the log. `overflow`: further faults were dropped. */
export interface FaultReport {
  readonly faults: readonly RecordedFault[]
  readonly overflow: boolean
}

/** Takes every pending record, oldest first, and clears the overflow flag (Linux, `dmar_fault`). */
export const readFaults = (machine: Machine, offset: number, count: number): FaultReport => {
  const { registers } = machine
  const status = readFaultStatus(machine)
  const faults: RecordedFault[] = []
  if (status.PPF === 1) {
    for (let taken = 0, index = status.FRI; taken < count; taken++, index = (index + 1) % count) {
      const at = offset + index * 16
      const record = decode(faultRecord, [registers.read64(at), registers.read64(at + 8)])
      if (record.F === 0) break
      faults.push({
        source: record.SID,
        ...(record.PP === 1 ? { pasid: record.PV } : {}),
        address: record.FI,
        access: record.T === 1 ? 'read' : 'write',
        code: record.FR,
      })
      registers.write64(at + 8, encode(faultRecord, { F: 1 })[1] as bigint)
    }
  }
  if (status.PFO === 1) clearFaultStatus(machine, { PFO: 1 })
  return { faults, overflow: status.PFO === 1 }
}
