// Finds the PASIDs of a device: every valid entry that its GCR3 table leads to.
import { decode } from '@iommu/bits'
import type { DeviceContext } from '@iommu/driver-amd-vi/model'
import { pasidBitsOfLevels } from '@iommu/driver-amd-vi/registers'
import { gcr3Entry } from '@iommu/driver-amd-vi/tables'
import type { HardwareView } from '@iommu/hardware'

type GuestTable = NonNullable<DeviceContext['guest']>

const ENTRIES = 512

/**
 * Valid entries, in order. A table that is listed several times is read once, so that a table that points to itself
 * costs no more than its size.
 */
export const presentPasids = (view: HardwareView, { table, gcr3Levels }: GuestTable): number[] => {
  const tables = new Map<string, readonly number[]>()
  const inside = (base: bigint, level: number): readonly number[] => {
    const key = `${level} ${base}`
    const known = tables.get(key)
    if (known !== undefined) return known
    const found: number[] = []
    const below = 2 ** pasidBitsOfLevels(level - 1)
    for (let index = 0; index < ENTRIES; index++) {
      const { V, ADDR } = decode(gcr3Entry, [view.load64(base + BigInt(index * 8))])
      if (V === 0) continue
      if (level === 1) found.push(index)
      else for (const pasid of inside(ADDR, level - 1)) found.push(index * below + pasid)
    }
    tables.set(key, found)
    return found
  }
  return [...inside(table, gcr3Levels)]
}
