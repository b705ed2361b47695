// Gathering: the rows of `reproduce` as they are found, each table once however many entries lead to it.
import type { HardwareView } from '@iommu/hardware'
import { compareTables, tableRows } from './compared-tables.js'
import type { TableWriter } from './compared-tables.js'
import { hex } from './spell.js'
import type { Compared } from './vendor.js'

/** The driver's words for an entry. */
export interface Rewritten {
  /** Undefined: the driver writes no entry of this kind, and `note` says why. */
  readonly words: readonly bigint[] | undefined
  readonly note?: string
}

export const refused = (note: string): Rewritten => ({ words: undefined, note })
/** Of an entry that leads to a page of which nothing is known. */
export const lost = (address: bigint): Rewritten => refused(`leads to ${hex(address)}, which was not recorded`)

/** Page tables behind an entry. */
export interface TablesBehind {
  readonly root: bigint
  /** Name of their entries' layout. */
  readonly entry: string
  readonly writer: TableWriter
}

/** An entry as recorded, and where it was found. */
export type Found = Pick<Compared, 'bdf' | 'pasid' | 'entry' | 'address' | 'recorded'>

export class Gathering {
  readonly view: HardwareView
  readonly rows: Compared[] = []
  /** Whether any table entry had software's note that it has been written back. */
  tablesNoted = false
  private readonly seen = new Set<string>()

  constructor(view: HardwareView) {
    this.view = view
  }

  /** Whether this is asked for the first time: tables that several devices share are read once. */
  first(what: string): boolean {
    if (this.seen.has(what)) return false
    this.seen.add(what)
    return true
  }

  /** Adds an entry, and the page tables behind it where they have not been added yet. */
  add(found: Found, { words, note }: Rewritten, tables?: TablesBehind): void {
    const at = this.rows.push({ ...found, words, ...(note === undefined ? {} : { note }) }) - 1
    if (tables === undefined || words === undefined) return
    const { root, entry, writer } = tables
    if (!this.first(`${entry} ${writer.format.levels} ${root}`)) return
    const compared = compareTables(this.view, root, writer)
    if (typeof compared === 'string') {
      this.rows[at] = { ...found, ...refused(compared) }
      return
    }
    this.tablesNoted ||= compared.noted
    for (const row of tableRows(compared, entry, found)) this.rows.push(row)
  }
}
