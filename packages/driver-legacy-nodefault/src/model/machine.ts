// The machine around a part: memory, TLB, events, failures and the doors of a test.
import {
  createEndpoints, createEventStream, createFailures, createRegisters, createTranslationCache, explore, first, outcomeKey, PhysicalMemory,
} from '@iommu/hardware'
import type { EndpointCapabilities, Step, TestMachine } from '@iommu/hardware'
import type { Inside, Keeping, Leaf, Part } from './part.js'
import { translate } from './translate.js'

export interface ModelOptions {
  /** What each source offers in its configuration space; nothing where it is not named. */
  readonly endpoints?: ReadonlyMap<number, EndpointCapabilities>
}

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

export const createMachine = (makePart: (inside: Inside) => Part, { coherent, keeping = { absent: false }, endpoints }: Build): LegacyMachine => {
  const events = createEventStream()
  const memory = new PhysicalMemory({ ...MEMORY, coherent, events })
  const failures = createFailures(memory.pages)
  const inside: Inside = { memory, translations: createTranslationCache<Leaf>(), failures, events }
  const part = makePart(inside)
  const device = part.registers ?? {
    read(offset: number): never { throw new RangeError(`this hardware has no register at 0x${offset.toString(16)}`) },
    write(offset: number): never { throw new RangeError(`this hardware has no register at 0x${offset.toString(16)}`) },
  }
  return {
    memory,
    inside,
    registers: createRegisters(device, (offset, bits, value) => events.emit({ kind: 'register', offset, bits, value })),
    endpoint: createEndpoints(endpoints ?? new Map(), events),
    call(operation, args) {
      if (part.call === undefined) throw new RangeError(`this hardware has no instruction ${operation}`)
      return part.call(operation, args)
    },
    dma(request) {
      const outcome = translate(inside, keeping, part, request, { choose: first, cached: true, fills: true })
      if (outcome.result === 'blocked' && outcome.fault?.recorded === true) part.record?.(request, outcome.fault)
      return outcome
    },
    outcomes: (request) =>
      explore((choose) => translate(inside, keeping, part, request, { choose, cached: true, fills: false }), outcomeKey),
    walk(request) {
      const steps: Step[] = []
      const outcome = translate(inside, keeping, part, request, { choose: first, cached: false, fills: false, steps })
      return { outcome, steps }
    },
    observe: (observer) => events.observe(observer),
    fail: failures.doors,
  }
}
