// A device's GCR3 table: 1 to 3 levels, made as PASIDs come.
import type { Pasid } from '@iommu/core'
import { noMemory } from '@iommu/core/driver'
import { frameAddress, frameOf } from '@iommu/hardware'
import { gcr3Words } from '../domains/words.js'
import { pasidBitsOfLevels } from '../tables/index.js'
import type { Unit } from '../unit.js'

export interface Gcr3Table {
  /** Physical address of the top level. */
  readonly root: bigint
  readonly levels: 1 | 2 | 3
  /** Address of a PASID's entry, or undefined where its table does not exist. */
  entry(pasid: Pasid): bigint | undefined
  /** Makes the tables on the way to a PASID's entry. Throws ENOMEM. */
  reserve(pasid: Pasid): void
  free(): void
}

const INDEX_BITS = 9
const ENTRIES = 1 << INDEX_BITS

/** Throws ENOMEM. The table for PASID 0 is there from the beginning. */
export const createGcr3Table = ({ machine: { memory } }: Unit, pasidBits: number): Gcr3Table => {
  const levels = Math.max(1, Math.ceil(pasidBits / INDEX_BITS)) as 1 | 2 | 3
  /** Tables by level, and by the PASID bits above them. */
  const tables = new Map<string, bigint>()
  const keyOf = (level: number, pasid: Pasid): string => `${level} ${Math.floor(pasid / 2 ** pasidBitsOfLevels(level))}`
  const indexOf = (level: number, pasid: Pasid): number => Math.floor(pasid / 2 ** pasidBitsOfLevels(level - 1)) % ENTRIES
  const allocate = (): bigint => frameAddress(memory.pages.allocate() ?? noMemory('a GCR3 table'))
  const free = (): void => {
    for (const table of tables.values()) memory.pages.free(frameOf(table))
    tables.clear()
  }
  const reserve = (pasid: Pasid): void => {
    for (let level = levels - 1; level >= 1; level--) {
      if (tables.has(keyOf(level, pasid))) continue
      const table = allocate()
      const above = tables.get(keyOf(level + 1, pasid)) as bigint
      memory.order()
      memory.store64(above + BigInt(indexOf(level + 1, pasid) * 8), gcr3Words(table)[0] as bigint)
      tables.set(keyOf(level, pasid), table)
    }
  }
  const root = allocate()
  tables.set(keyOf(levels, 0), root)
  try {
    reserve(0)
  } catch (error) {
    free()
    throw error
  }
  return {
    root,
    levels,
    entry(pasid) {
      const table = tables.get(keyOf(1, pasid))
      return table === undefined ? undefined : table + BigInt(indexOf(1, pasid) * 8)
    },
    reserve,
    free,
  }
}
