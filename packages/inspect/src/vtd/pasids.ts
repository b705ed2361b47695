// Finds the PASIDs of a device: every present entry that its directory leads to.
import { addresses } from '@iommu/hardware'
import type { HardwareView } from '@iommu/hardware'
import { decode, decodeField } from '@iommu/bits'
import type { ScalableContext } from '@iommu/driver-intel-vtd/model'
import { pasidDirectoryEntry, pasidEntry } from '@iommu/driver-intel-vtd/tables'

const PER_TABLE = 64
const ENTRY_BYTES = 64n

/** PASIDs of one table, 0 to 63. */
const presentIn = (view: HardwareView, table: bigint): number[] =>
  Array.from({ length: PER_TABLE }, (_, index) => index).filter((index) => {
    const word = view.load64(table + BigInt(index) * ENTRY_BYTES)
    return decodeField(pasidEntry, [word, 0n, 0n, 0n, 0n, 0n, 0n, 0n], 'P') === 1
  })

/**
 * Present PASID entries from 1 up, in order. Tables that are listed several times are read once, so that a directory
 * that points to itself costs no more than its size.
 */
export const presentPasids = (view: HardwareView, { directory, pasidLimit }: ScalableContext): number[] => {
  const tables = new Map<bigint, number[]>()
  const found: number[] = []
  for (let first = 0; first < pasidLimit; first += PER_TABLE) {
    const address = directory + BigInt(first / PER_TABLE) * 8n
    addresses.split(address)
    view.loadPair(addresses.frameOf(address), Number(address & 0xfffn) >> 3)
    if (view.low === 0 && view.high === 0) continue
    const { P, SMPTBLPTR } = decode(pasidDirectoryEntry, [addresses.join(view.low, view.high)])
    if (P === 0) continue
    let inside = tables.get(SMPTBLPTR)
    if (inside === undefined) tables.set(SMPTBLPTR, (inside = presentIn(view, SMPTBLPTR)))
    for (const index of inside) if (first + index > 0) found.push(first + index)
  }
  return found
}
