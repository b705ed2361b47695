// The way through a capture: every entry of a stream in turn, each with the driver's own words for it.
import { decode } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { fetchLevelOneStream, Stopped, streamAddress } from '@iommu/driver-arm-smmuv3/model'
import { contextDescriptor, levelOneContext, streamEntry } from '@iommu/driver-arm-smmuv3/tables'
import type { Step } from '@iommu/hardware'
import type { Capture, CapturedDevice } from '../capture.js'
import { Gathering, lost, refused } from '../gathering.js'
import type { Found } from '../gathering.js'
import { loadRecorded } from '../recorded-pages.js'
import { ruleFor } from '../reproduce-rule.js'
import type { Gathered } from '../vendor.js'
import { rewriteContext, rewriteLevelOneContext, rewriteLevelOneStream, rewriteStream } from './reproduce-kinds.js'
import type { RewrittenPoint, RewrittenStream } from './reproduce-kinds.js'
import { reproduceRules } from './reproduce-rules.js'
import { tableWriter } from './reproduce-tables.js'
import type { SmmuUnit } from './unit.js'

interface Way {
  readonly unit: SmmuUnit
  readonly gathering: Gathering
}

/** Contexts of a leaf: 64 KiB of them. */
const LEAF_BITS = 10

const bytesOf = ({ bits }: Entry): number => bits / 8
const wordsOf = ({ bits }: Entry): number => bits / 64

/** An entry that may lead to page tables, and these tables. */
const addPoint = ({ gathering }: Way, found: Found, { words, note, tables }: RewrittenPoint): void => {
  const rewritten = { words, ...(note === undefined ? {} : { note }) }
  if (tables === undefined) return gathering.add(found, rewritten)
  const { facts, root } = tables
  gathering.add(found, rewritten, { root, entry: facts.stage === 1 ? 'smmuv3.s1' : 'smmuv3.s2', writer: tableWriter(facts) })
}

/** Context descriptors of one array: those that say something, and that of requests without SSID. */
const addContexts = (way: Way, bdf: string, table: bigint, count: number, first: number): void => {
  const { unit: { view, capabilities }, gathering } = way
  for (let index = 0; index < count; index++) {
    const address = table + BigInt(index * bytesOf(contextDescriptor))
    const recorded = loadRecorded(view, address, wordsOf(contextDescriptor))
    const pasid = first + index
    const found = { bdf, ...(count > 1 || pasid > 0 ? { pasid } : {}), entry: contextDescriptor.name, address }
    if (recorded === undefined) return gathering.add({ ...found, recorded: [] }, refused('the CD table goes on here, which was not recorded'))
    if (pasid > 0 && recorded.every((word) => word === 0n)) continue
    addPoint(way, { ...found, recorded }, rewriteContext(capabilities, recorded))
  }
}

const addContextTable = (way: Way, bdf: string, { address: table, max, leaves }: NonNullable<RewrittenStream['contexts']>): void => {
  const { unit: { view }, gathering } = way
  if (!gathering.first(`contexts ${table}`)) return
  if (!leaves) return addContexts(way, bdf, table, 2 ** max, 0)
  const perLeaf = 2 ** LEAF_BITS
  for (let first = 0; first < 2 ** max; first += perLeaf) {
    const address = table + BigInt((first / perLeaf) * 8)
    const recorded = loadRecorded(view, address, 1)
    const found = { bdf, pasid: first, entry: levelOneContext.name, address }
    if (recorded === undefined) return gathering.add({ ...found, recorded: [] }, refused('the CD table goes on here, which was not recorded'))
    if (recorded[0] === 0n) continue
    const { V, L2Ptr } = decode(levelOneContext, recorded)
    const readable = V === 0 || loadRecorded(view, L2Ptr, 1) !== undefined
    gathering.add({ ...found, recorded }, readable ? rewriteLevelOneContext(recorded) : lost(L2Ptr))
    if (V === 1 && readable && gathering.first(`contexts ${L2Ptr}`)) addContexts(way, bdf, L2Ptr, perLeaf, first)
  }
}

/** Where the entry of a stream lies; level 1 is added on the way. Undefined where the tables have no place for it. */
const placeOf = ({ unit, gathering }: Way, { bdf, requesterId }: CapturedDevice): bigint | undefined => {
  const steps: Step[] = []
  try {
    return streamAddress(unit.streamTable, requesterId, () => fetchLevelOneStream(unit.reader(steps), unit.streamTable, requesterId))
  } catch (error) {
    if (!(error instanceof Stopped)) throw error
    return undefined
  } finally {
    for (const { entry, address = 0n, words } of steps) {
      if (gathering.first(`level 1 ${address}`)) gathering.add({ bdf, entry, address, recorded: words }, rewriteLevelOneStream(words))
    }
  }
}

/** The stream table entry of a device, and what it leads to. */
const addDevice = (way: Way, device: CapturedDevice): void => {
  const { unit: { view, capabilities, streamTable }, gathering } = way
  const { bdf } = device
  const address = placeOf(way, device)
  if (address === undefined) {
    // A level 1 descriptor without entries has been compared, and is right: nobody was ever set there.
    if (streamTable.split === 0) gathering.add({ bdf, entry: streamEntry.name, address: streamTable.base, recorded: [] }, refused('the StreamID lies beyond the stream table'))
    return
  }
  const recorded = loadRecorded(view, address, wordsOf(streamEntry))
  if (recorded === undefined) return gathering.add({ bdf, entry: streamEntry.name, address, recorded: [] }, refused('it lies in a page that was not recorded'))
  const found = { bdf, entry: streamEntry.name, address, recorded }
  const { contexts, ...rewritten } = rewriteStream(capabilities, recorded)
  const readable = contexts === undefined || loadRecorded(view, contexts.address, 1) !== undefined
  if (!readable) return gathering.add(found, lost(contexts.address))
  addPoint(way, found, rewritten)
  if (contexts !== undefined) addContextTable(way, bdf, contexts)
}

/**
 * Every stream table entry, context descriptor and page-table entry of the capture's devices, with what leads to them;
 * none where translation is off. Throws InputError where level 1 of the stream table was not recorded.
 */
export const gather = (unit: SmmuUnit, { devices }: Capture): Gathered => {
  const gathering = new Gathering(unit.view)
  if (unit.mode === 'on') for (const device of devices) addDevice({ unit, gathering }, device)
  return { compared: gathering.rows, ruleFor: (difference) => ruleFor(reproduceRules, {}, difference) }
}
