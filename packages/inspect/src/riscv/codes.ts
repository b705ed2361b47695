// The RISC-V IOMMU's fault causes, in our words, and what a cause says of the access.
import { faultCauses, faultRecord } from '@iommu/driver-riscv/queues'
import { once } from '../once.js'
import type { CodeMembers } from '../vendor.js'
import { adviceFor } from './advice.js'

/** What is known of a fault cause; `meaning` is absent for one that is not known. */
export const explainCode = once((code: number): CodeMembers => {
  const about = { vendor: 'riscv', code, name: `RISC-V fault cause ${code}`, section: faultRecord.section } as const
  const cause = faultCauses.get(code)
  return cause === undefined ? about : { ...about, meaning: cause.meaning, confirmedBy: cause.confirmedBy, ...adviceFor(code) }
})

/** Causes that are of one kind of access alone. The others do not say which it was. */
const ACCESSES: ReadonlyMap<number, 'read' | 'write' | 'execute'> = new Map([
  [1, 'execute'], [4, 'read'], [5, 'read'], [6, 'write'], [7, 'write'],
  [12, 'execute'], [13, 'read'], [15, 'write'], [20, 'execute'], [21, 'read'], [23, 'write'],
])
export const accessOfCause = (code: number): 'read' | 'write' | 'execute' | undefined => ACCESSES.get(code)

/** Causes for which iotval2 is a guest's address; for all others it says nothing. */
const OF_GUESTS: ReadonlySet<number> = new Set([20, 21, 23])
export const isGuestFault = (code: number): boolean => OF_GUESTS.has(code)

/** Causes after which there was no request of a device, and iotval is no address of one. */
const OF_THE_UNIT: ReadonlySet<number> = new Set([273])
export const isUnitsOwn = (code: number): boolean => OF_THE_UNIT.has(code)
