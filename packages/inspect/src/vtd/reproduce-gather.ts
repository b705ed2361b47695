// The way through a capture: every entry of a device in turn, each with the driver's own words for it.
import { decodeField } from '@iommu/bits'
import { fetchLegacyContext, fetchScalableContext, Stopped } from '@iommu/driver-intel-vtd/model'
import type { Reader } from '@iommu/driver-intel-vtd/model'
import { pagesSnooped } from '@iommu/driver-intel-vtd/reproduce'
import { pasidDirectoryEntry, scalableContextEntry } from '@iommu/driver-intel-vtd/tables'
import { loadWords } from '@iommu/hardware'
import type { Step } from '@iommu/hardware'
import type { Capture, CapturedDevice } from '../capture.js'
import { Gathering, lost, refused } from '../gathering.js'
import type { Found } from '../gathering.js'
import { loadRecorded } from '../recorded-pages.js'
import { ruleFor } from '../reproduce-rule.js'
import type { Gathered } from '../vendor.js'
import { rewriteContext, rewriteDirectory, rewritePasid, rewriteScalableContext } from './reproduce-kinds.js'
import type { RewrittenPoint } from './reproduce-kinds.js'
import { reproduceRules } from './reproduce-rules.js'
import { tableWriter } from './reproduce-tables.js'
import type { VtdUnit } from './unit.js'

/** What is needed on the way through a capture. */
interface Way {
  readonly reader: Reader
  readonly scalable: boolean
  readonly gathering: Gathering
}

const TABLE_PASIDS = 64

/** An entry that may lead to page tables, and these tables. */
const addPoint = ({ reader, scalable, gathering }: Way, found: Found, { tables, ...rewritten }: RewrittenPoint): void => {
  if (tables === undefined) return gathering.add(found, rewritten)
  const { stage, levels, root } = tables
  const { capabilities, hostAddressBits } = reader
  gathering.add(found, rewritten, {
    root, entry: stage === 'first' ? 'vtd.fs' : 'vtd.ss',
    writer: tableWriter({ stage, levels, scalable, capabilities, hostAddressBits }),
  })
}

/** PASID entries of one table: those that say something, and that of requests without PASID. */
const addPasids = (way: Way, bdf: string, table: bigint, first: number, ridPasid: number): void => {
  for (let index = 0; index < TABLE_PASIDS; index++) {
    const address = table + BigInt(index * 64)
    const recorded = loadWords(way.reader.view, address, 8)
    const pasid = first + index
    if (pasid !== ridPasid && recorded.every((word) => word === 0n)) continue
    const about = { bdf, pasid, entry: 'vtd.pasid', address, recorded }
    addPoint(way, about, rewritePasid(way.reader.capabilities, recorded))
  }
}

const addDirectory = (way: Way, bdf: string, directory: bigint, entries: number, ridPasid: number): void => {
  const { view } = way.reader
  for (let index = 0; index < entries; index++) {
    const address = directory + BigInt(index * 8)
    const recorded = loadRecorded(view, address, 1)
    const about = { bdf, pasid: index * TABLE_PASIDS, entry: 'vtd.pasid-dir', address }
    if (recorded === undefined) {
      way.gathering.add({ ...about, recorded: [] }, refused('the directory goes on here, which was not recorded'))
      return
    }
    if (recorded[0] === 0n) continue
    const table = decodeField(pasidDirectoryEntry, recorded, 'SMPTBLPTR')
    const isPresent = decodeField(pasidDirectoryEntry, recorded, 'P') === 1
    const readable = !isPresent || loadRecorded(view, table, 1) !== undefined
    way.gathering.add({ ...about, recorded }, readable ? rewriteDirectory(recorded) : lost(table))
    // A table that is listed twice is one table.
    if (isPresent && readable && way.gathering.first(`PASIDs ${table}`)) addPasids(way, bdf, table, index * TABLE_PASIDS, ridPasid)
  }
}

const addScalable = (way: Way, about: Found): void => {
  const { view, capabilities } = way.reader
  const { recorded, bdf } = about
  const field = (name: 'P' | 'PDTS' | 'RID_PASID'): number => decodeField(scalableContextEntry, recorded, name)
  const directory = decodeField(scalableContextEntry, recorded, 'PASIDDIRPTR')
  const readable = field('P') === 0 || loadRecorded(view, directory, 1) !== undefined
  way.gathering.add(about, readable ? rewriteScalableContext(capabilities, recorded) : lost(directory))
  if (field('P') === 0 || !readable || !way.gathering.first(`directory ${directory}`)) return
  addDirectory(way, bdf, directory, 2 ** (field('PDTS') + 7), field('RID_PASID'))
}

/** The context entry of a device, and what it leads to. */
const addDevice = (way: Way, rootTable: bigint, { bdf, requesterId }: CapturedDevice): void => {
  const steps: Step[] = []
  const fetch = way.scalable ? fetchScalableContext : fetchLegacyContext
  try {
    fetch({ ...way.reader, steps }, rootTable, requesterId)
  } catch (error) {
    // What hardware thinks of the entry does not matter here, only where it lies.
    if (!(error instanceof Stopped)) throw error
  }
  const { entry, address = 0n, words } = steps[steps.length - 1] as Step
  if (entry === 'vtd.sm-context') return addScalable(way, { bdf, entry, address, recorded: words })
  if (entry === 'vtd.context') {
    const rewritten = rewriteContext(way.reader.capabilities, words)
    return addPoint(way, { bdf, entry, address, recorded: words }, rewritten)
  }
  // No context table for its bus: nobody was ever set there, and the driver's root entry would say nothing either.
  const half = entry === 'vtd.sm-root' ? (requesterId >> 7) & 1 : undefined
  const recorded = words.map((word, index) => (half === undefined || index === half ? word : 0n))
  way.gathering.add({ bdf, entry, address, recorded }, { words: words.map(() => 0n) })
}

/**
 * Every context entry, PASID directory entry, PASID entry and page-table entry of the capture's devices; none where
 * translation is off. Throws InputError where a root or context table was not recorded.
 */
export const gather = (unit: VtdUnit, { devices }: Capture): Gathered => {
  const scalable = unit.mode === 'scalable'
  const gathering = new Gathering(unit.view)
  const way: Way = { reader: unit.reader([]), scalable, gathering }
  if (scalable || unit.mode === 'legacy') for (const device of devices) addDevice(way, unit.rootTable, device)
  const { capabilities } = way.reader
  const facts = { capabilities, pagesSnooped: pagesSnooped(capabilities, scalable), tablesNoted: gathering.tablesNoted }
  return { compared: gathering.rows, ruleFor: (difference) => ruleFor(reproduceRules, facts, difference) }
}
