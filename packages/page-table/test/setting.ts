// What the tests stand on: memory, formats of a full-featured VT-d, and short ways to say what is mapped.
import { createGather } from '@iommu/core'
import type { Gather } from '@iommu/core'
import { PhysicalMemory, addresses } from '@iommu/hardware'
import type { HardwareView, MemoryOptions } from '@iommu/hardware'
import { LEAF, createPageTable, createWalkResult, firstStage, secondStage, walk } from '../src/index.js'
import type { Format, PageTable, WalkResult } from '../src/index.js'

export const KB4 = 0x1000n
export const MB2 = 0x20_0000n
export const GB1 = 0x4000_0000n
export const RW = { read: true, write: true }
export const RO = { read: true, write: false }
export const WO = { read: false, write: true }

const width = { leafShifts: [12, 21, 30], addressBits: 46 } as const
export const secondStage4 = secondStage({ ...width, levels: 4, snoopControl: true })
export const firstStage4 = firstStage({ ...width, levels: 4, noExecute: true })

/** Every shape of table that VT-d has. */
export const shapes: readonly Format[] = [
  ...([3, 4, 5] as const).map((levels) => secondStage({ ...width, levels, snoopControl: true })),
  ...([4, 5] as const).map((levels) => firstStage({ ...width, levels, noExecute: true })),
]
export const shapeName = ({ name, levels }: Format): string => `${name}, ${levels} levels`

export interface Setting {
  readonly memory: PhysicalMemory
  readonly table: PageTable
  readonly gather: Gather
}

export const setUp = (format: Format, options: MemoryOptions & { readonly snoop?: boolean } = {}): Setting => {
  const memory = new PhysicalMemory(options)
  const table = createPageTable({ format, memory, coherent: memory.coherent, snoop: options.snoop ?? false })
  return { memory, table, gather: createGather() }
}

/** The walk of hardware for one address. */
export const walkAt = (table: PageTable, view: HardwareView, iova: bigint): WalkResult => {
  const result = createWalkResult()
  addresses.split(iova)
  walk(table.format, view, table.rootFrame, addresses.low, addresses.high, result)
  return result
}

export const physicalOf = ({ status, physicalLow, physicalHigh }: WalkResult): bigint | undefined =>
  status === LEAF ? addresses.join(physicalLow, physicalHigh) : undefined

/** The word of the entry at which the walk for `iova` ends. */
export const wordAt = (table: PageTable, view: HardwareView, iova: bigint): bigint => {
  const { low, high } = walkAt(table, view, iova)
  return addresses.join(low, high)
}

/** The words of all entries of the walk, root first, each without its address. */
export const attributesOf = (table: PageTable, view: HardwareView, iova: bigint): bigint[] => {
  const words: bigint[] = []
  addresses.split(iova)
  walk(table.format, view, table.rootFrame, addresses.low, addresses.high, createWalkResult(),
    (_level, _frame, _index, low, high) => words.push(addresses.join(low, high) & ~0xf_ffff_ffff_f000n))
  return words
}
