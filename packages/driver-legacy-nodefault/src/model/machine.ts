// The machine around a part: memory, TLB, events, failures and the doors of a test.
import { createSurroundings, createTranslationCache, createUnitMachine, PhysicalMemory } from '@iommu/hardware'
import type { Fault, TestMachine, UnitOptions } from '@iommu/hardware'
import type { Inside, Keeping, Leaf, Part } from './part.js'
import { translate } from './translate.js'

export type ModelOptions = Pick<UnitOptions, 'endpoints'>

/** How a model's memory and caches are. */
export interface Build extends ModelOptions {
  /** Whether hardware's reads of tables snoop the CPU's caches. */
  readonly coherent: boolean
  readonly keeping?: Keeping
}

/** A machine with one IOMMU, or one set of them that share tables. */
export interface LegacyMachine extends TestMachine {
  readonly memory: PhysicalMemory
  /** For statements about what hardware holds; a driver never sees it. */
  readonly inside: Inside
}

/** 256 MiB, of which tables may take all but the first 32 MiB. */
const MEMORY = { bytes: 0x1000_0000n, tables: { start: 0x200_0000n, end: 0x1000_0000n } } as const

export const createMachine = (makePart: (inside: Inside) => Part, { coherent, keeping = { absent: false }, ...options }: Build): LegacyMachine => {
  const surroundings = createSurroundings({ ...options, memory: new PhysicalMemory({ ...MEMORY, coherent }) })
  const { memory, events, failures } = surroundings
  const inside: Inside = { memory, translations: createTranslationCache<Leaf>(), failures, events }
  const part = makePart(inside)
  const refuse = (offset: number): never => { throw new RangeError(`this hardware has no register at 0x${offset.toString(16)}`) }
  return {
    ...createUnitMachine(surroundings, {
      name: 'this hardware',
      registers: part.registers ?? { read: refuse, write: refuse },
      ...(part.call === undefined ? {} : { call: part.call }),
      translate: (request, sight) => translate(inside, keeping, part, request, sight),
      log: (request, why: Fault) => part.record?.(request, why),
    }, undefined),
    inside,
  }
}
