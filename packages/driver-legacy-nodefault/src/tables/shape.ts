// The shape of a small page table: which address bits index each level, and what its entries can say.
//
//    address   | index of level 0 | index of level 1 | ... | offset |
//                      |                  |
//   root ─▶ ┌─────┐    |      ┌─────┐     |
//           │entry│◀───┘ ────▶│entry│◀────┘ ────▶ page
//           └─────┘           └─────┘
//              └──── or a larger page, repeated in as many entries as it covers
import type { WordForm } from './words.js'
import { loadWord } from './words.js'

/** What an entry says. */
export type Meaning =
  | { readonly is: 'empty' }
  /** A value that hardware refuses. */
  | { readonly is: 'invalid' }
  | { readonly is: 'table'; readonly at: bigint; readonly read: boolean; readonly write: boolean }
  | { readonly is: 'page'; readonly shift: number; readonly physical: bigint; readonly read: boolean; readonly write: boolean }

/** What a page lets through. */
export interface Permissions {
  readonly read: boolean
  readonly write: boolean
}

/** One size of page that a level's entries can be. */
export interface PageKind {
  /** log2 of its bytes. */
  readonly shift: number
  encode(physical: bigint, permissions: Permissions): bigint
}

/** One level; the root is level 0. */
export interface Level {
  /** The layout's name, for people. */
  readonly name: string
  /** Address bits that index a table of this level, both inclusive. */
  readonly high: number
  readonly low: number
  /** An entry that says nothing, as fresh tables are filled. */
  readonly empty: bigint
  readonly pages: readonly PageKind[]
  read(word: bigint): Meaning
  /** An entry that leads to a table of the next level. Absent on the last level. */
  table?(at: bigint): bigint
}

export interface Shape {
  /** The format's name, as `domainAllocPaging` takes it. */
  readonly name: string
  readonly form: WordForm
  readonly levels: readonly Level[]
  /** Width of physical addresses that a page entry holds, in bits. */
  readonly physicalBits: number
  /** Why a page cannot have these permissions, or undefined where it can. */
  readonly refuses: (permissions: Permissions) => string | undefined
}

/** Formats without permission bits: whatever is mapped can be read and written. */
export const onlyReadWrite = ({ read, write }: Permissions): string | undefined =>
  (read && write ? undefined : 'its entries have no permission bits, so that more than was asked for would be let through')

/** Formats with one bit that forbids writes. */
export const notWriteOnly = ({ read }: Permissions): string | undefined =>
  (read ? undefined : 'its entries cannot forbid reads, so that more than was asked for would be let through')

export const tableBytes = ({ form }: Shape, { high, low }: Level): number => 2 ** (high - low + 1) * form.bytes

/** Address of the entry for `iova` in a table of a level. */
export const entryAddress = ({ form }: Shape, { high, low }: Level, table: bigint, iova: bigint): bigint =>
  table + BigInt.asUintN(high - low + 1, iova >> BigInt(low)) * BigInt(form.bytes)

/** Bits of device address that the tables translate. */
export const inputBits = ({ levels }: Shape): number => (levels[0] as Level).high + 1

/** One entry on the way of a walk. */
export interface Visited {
  readonly level: Level
  readonly depth: number
  readonly table: bigint
  readonly address: bigint
  readonly word: bigint
  readonly meaning: Meaning
}

/** Reads the entry at an address, as hardware or as the driver sees it. */
export type LoadEntry = (address: bigint) => bigint

export const loaderOf = (memory: { load64(address: bigint): bigint }, { form }: Shape): LoadEntry =>
  (address) => loadWord(memory, address, form)

/** The entries from the root to where the walk ends: at a page, or at an entry that leads nowhere. Never empty. */
export const walkShape = (shape: Shape, load: LoadEntry, root: bigint, iova: bigint): Visited[] => {
  const visited: Visited[] = []
  let table = root
  for (const [depth, level] of shape.levels.entries()) {
    const address = entryAddress(shape, level, table, iova)
    const word = load(address)
    const meaning = level.read(word)
    visited.push({ level, depth, table, address, word, meaning })
    if (meaning.is !== 'table') break
    table = meaning.at
  }
  return visited
}
