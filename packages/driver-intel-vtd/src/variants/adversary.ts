// Variants for adversarial mode: what a driver does wrong for a moment only, and the sentence that says so.
import { decode, encode } from '@iommu/bits'
import type { QueueOrder, Stores, TestMachine } from '@iommu/hardware'
import { driverOver } from '../backends.js'
import type { IntelVtd } from '../driver.js'
import { programming } from '../programming/index.js'
import type { Programming } from '../programming/index.js'
import type { PlanStep } from '../programming/plan.js'
import { DESCRIPTOR_TYPES, OFFSETS, queueAddress, waitDescriptor } from '../tables/index.js'
import { flushes, hostAddressBits, invalidate, plan, present, presentFirst, removed, removedWithout, zeroedAtOnce } from './variant.js'

/** A broken driver, and on which hardware it shows. */
export interface AdversaryVariant {
  readonly id: string
  readonly title: string
  /** The sentences that it breaks, the one that it always breaks first; none: nothing goes wrong on this hardware. */
  readonly breaks: readonly ('during' | 'after' | 'free')[]
  /** The suite's statements that it breaks, the one that it must first. Absent: the suite has such a mutant already. */
  readonly statements?: readonly string[]
  /** Shows on hardware with caching mode only. */
  readonly cachingMode?: true
  /** How stores and commands behave, where that decides. */
  readonly stores?: Stores
  readonly queue?: QueueOrder
  createDriver(machines: readonly TestMachine[], setup: AdversarySetup): IntelVtd
}

export interface AdversarySetup {
  readonly warn: (sentence: string) => void
  /** The driver is a correct one while this says no: what came before the change that is judged. Absent: never. */
  readonly broken?: () => boolean
}

type Facts = Omit<AdversaryVariant, 'createDriver'>

type Through = (machine: TestMachine, broken: () => boolean) => TestMachine

const momentary = (facts: Facts, change: Partial<Programming>, through: Through = (machine) => machine): AdversaryVariant => ({
  ...facts,
  createDriver(machines, { warn, broken = () => true }) {
    const wrong: Programming = { ...programming, ...change }
    const chosen = (): Programming => (broken() ? wrong : programming)
    return driverOver(machines.map((each) => through(each, broken)), warn, hostAddressBits(machines[0]), {
      programming: {
        ...programming,
        planEntry: (...args) => chosen().planEntry(...args),
        flushContext: (...args) => chosen().flushContext(...args),
        flushPasid: (...args) => chosen().flushPasid(...args),
        flushPages: (...args) => chosen().flushPages(...args),
        flushDevicePages: (...args) => chosen().flushDevicePages(...args),
      },
    })
  },
})

const together = (...order: readonly number[]): Partial<Programming> =>
  removed((groups) => (groups.length === 0 ? [] : [order.flatMap((index) => groups[index] ?? []), ...groups.slice(2)]))

const settled: readonly PlanStep[] = [{ do: 'order' }, { do: 'write-back' }]

/** An entry is overwritten where it is, word by word, and invalidated afterwards. */
const inPlace = (order: (stores: PlanStep[]) => PlanStep[]): Partial<Programming> => ({
  planEntry(from, to, whole) {
    const stores = to.flatMap((value, index): PlanStep[] => (value === from[index] ? [] : [{ do: 'store', index, value }]))
    return [...order(stores), ...settled, ...invalidate(whole.removed), ...invalidate(whole.added)]
  },
})

const noBarrier = plan((steps, _from, to) => {
  const last = steps.findLastIndex((step) => step.do === 'store' && step.index === 0)
  return steps.filter((step, index) => !present(to) || step.do !== 'order' || index !== last - 1)
})

/**
 * A machine to a driver that does not wait: the wait that it queues tells nobody anything, and the status that it
 * polls is there at once. Commands are issued, and by nothing that the driver sees are they ever complete.
 */
const nobodyWaits: Through = (machine, broken) => {
  const { registers, memory } = machine
  const write64 = (offset: number, value: bigint): void => {
    if (offset !== OFFSETS.IQT || !broken() || value === registers.read64(OFFSETS.IQT)) return registers.write64(offset, value)
    const { IQA, QS, DW } = decode(queueAddress, [registers.read64(OFFSETS.IQA)])
    const bytes = 4096n << BigInt(QS)
    const size = DW === 1 ? 32n : 16n
    const at = IQA + ((value - size + bytes) % bytes)
    const words = [memory.load64(at), memory.load64(at + 8n)]
    const wait = decode(waitDescriptor, words)
    if (wait.Type !== DESCRIPTOR_TYPES.wait) return registers.write64(offset, value)
    encode(waitDescriptor, { SW: 0, FN: 0, IF: 1 }, words).forEach((word, index) => memory.store64(at + BigInt(index * 8), word))
    registers.write64(offset, value)
    memory.store32(wait.StatusAddress, wait.StatusData)
  }
  return { ...machine, registers: { ...registers, write64 } }
}

/** The mutants of adversary.md 3.2. An indivisible 64-byte store is not among them: neither plans nor memory have one. */
export const adversaryVariants: readonly AdversaryVariant[] = [
  momentary({ id: 'in-place-ascending', title: 'an entry is overwritten in place, lowest word first', breaks: ['during', 'after', 'free'] },
    inPlace((stores) => stores)),
  momentary({ id: 'in-place-descending', title: 'an entry is overwritten in place, highest word first', statements: [
    'C-PASID-03', 'C-ATTACH-06', 'C-ATTACH-05', 'C-PASID-17', 'C-SVA-05', 'C-TLB-02', 'C-FREE-01', 'C-FREE-03',
  ], breaks: ['during', 'after', 'free'] },
    inPlace((stores) => stores.reverse())),
  momentary({ id: 'zeroed-at-once', title: 'a present entry is zeroed whole before it is invalidated', breaks: ['during'] }, zeroedAtOnce),
  momentary({ id: 'no-entry-cache', title: 'the PASID cache is not invalidated when an entry goes', breaks: ['free', 'after', 'during'] }, removedWithout(0)),
  momentary({ id: 'no-iotlb', title: 'the IOTLB is not invalidated when an entry goes', breaks: ['free', 'after'] }, removedWithout(1)),
  momentary({ id: 'iotlb-first', title: 'the IOTLB is invalidated before the PASID cache, each with its own wait', breaks: ['free', 'after'] },
    removed(([first = [], second = [], ...rest]) => [second, first, ...rest])),
  momentary({ id: 'iotlb-first-one-wait', title: 'the IOTLB is invalidated before the PASID cache, with one wait for both', statements: [
    'C-FREE-01', 'C-ATTACH-05', 'C-ATTACH-06', 'C-PASID-03', 'C-PASID-17', 'C-SVA-05', 'C-TLB-02',
  ], breaks: ['free', 'after'] },
    together(1, 0)),
  momentary({ id: 'one-wait-ordered', title: 'one wait for PASID cache and IOTLB, on hardware that orders the two', breaks: [], queue: 'ordered' },
    together(0, 1)),
  momentary({ id: 'one-wait', title: 'one wait for PASID cache and IOTLB', statements: [
    'C-FREE-01', 'C-ATTACH-05', 'C-ATTACH-06', 'C-PASID-03', 'C-PASID-17', 'C-SVA-05', 'C-TLB-02',
  ], breaks: ['free', 'after'], queue: 'unordered' }, together(0, 1)),
  momentary({ id: 'no-wait', title: 'nothing waits for invalidations', statements: [
    'C-FREE-01', 'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-08', 'C-ATTACH-09', 'C-ROLL-05', 'C-PASID-03',
    'C-PASID-04', 'C-PASID-17', 'C-SVA-05', 'C-UNMAP-07', 'C-UNMAP-08', 'C-UNMAP-09', 'C-TLB-02', 'C-FREE-02', 'C-FREE-03',
  ], breaks: ['free', 'after', 'during'] }, {}, nobodyWaits),
  momentary({ id: 'present-before-pointer', title: 'P is stored before the rest of the entry', breaks: ['during', 'after', 'free'] }, presentFirst),
  momentary({ id: 'no-barrier', title: 'no barrier before P, on a CPU that keeps stores in order', breaks: [] }, noBarrier),
  momentary({ id: 'no-barrier-late', title: 'no barrier before P, on a CPU that does not keep stores in order', statements: [
    'C-ATTACH-06', 'C-ATTACH-05', 'C-PASID-03', 'C-PASID-17', 'C-PASID-18', 'C-SVA-05', 'C-UNMAP-07', 'C-UNMAP-08', 'C-UNMAP-09',
    'C-TLB-02', 'C-FREE-03',
  ], breaks: ['during', 'after', 'free'], stores: 'order' },
    noBarrier),
  momentary({ id: 'no-entry-cache-after-set', title: 'in caching mode the PASID cache is not invalidated when an entry comes', statements: [
    'C-ATTACH-05', 'C-ATTACH-17', 'C-PASID-03', 'C-PASID-17', 'C-TLB-02',
  ], breaks: ['after'], cachingMode: true },
    flushes((whole) => ({ ...whole, added: whole.added.slice(1) }))),
  momentary({ id: 'no-iotlb-after-set', title: 'in caching mode the IOTLB is not invalidated when an entry comes', breaks: [], cachingMode: true },
    flushes((whole) => ({ ...whole, added: whole.added.slice(0, 1) }))),
]
