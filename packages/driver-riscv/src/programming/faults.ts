// Reads the fault queue, and clears its overflow.
import { decode, encode } from '@iommu/bits'
import { loadWords } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import { faultQueueStatus, faultRecord, OFFSETS, TRANSACTION_TYPES } from '../tables/index.js'

const RECORD_WORDS = 4

/** One fault as hardware recorded it. */
export interface RecordedFault {
  readonly source: number
  /** Absent: a request without PASID. */
  readonly pasid?: number
  readonly address: bigint
  /** "untranslated read"; undefined for a type that is not known. */
  readonly transaction: string | undefined
  /** `faultCauses` of ./queues says what it means. */
  readonly code: number
}

/** What was in the queue. `overflow`: further faults were dropped. */
export interface FaultReport {
  readonly faults: readonly RecordedFault[]
  readonly overflow: boolean
}

const transactions: Readonly<Record<number, string | undefined>> = TRANSACTION_TYPES

/** Takes every record, oldest first. Records come again once the overflow has been cleared. */
export const readFaults = ({ memory, registers }: Machine, base: bigint, log2Entries: number): FaultReport => {
  const faults: RecordedFault[] = []
  const tail = registers.read32(OFFSETS.fqt)
  let head = registers.read32(OFFSETS.fqh)
  for (; head !== tail; head = (head + 1) % 2 ** log2Entries) {
    const at = base + BigInt(head * RECORD_WORDS * 8)
    const { CAUSE, PID, PV, TTYP, DID, IOTVAL } = decode(faultRecord, loadWords(memory, at, RECORD_WORDS))
    faults.push({
      source: DID,
      ...(PV === 1 ? { pasid: PID } : {}),
      address: IOTVAL,
      transaction: transactions[TTYP],
      code: CAUSE,
    })
  }
  registers.write32(OFFSETS.fqh, head)
  const { fqof, fqmf } = decode(faultQueueStatus, [BigInt(registers.read32(OFFSETS.fqcsr))])
  const overflow = fqof === 1 || fqmf === 1
  if (overflow) registers.write32(OFFSETS.fqcsr, Number(encode(faultQueueStatus, { fqen: 1, fqof, fqmf })[0]))
  return { faults, overflow }
}
