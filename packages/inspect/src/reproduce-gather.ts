// The way through a capture: every entry of a device in turn, each with the driver's own words for it.
import { decodeField } from '@iommu/bits'
import { fetchLegacyContext, fetchScalableContext, Stopped } from '@iommu/driver-intel-vtd/model'
import type { Reader } from '@iommu/driver-intel-vtd/model'
import { pasidDirectoryEntry, scalableContextEntry } from '@iommu/driver-intel-vtd/tables'
import type { HardwareView, Step } from '@iommu/hardware'
import type { CapturedDevice } from './capture.js'
import { InputError } from './input-error.js'
import { rewriteContext, rewriteDirectory, rewritePasid, rewriteScalableContext } from './reproduce-kinds.js'
import type { Rewritten } from './reproduce-kinds.js'
import { compareTables } from './reproduce-tables.js'

/** An entry as recorded, and as the driver writes it. */
export interface Compared extends Rewritten {
  readonly bdf: string
  readonly pasid?: number
  readonly entry: string
  readonly address: bigint
  readonly iova?: bigint
  readonly level?: number
  readonly recorded: readonly bigint[]
}

/** What is gathered on the way through a capture. */
export interface Gathered {
  readonly reader: Reader
  readonly scalable: boolean
  readonly compared: Compared[]
  /** Directories and page tables that have been compared. */
  readonly done: Set<string>
  tablesNoted: boolean
}

const TABLE_PASIDS = 64

const load = (view: HardwareView, address: bigint, words: number): bigint[] =>
  Array.from({ length: words }, (_, index) => view.load64(address + BigInt(index * 8)))

/** As `load`; undefined where the page was not recorded. */
const loadRecorded = (view: HardwareView, address: bigint, words: number): bigint[] | undefined => {
  try {
    return load(view, address, words)
  } catch (error) {
    if (error instanceof InputError) return undefined
    throw error
  }
}

const lost = (address: bigint): Rewritten =>
  ({ words: undefined, note: `leads to 0x${address.toString(16)}, which was not recorded` })

type About = Pick<Compared, 'bdf' | 'pasid' | 'entry' | 'address' | 'recorded'>

/** An entry that may lead to page tables, and these tables. */
const addWithTables = (gathered: Gathered, about: About, rewritten: Rewritten): void => {
  const { tables } = rewritten
  const at = gathered.compared.push({ ...about, ...rewritten }) - 1
  if (tables === undefined) return
  const { stage, levels, root } = tables
  const key = `${stage} ${levels} ${root}`
  if (gathered.done.has(key)) return
  gathered.done.add(key)
  const { view, capabilities, hostAddressBits } = gathered.reader
  const { scalable } = gathered
  const found = compareTables(view, root, { stage, levels, scalable, capabilities, hostAddressBits })
  if (typeof found === 'string') {
    gathered.compared[at] = { ...about, words: undefined, note: found }
    return
  }
  gathered.tablesNoted ||= found.noted
  const entry = stage === 'first' ? 'vtd.fs' : 'vtd.ss'
  const { bdf, pasid } = about
  for (const { ours, recorded, ...rest } of found.entries) {
    gathered.compared.push({
      bdf, ...(pasid === undefined ? {} : { pasid }), entry, ...rest, recorded: [recorded],
      words: ours === undefined ? undefined : [ours],
    })
  }
}

/** PASID entries of one table: those that say something, and that of requests without PASID. */
const addPasids = (gathered: Gathered, bdf: string, table: bigint, first: number, ridPasid: number): void => {
  for (let index = 0; index < TABLE_PASIDS; index++) {
    const address = table + BigInt(index * 64)
    const recorded = load(gathered.reader.view, address, 8)
    const pasid = first + index
    if (pasid !== ridPasid && recorded.every((word) => word === 0n)) continue
    const about = { bdf, pasid, entry: 'vtd.pasid', address, recorded }
    addWithTables(gathered, about, rewritePasid(gathered.reader.capabilities, recorded))
  }
}

const addDirectory = (gathered: Gathered, bdf: string, directory: bigint, entries: number, ridPasid: number): void => {
  const { view } = gathered.reader
  for (let index = 0; index < entries; index++) {
    const address = directory + BigInt(index * 8)
    const recorded = loadRecorded(view, address, 1)
    const about = { bdf, pasid: index * TABLE_PASIDS, entry: 'vtd.pasid-dir', address }
    if (recorded === undefined) {
      gathered.compared.push({ ...about, recorded: [], words: undefined, note: 'the directory goes on here, which was not recorded' })
      return
    }
    if (recorded[0] === 0n) continue
    const table = decodeField(pasidDirectoryEntry, recorded, 'SMPTBLPTR')
    const isPresent = decodeField(pasidDirectoryEntry, recorded, 'P') === 1
    const readable = !isPresent || loadRecorded(view, table, 1) !== undefined
    gathered.compared.push({ ...about, recorded, ...(readable ? rewriteDirectory(recorded) : lost(table)) })
    // A table that is listed twice is one table.
    if (!isPresent || !readable || gathered.done.has(`PASIDs ${table}`)) continue
    gathered.done.add(`PASIDs ${table}`)
    addPasids(gathered, bdf, table, index * TABLE_PASIDS, ridPasid)
  }
}

const addScalable = (gathered: Gathered, about: About): void => {
  const { view, capabilities } = gathered.reader
  const { recorded, bdf } = about
  const field = (name: 'P' | 'PDTS' | 'RID_PASID'): number => decodeField(scalableContextEntry, recorded, name)
  const directory = decodeField(scalableContextEntry, recorded, 'PASIDDIRPTR')
  const readable = field('P') === 0 || loadRecorded(view, directory, 1) !== undefined
  gathered.compared.push({ ...about, ...(readable ? rewriteScalableContext(capabilities, recorded) : lost(directory)) })
  if (field('P') === 0 || !readable || gathered.done.has(`directory ${directory}`)) return
  gathered.done.add(`directory ${directory}`)
  addDirectory(gathered, bdf, directory, 2 ** (field('PDTS') + 7), field('RID_PASID'))
}

/** The context entry of a device, and what it leads to. Throws InputError where a root or context table was not recorded. */
export const addDevice = (gathered: Gathered, rootTable: bigint, { bdf, requesterId }: CapturedDevice): void => {
  const steps: Step[] = []
  const fetch = gathered.scalable ? fetchScalableContext : fetchLegacyContext
  try {
    fetch({ ...gathered.reader, steps }, rootTable, requesterId)
  } catch (error) {
    // What hardware thinks of the entry does not matter here, only where it lies.
    if (!(error instanceof Stopped)) throw error
  }
  const { entry, address = 0n, words } = steps[steps.length - 1] as Step
  if (entry === 'vtd.sm-context') return addScalable(gathered, { bdf, entry, address, recorded: words })
  if (entry === 'vtd.context') {
    const rewritten = rewriteContext(gathered.reader.capabilities, words)
    return addWithTables(gathered, { bdf, entry, address, recorded: words }, rewritten)
  }
  // No context table for its bus: nobody was ever set there, and the driver's root entry would say nothing either.
  const half = entry === 'vtd.sm-root' ? (requesterId >> 7) & 1 : undefined
  const recorded = words.map((word, index) => (half === undefined || index === half ? word : 0n))
  gathered.compared.push({ bdf, entry, address, recorded, words: words.map(() => 0n) })
}
