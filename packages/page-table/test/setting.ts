// What the tests stand on: memory, every shape of table, and short ways to say what is mapped.
import { createGather } from '@iommu/core'
import type { Gather } from '@iommu/core'
import { PhysicalMemory, addresses } from '@iommu/hardware'
import type { HardwareView, MemoryOptions } from '@iommu/hardware'
import {
  LEAF, amdV1, amdV2, armStage1, armStage2, createPageTable, createWalkResult, firstStage, secondStage, walk,
} from '../src/index.js'
import type { Format, PageTable, PageTableOptions, WalkResult } from '../src/index.js'

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
export const shapeName = ({ name, levels, granuleShift, inputBits }: Format): string =>
  `${name}, ${levels} levels${granuleShift > 12 || name.startsWith('smmuv3') ? ` of ${2 ** granuleShift / 1024} KiB, ${inputBits} bits` : ''}`

/** Every shape of table that AMD's IOMMU has. */
export const amdShapes: readonly Format[] = [
  ...[1, 2, 3, 4, 5, 6].map((levels) => amdV1({ levels, addressBits: 48 })),
  ...([4, 5] as const).map((levels) => amdV2({ ...width, levels, noExecute: true })),
]

/** Granules, depths and roots of Arm: roots of a few entries, full ones, and concatenated ones. */
export const armShapes: readonly Format[] = [
  ...[[12, 48], [12, 39], [12, 40], [14, 47], [14, 48], [16, 42], [16, 48]].map(([granuleShift, inputBits]) =>
    armStage1({ granuleShift: granuleShift as 12 | 14 | 16, inputBits: inputBits as number, addressBits: 48 })),
  armStage1({ granuleShift: 16, inputBits: 48, addressBits: 52 }),
  ...[[12, 48], [12, 40], [12, 44], [14, 40], [16, 46]].map(([granuleShift, inputBits]) =>
    armStage2({ granuleShift: granuleShift as 12 | 14 | 16, inputBits: inputBits as number, addressBits: 48 })),
]

/** Formats without a read bit: what is mapped may be read. */
export const impliesRead = ({ name }: Format): boolean => /^(vtd\.fs|amd\.v2|smmuv3\.s1)/.test(name)

export interface Setting {
  readonly memory: PhysicalMemory
  readonly table: PageTable
  readonly gather: Gather
}

type SetUpOptions = MemoryOptions & Pick<PageTableOptions, 'snoop' | 'growth' | 'breakBeforeMake'>

export const setUp = (format: Format, options: SetUpOptions = {}): Setting => {
  const memory = new PhysicalMemory(options)
  const table = createPageTable({ ...options, format, memory, coherent: memory.coherent })
  return { memory, table, gather: createGather() }
}

/** The format by which hardware walks the tables as they are: of fewer levels where they may still grow. */
export const formatNow = ({ format, levels }: PageTable): Format =>
  levels === format.levels ? format : amdV1({ levels, addressBits: format.addressBits })

/** The walk of hardware for one address. */
export const walkAt = (table: PageTable, view: HardwareView, iova: bigint): WalkResult => {
  const result = createWalkResult()
  addresses.split(iova)
  walk(formatNow(table), view, table.rootFrame, addresses.low, addresses.high, result)
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
