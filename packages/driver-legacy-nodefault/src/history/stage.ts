// Sets a stage: a machine, tables with a page mapped, and the driver's attach carried out on it.
import type { LegacyMachine } from '../model/machine.js'
import { apply } from '../programming/apply.js'
import type { Step } from '../programming/steps.js'
import { createSmallTable } from '../tables/page-table.js'
import type { SmallTable } from '../tables/page-table.js'
import { inputBits } from '../tables/shape.js'
import type { Shape } from '../tables/shape.js'
import { memoryStorage } from '../unit.js'
import type { Place } from './subject.js'

const PAGE = 0x1000n
/** The page that every stage maps, and where it leads. */
export const MAPPED = 0x1234_5000n
export const PHYSICAL = 0x0076_5000n

/** In the old mapping, beside it, at the table's edges, and where an address would be itself. */
export const placesAround = (mapped: bigint, start: bigint, end: bigint): Place[] => [
  { name: 'mapped page', address: mapped },
  { name: 'its last word', address: mapped + PAGE - 8n },
  { name: 'page before it', address: mapped - PAGE },
  { name: 'page after it', address: mapped + PAGE },
  { name: 'first page', address: start },
  { name: 'last page', address: end + 1n - PAGE },
  { name: 'its physical page', address: PHYSICAL },
]

export const placesOf = (bits: number): Place[] => placesAround(MAPPED, 0n, (1n << BigInt(bits)) - 1n)

/** A domain's tables with the one page mapped. */
export const createTables = (machine: LegacyMachine, shape: Shape, mapped: bigint = MAPPED): SmallTable => {
  const table = createSmallTable(shape, memoryStorage(machine.memory, shape, false))
  const { error } = table.mapPages(mapped & ((1n << BigInt(inputBits(shape))) - 1n), PHYSICAL, PAGE, 1, { read: true, write: true })
  if (error !== undefined) throw error
  return table
}

/** Every table of a tree goes back to the allocator. */
export const freeTables = (table: SmallTable): Step[] =>
  table.parts().map(({ at, bytes, depth }) => ({ do: 'free', what: `level ${depth} table`, table: at, bytes }))

/** Carries the attach out, and says what it was. */
export const attached = (machine: LegacyMachine, steps: readonly Step[]): readonly Step[] => {
  apply(machine, steps)
  return steps
}

export const remember = (what: string): Step => ({ do: 'remember', what })
