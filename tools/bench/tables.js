// Page tables and walks, on tables like those of peer.c: 1 GiB in the format's smallest pages.
import { createGather, gatherReset } from '@iommu/core'
import { PhysicalMemory } from '@iommu/hardware'
import { createPageTable, createWalkResult, walk } from '@iommu/page-table'
import { formats, peerFormat } from './formats.js'
import { timed } from './measure.js'

const GIB = 1 << 30
/** Single pages are mapped in a window, as in peer.c. */
const WINDOW = 1 << 13
const SOURCES = 256
/** Walks in a slice. */
const WALKS = 1 << 15
const LEAVES = 64
const FAR_PAGES = 1 << 24
/** As many slices as the peer takes the best of; each walks other pages. */
const FAR_SLICES = 32
const RW = { read: true, write: true }

/** The order in which pages are touched, the same shuffle as the peer's. */
export const shuffle = (count) => {
  const order = new Int32Array(count).map((_, page) => page)
  for (let page = count - 1, seed = 1; page > 0; page--) {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0
    const other = (seed >>> 8) % (page + 1)
    const kept = order[page]
    order[page] = order[other]
    order[other] = kept
  }
  return order
}

// What is measured stands in functions of its own, with all that it uses in parameters: a loop in a closure spends as long on
// looking up what it closes over as on a walk.

const mapEachOnce = (table, addresses, page) => {
  for (const each of addresses) table.mapPages(each, each, page, 1, RW)
}

const unmapEachOnce = (table, addresses, page, gather) => {
  let sum = 0
  for (const each of addresses) if (table.unmapPages(each, page, 1, gather) === page) sum++
  return sum
}

const translateEach = (table, addresses) => {
  let found = 0
  for (const each of addresses) if (table.iovaToPhys(each) !== undefined) found++
  return found
}

const walkEach = (format, view, root, order, from, to, before, result) => {
  const { granuleShift } = format
  const high = 32 - granuleShift
  let sum = before
  for (let each = from; each < to; each++) {
    const at = order[each]
    walk(format, view, root, at << granuleShift | 8, at >>> high, result)
    sum = (sum + result.physicalLow) | 0
  }
  return sum
}

/** Each walk's address comes from the one before, so that none can begin before that has ended. */
const walkChain = (format, view, root, pages, steps, before, result) => {
  const { granuleShift } = format
  const high = 32 - granuleShift
  let at = before
  for (let each = 0; each < steps; each++) {
    walk(format, view, root, at << granuleShift, at >>> high, result)
    at = (Math.imul(result.physicalLow >>> granuleShift, 1664525) + 1013904223) & (pages - 1)
  }
  return at
}

const walkFar = (format, view, root, before, result) => {
  let at = before
  for (let each = 0; each < WALKS; each++) {
    walk(format, view, root, at << 12, at >>> 20, result)
    at = (Math.imul(at, 1664525) + 1013904223) & (FAR_PAGES - 1)
  }
  return at
}

/** A DMA of a source through the doors that models use: root entry, context entry, walk, permission. */
const translate = (format, view, roots, source, low, upper, result) => {
  view.loadPair(roots, (source >>> 8) * 2)
  if ((view.low & 1) === 0) return -1
  const bus = view.low >>> 12
  view.loadPair(bus, (source & 255) * 2)
  const entry = view.low
  if ((entry & 1) === 0 || (entry >>> 2 & 3) !== 0) return -1
  view.loadPair(bus, (source & 255) * 2 + 1)
  if ((view.low & 7) !== 2) return -1
  walk(format, view, entry >>> 12, low, upper, result)
  return result.write ? result.physicalLow : -1
}

const translateSources = (format, view, roots, order, from, to, before, result) => {
  const { granuleShift } = format
  const high = 32 - granuleShift
  let sum = before
  for (let each = from; each < to; each++) {
    const at = order[each]
    sum = (sum + translate(format, view, roots, each % SOURCES, at << granuleShift | 8, at >>> high, result)) | 0
  }
  return sum
}

/**
 * The operations on one kind of memory, on tables of their own, which map everything before and after each of them.
 * 'map fresh' takes other frames: where checksums count it has tables of its own.
 * @param {import('@iommu/page-table').Format} format
 * @param {import('@iommu/hardware').MemoryOptions} kind
 * @returns {Record<string, () => { ns: number, checksum: number }>}
 */
export const tableOperations = (format, kind = { flat: true }) => {
  const { granuleShift } = format
  const pages = GIB >>> granuleShift
  const perTable = 1 << format.bitsPerLevel
  /** Leaves one page of each table, so that no table comes or goes. */
  const run = perTable - 1
  const page = 1n << BigInt(granuleShift)
  const order = shuffle(pages)
  const counted = Int32Array.from(order.keys())
  const inOrder = Array.from({ length: pages }, (_, at) => BigInt(at) * page)
  const shuffled = Array.from(order.filter((at) => at < WINDOW), (at) => inOrder[at])

  const memory = new PhysicalMemory({ bytes: 0x80_0000n, tables: { start: 0n, end: 0x80_0000n }, ...kind })
  const gather = createGather()
  const result = createWalkResult()
  const view = memory.walker
  let table = createPageTable({ format, memory })
  const map = (at, count) => table.mapPages(inOrder[at], inOrder[at], page, count, RW)
  const unmap = (at, count) => {
    table.unmapPages(inOrder[at], page, count, gather)
    gatherReset(gather)
  }
  const mapEach = (count, step) => { for (let at = 0; at < pages; at += step) map(at, count) }
  const unmapEach = (count, step) => { for (let at = 0; at < pages; at += step) unmap(at, count) }

  mapEach(perTable, perTable)
  const tables = table.tableCount << (granuleShift - 12)
  const roots = memory.pages.allocate()
  const contexts = memory.pages.allocate()
  memory.storePair(roots, 0, contexts << 12 | 1, 0)
  for (let source = 0; source < SOURCES; source++) {
    memory.storePair(contexts, source * 2, table.rootFrame << 12 | 1, 0)
    memory.storePair(contexts, source * 2 + 1, 1 << 8 | 2, 0)
  }
  const all = tables + 2
  let frames = all

  const checksum = () => {
    let sum = 0
    for (let frame = 0; frame < frames; frame++) {
      for (let index = 0; index < 512; index++) {
        view.loadPair(frame, index)
        sum = (Math.imul(sum, 31) + view.low + Math.imul(view.high, 7)) | 0
      }
    }
    return sum
  }
  /** Measures `doIt`, which may answer a number that goes into the checksum; the tables do so too where they are the peer's. */
  const measure = (units, doIt) => {
    let sum = 0
    const ns = timed(() => { sum = doIt() ?? 0 })
    return { ns: ns / units, checksum: format === peerFormat ? (sum + checksum()) >>> 0 : 0 }
  }
  /** As `measure`, of the best slice of all pages: slices fit between two interruptions of the machine. */
  const sliced = (step) => {
    const length = Math.min(WALKS, pages)
    let least = Infinity
    let sum = 0
    for (let from = 0; from < pages; from += length) least = Math.min(least, timed(() => { sum = step(from, from + length, sum) }))
    return { ns: least / length, checksum: format === peerFormat ? (sum + checksum()) >>> 0 : 0 }
  }
  return {
    'map one'() {
      for (let at = 0; at < shuffled.length; at++) unmap(at, 1)
      return measure(shuffled.length, () => mapEachOnce(table, shuffled, page))
    },
    'unmap one'() {
      const measured = measure(shuffled.length, () => unmapEachOnce(table, shuffled, page, gather))
      gatherReset(gather)
      for (let at = 0; at < shuffled.length; at++) map(at, 1)
      return measured
    },
    'map run'() {
      unmapEach(run, perTable)
      return measure(pages / perTable * run, () => mapEach(run, perTable))
    },
    'unmap run'() {
      const measured = measure(pages / perTable * run, () => {
        let sum = 0
        for (let at = 0; at < pages; at += perTable) {
          sum += Number(table.unmapPages(inOrder[at], page, run, gather) / page)
          gatherReset(gather)
        }
        return sum
      })
      mapEach(run, perTable)
      return measured
    },
    'map fresh'() {
      table.free()
      if (frames === all) for (const frame of [roots, contexts]) memory.pages.free(frame)
      frames = tables
      if (format === peerFormat) {
        // Given back from the highest on, so that they are handed out in the peer's order.
        const taken = Array.from({ length: all }, () => memory.pages.allocate())
        for (const frame of taken.sort((one, other) => other - one)) memory.pages.free(frame)
      }
      table = createPageTable({ format, memory })
      return measure(pages, () => mapEach(perTable, perTable))
    },
    'walk': () => sliced((from, to, before) => walkEach(format, view, table.rootFrame, order, from, to, before, result)),
    'walk in order': () => sliced((from, to, before) => walkEach(format, view, table.rootFrame, counted, from, to, before, result)),
    'walk chain': () => sliced((from, to, before) => walkChain(format, view, table.rootFrame, pages, to - from, before, result)),
    'translate': () => sliced((from, to, before) => translateSources(format, view, roots, order, from, to, before, result)),
    'iova to phys': () => measure(shuffled.length, () => translateEach(table, shuffled)),
    'map run, observed'() {
      unmapEach(run, perTable)
      const stop = memory.events.observe(() => {})
      try {
        return measure(pages / perTable * run, () => mapEach(run, perTable))
      } finally {
        stop()
      }
    },
  }
}

/** The largest leaves of a format, one call each; the tables for them are there. */
const leafOperation = (format) => {
  const memory = new PhysicalMemory({ flat: true, bytes: 0x400_0000n })
  const table = createPageTable({ format, memory })
  const gather = createGather()
  // No larger than 1 GiB: the peer's.
  const natural = Array.from(format.leafLevel.keys()).filter((shift) =>
    shift <= 30 && format.leafLevel[shift] > 0 && format.shift[format.leafLevel[shift]] === shift)
  const size = 1n << BigInt(Math.max(...natural))
  const places = Array.from({ length: LEAVES }, (_, at) => BigInt(at) * size)
  return () => {
    table.unmapPages(0n, size, LEAVES - 1, gather)
    gatherReset(gather)
    table.mapPages(places[LEAVES - 1], 0n, size, 1, RW)
    const ns = timed(() => { for (let at = 0; at < LEAVES - 1; at++) table.mapPages(places[at], places[at], size, 1, RW) })
    return { ns: ns / (LEAVES - 1), checksum: 0 }
  }
}

/** Random walks over 64 GiB of 4 KiB pages, whose 128 MiB of tables no cache holds. */
const farOperation = () => {
  let made
  let at = 0
  const make = () => {
    const memory = new PhysicalMemory({ flat: true, bytes: 0x880_0000n, tables: { start: 0n, end: 0x880_0000n } })
    const table = createPageTable({ format: peerFormat, memory })
    table.mapPages(0n, 0n, 4096n, FAR_PAGES, RW)
    return { memory, table, result: createWalkResult() }
  }
  return () => {
    const { memory, table, result } = (made ??= make())
    let least = Infinity
    for (let slice = 0; slice < FAR_SLICES; slice++) {
      least = Math.min(least, timed(() => { at = walkFar(peerFormat, memory.walker, table.rootFrame, at, result) }))
    }
    return { ns: least / WALKS, checksum: 0 }
  }
}

/** Makes what `make` makes when it is first asked for: not every run needs the tables of every format. */
const lazily = (make) => {
  let made
  return (name) => () => (made ??= make())[name]()
}

/** What every format is measured at, with what it is held against. The runs are of all but one entry of a table. */
const each = [
  { what: 'map one page', ours: 'map one', goal: 3.6 },
  { what: 'unmap one page', ours: 'unmap one', goal: 3.6 },
  { what: 'map a table of pages, per page', ours: 'map run', goal: 2.4 },
  { what: 'unmap a table of pages, per page', ours: 'unmap run', goal: 2.6 },
  { what: 'map 1 GiB into new tables, per page', ours: 'map fresh', goal: 2.4 },
  { what: 'walk, in order', ours: 'walk in order' },
  { what: 'walk, random', ours: 'walk', goal: 3 },
  { what: 'walk, each from the one before', ours: 'walk chain', goal: 1.3 },
]

const guarded = new Set(['map one', 'unmap one', 'map run', 'unmap run', 'map fresh', 'walk', 'walk chain'])

/** @returns {import('./measure.js').Row[]} */
export const tableRows = () => {
  const chunks = lazily(() => tableOperations(peerFormat, { flat: false }))
  const flat = lazily(() => tableOperations(peerFormat))
  return [
    ...formats.flatMap(({ name, format }) => {
      const own = format === peerFormat
      const operations = own ? flat : lazily(() => tableOperations(format))
      const fresh = own ? lazily(() => tableOperations(format)) : operations
      const leaf = lazily(() => ({ map: leafOperation(format) }))
      return [
        ...each.map(({ what, ours, goal }) => ({
          subject: name, name: what, run: (ours === 'map fresh' ? fresh : operations)(ours), peer: ours, goal, same: own, guard: own && guarded.has(ours),
        })),
        { subject: name, name: 'map one largest leaf', run: leaf('map'), peer: 'map leaf' },
      ]
    }),
    { subject: 'beyond', name: 'walk, random, 128 MiB of tables', run: farOperation(), peer: 'walk far', slow: true },
    { subject: 'beyond', name: 'iovaToPhys', run: flat('iova to phys'), peer: 'iova to phys', same: true },
    { subject: 'beyond', name: 'context and walk', run: flat('translate'), peer: 'translate', same: true },
    { subject: 'beyond', name: 'map a table of pages, observed', run: flat('map run, observed'), peer: 'map run', slow: true },
    { subject: 'memory in chunks', name: 'map one page', run: chunks('map one'), peer: 'map one', same: true },
    { subject: 'memory in chunks', name: 'map a table of pages, per page', run: chunks('map run'), peer: 'map run', same: true, goal: 6 },
    { subject: 'memory in chunks', name: 'walk, random', run: chunks('walk'), peer: 'walk', same: true, goal: 6 },
  ]
}
