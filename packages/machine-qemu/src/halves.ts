// QEMU refuses what is refused in pieces of four bytes: a device that moves eight is recorded twice.
import type { RecordedFault } from './boards/board.js'

const HALF = 4n

/** Whether a record tells of the second half of a DMA what another tells of the first; some name no address. */
const isSameOfSecondHalf = (first: RecordedFault, { source, address, access, code, fields }: RecordedFault): boolean =>
  first.source === source && first.access === access && first.code === code
  && (address === first.address + HALF || address === first.address)
  && Object.entries(fields).every(([name, value]) => first.fields[name] === value)

/** The records of one DMA as hardware makes them: once, where both halves have left the same. */
export const ofWholeDma = (faults: readonly RecordedFault[]): readonly RecordedFault[] => {
  const half = faults.length / 2
  const [first, second] = [faults.slice(0, half), faults.slice(half)]
  const same = first.length === second.length && first.every((each, index) => isSameOfSecondHalf(each, second[index] as RecordedFault))
  return same ? first : faults
}
