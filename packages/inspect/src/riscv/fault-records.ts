// Faults that were still waiting in the fault queue when a capture was taken.
import { decode, wordCount } from '@iommu/bits'
import { faultCauses, faultRecord } from '@iommu/driver-riscv/queues'
import { queueBase } from '@iommu/driver-riscv/registers'
import { nameOfRequester } from '../bdf.js'
import type { Capture } from '../capture.js'
import { loadRecorded } from '../recorded-pages.js'
import { hex } from '../spell.js'
import type { PendingFault } from '../vendor.js'

/** Transaction types that write: untranslated and translated. */
const WRITES: ReadonlySet<number> = new Set([3, 7])

const faultOf = ({ devices }: Capture, words: readonly bigint[]): PendingFault => {
  const { CAUSE, PID, PV, TTYP, DID, IOTVAL } = decode(faultRecord, words)
  return {
    device: devices.find(({ requesterId }) => requesterId === DID)?.bdf ?? (DID < 0x10000 ? nameOfRequester(DID) : `device id ${hex(DID)}`),
    ...(PV === 1 ? { pasid: PID } : {}),
    access: WRITES.has(TTYP) ? 'write' : 'read',
    address: hex(IOTVAL),
    code: CAUSE,
    name: faultCauses.get(CAUSE)?.meaning ?? `unknown cause ${CAUSE}`,
  }
}

/** From head to tail; none where the registers or the pages of the queue were not recorded. */
export const pendingFaults = (capture: Capture): PendingFault[] => {
  const { registers, view } = capture
  const [base, head, tail] = ['fqb', 'fqh', 'fqt'].map((name) => registers.get(name))
  if (base === undefined || head === undefined || tail === undefined) return []
  const { LOG2SZ, PPN } = decode(queueBase, [base])
  const entries = 2 ** (LOG2SZ + 1)
  const [from, to] = [head, tail].map((each) => Number(BigInt.asUintN(32, each)) % entries) as [number, number]
  const words = wordCount(faultRecord)
  const faults: PendingFault[] = []
  for (let at = from; at !== to && faults.length < entries; at = (at + 1) % entries) {
    const record = loadRecorded(view, PPN + BigInt(at * words * 8), words)
    if (record !== undefined) faults.push(faultOf(capture, record))
  }
  return faults
}
