// Steps: the one vocabulary in which drivers say what they do to hardware. Plans are lists of steps, and so are the
// bodies of 2022: data that can be run, shown, counted and broken bit by bit.
import type { Entry } from '@iommu/bits'
import type { WordForm } from '../tables/words.js'

/** A 32-bit register write. */
export interface WriteStep {
  readonly do: 'write'
  /** The register's name. */
  readonly register: string
  readonly offset: number
  readonly value: bigint
  /** Bits that change; all of them where absent. Others keep what a read finds. */
  readonly mask?: bigint
  /** The layout of the value, where it has fields. */
  readonly layout?: Entry
}

/** A store of one word to memory that hardware reads, written back where hardware does not snoop. */
export interface StoreStep {
  readonly do: 'store'
  /** What is stored: the layout's name. */
  readonly entry: string
  readonly address: bigint
  readonly value: bigint
  readonly form: WordForm
  /** As `mask` of a write. */
  readonly mask?: bigint
  /** The layout of the entry, and which of its words this is. */
  readonly place?: { readonly layout: Entry; readonly index: number }
}

/** An instruction, with the condition code and status that are taken as success. */
export interface CallStep {
  readonly do: 'call'
  readonly operation: string
  readonly args: readonly bigint[]
  /** Whether the answer is success; `again`: to be repeated. */
  readonly judge: (answer: bigint) => 'done' | 'again' | 'refused'
  readonly explain: (answer: bigint) => string
}

export type Step =
  | WriteStep
  | StoreStep
  | CallStep
  | { readonly do: 'order' }
  /** A read that makes posted writes arrive. */
  | { readonly do: 'read'; readonly register: string; readonly offset: number }
  /** Waits until the register has a bit of `until`, or no bit of it (`clear`); then, or when it never comes, goes on. */
  | { readonly do: 'wait'; readonly register: string; readonly offset: number; readonly until: bigint; readonly otherwise: readonly Step[] }
  /** Frames go back to the allocator. */
  | { readonly do: 'free'; readonly what: string; readonly table: bigint; readonly bytes: number }
  /** Something that no hardware sees. */
  | { readonly do: 'remember'; readonly what: string }

/** A register, by name and offset; `layout` where its value has fields. */
export interface Register<L extends Entry = Entry> {
  readonly name: string
  readonly offset: number
  readonly layout?: L
}

/** A register write. */
export const write = ({ name, offset, layout }: Register, value: bigint, mask?: bigint): WriteStep => ({
  do: 'write', register: name, offset, value,
  ...(mask === undefined ? {} : { mask }),
  ...(layout === undefined ? {} : { layout }),
})

/** A read that waits for posted writes. */
export const readBack = ({ name, offset }: Register): Step => ({ do: 'read', register: name, offset })
