// Requests of a device, what they meet, and entries that are changed behind the driver's back.
import { encode } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { loadWords, storeWords } from '@iommu/hardware'
import type { DmaRequest, Fault, Machine, TestMachine } from '@iommu/hardware'

/** Reads by a source, unless something else is asked for. */
export const requestsOf = (source: number) => (address: bigint, more: Partial<DmaRequest> = {}): DmaRequest =>
  ({ source, kind: 'untranslated', address, access: 'read', ...more })

/** What a DMA meets: the fault, as `say` has it, or none. */
export const met = <Said>(machine: TestMachine, request: DmaRequest, say: (fault: Fault) => Said): Said | 'silent' | 'translated' => {
  const outcome = machine.dma(request)
  if (outcome.result === 'translated') return 'translated'
  return outcome.fault === undefined ? 'silent' : say(outcome.fault)
}

/** The address of the last entry of a layout on the way of a request. */
export const entryAt = (machine: TestMachine, request: DmaRequest, layout: string): bigint => {
  const at = machine.walk(request).steps.findLast(({ entry }) => entry === layout)?.address
  if (at === undefined) throw new RangeError(`no ${layout} on the way`)
  return at
}

/** The words of an entry where it lies. */
export const wordsAt = ({ memory }: Pick<Machine, 'memory'>, at: bigint, count: number): bigint[] => loadWords(memory, at, count)

/** Stores the words of an entry where it is to lie. */
export const putWords = ({ memory }: Pick<Machine, 'memory'>, at: bigint, words: readonly bigint[]): void => storeWords(memory, at, words)

interface EntriesKept { drop(matches: () => boolean): unknown }
interface TagsKept { dropTags(matches: () => boolean): unknown }

/** What hardware keeps of its tables: entries, and translations. */
export interface Kept {
  readonly entries: readonly EntriesKept[]
  readonly translations: readonly { readonly leaves: TagsKept; readonly tables: readonly TagsKept[] }[]
}

/** Changes what lies in memory as a stray write would, and has hardware forget what it kept of it. */
export interface Poke<M> {
  word(machine: M, at: bigint, change: (word: bigint) => bigint): void
  /** Fields of the last entry of a layout on the way of a request. */
  fields(machine: M, request: DmaRequest, layout: Entry, values: Readonly<Record<string, number | bigint>>): void
}

export const pokeOf = <M extends TestMachine>(keptBy: (machine: M) => Kept): Poke<M> => {
  const forget = (machine: M): void => {
    const { entries, translations } = keptBy(machine)
    for (const each of entries) each.drop(() => true)
    for (const { leaves, tables } of translations) for (const each of [leaves, ...tables]) each.dropTags(() => true)
  }
  return {
    word(machine, at, change) {
      machine.memory.store64(at, change(machine.memory.load64(at)))
      forget(machine)
    },
    fields(machine, request, layout, values) {
      const at = entryAt(machine, request, layout.name)
      putWords(machine, at, encode(layout, values, wordsAt(machine, at, layout.bits / 64)))
      forget(machine)
    },
  }
}
