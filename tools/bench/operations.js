// The measured operations on our side, on the tables that peer.c builds: each answers ns per unit and a checksum.
import { createGather, gatherReset } from '@iommu/core'
import { capabilityWords, createCaches, createFormats, defaultProfile, translate } from '@iommu/driver-intel-vtd/model'
import { readCapabilities } from '@iommu/driver-intel-vtd/tables'
import { addresses, createTranslationCache, first, PhysicalMemory } from '@iommu/hardware'
import { amdV1, amdV2, armStage1, armStage2, createPageTable, createWalkResult, firstStage, secondStage, walk } from '@iommu/page-table'

/** As in peer.c: 1 GiB of 4 KiB pages, runs that leave one page of each table, 4 domains in the cache. */
const PAGES = 1 << 18
const WINDOW = 1 << 13
const RUN = 511
const SOURCES = 256
const LIVE = 1024
/** Root, level 3, level 2, and one for each 2 MiB. */
const TABLES = 3 + PAGES / 512
/** With the root table and the context table of the unit. */
const ALL = TABLES + 2
const FRAME = 4096n
const RW = { read: true, write: true }

const x86 = { levels: 4, leafShifts: [12, 21, 30], addressBits: 46, noExecute: true }
const arm = { granuleShift: 12, inputBits: 48, addressBits: 48 }

/** The peer's format, and the others in the shape that is nearest to it: four levels of 4 KiB. */
export const peerFormat = secondStage({ levels: 4, leafShifts: [12, 21, 30], addressBits: 46, snoopControl: true })
export const otherFormats = [firstStage(x86), amdV1({ levels: 4, addressBits: 46 }), amdV2(x86), armStage1(arm), armStage2(arm)]

/** The order in which pages are touched, the same shuffle as the peer's. */
const order = new Int32Array(PAGES).map((_, page) => page)
for (let page = PAGES - 1, seed = 1; page > 0; page--) {
  seed = (Math.imul(seed, 1664525) + 1013904223) | 0
  const other = (seed >>> 8) % (page + 1)
  const kept = order[page]
  order[page] = order[other]
  order[other] = kept
}

const addressOf = (page) => BigInt(page) * FRAME
const inOrder = Array.from({ length: PAGES }, (_, page) => addressOf(page))
const shuffled = Array.from(order.filter((page) => page < WINDOW), addressOf)

/** Nanoseconds that `run` takes. */
const timed = (run) => {
  const from = process.hrtime.bigint()
  run()
  return Number(process.hrtime.bigint() - from)
}

/**
 * The operations on one kind of memory, on tables of their own: each is called once per repetition, first puts the
 * tables into the state that it starts from, and then measures.
 * @param {import('@iommu/hardware').MemoryOptions} kind
 * @param {import('@iommu/page-table').Format} format
 * @returns {Record<string, () => { ns: number, checksum: number }>}
 */
export const createOperations = (kind = {}, format = peerFormat) => {
  const memory = new PhysicalMemory({ bytes: 0x40_0000n, tables: { start: 0n, end: 0x40_0000n }, ...kind })
  const gather = createGather()
  const result = createWalkResult()
  const view = memory.walker
  let table = createPageTable({ format, memory })

  const map = (page, count, to = page) => table.mapPages(inOrder[page], inOrder[to], FRAME, count, RW)
  const unmap = (page, count) => {
    table.unmapPages(inOrder[page], FRAME, count, gather)
    gatherReset(gather)
  }
  const mapEach = (from, count, step) => { for (let page = from; page < PAGES; page += step) map(page, count) }
  const unmapEach = (count, step) => { for (let page = 0; page < PAGES; page += step) unmap(page, count) }

  mapEach(0, 512, 512)
  const roots = memory.pages.allocate()
  const contexts = memory.pages.allocate()
  memory.storePair(roots, 0, contexts << 12 | 1, 0)
  for (let source = 0; source < SOURCES; source++) {
    memory.storePair(contexts, source * 2, table.rootFrame << 12 | 1, 0)
    memory.storePair(contexts, source * 2 + 1, 1 << 8 | 2, 0)
  }
  let frames = ALL

  const cache = createTranslationCache()
  for (let page = 0; page < LIVE; page++) cache.keep(1 + page % 4, order[page], 12, page)

  const capabilities = readCapabilities(...Object.values(capabilityWords(defaultProfile)))
  const hardware = {
    memory, capabilities, hostAddressBits: 46, caches: createCaches(), formats: createFormats(capabilities, 46),
    state: { translating: true, rootTable: addresses.frameAddress(roots), mode: 'legacy' },
  }
  const sight = { choose: first, cached: false, fills: false }

  /** A DMA of a source through the doors that models use: root entry, context entry, walk, permission. */
  const context = (source, low, high) => {
    view.loadPair(roots, (source >>> 8) * 2)
    if ((view.low & 1) === 0) return -1
    const bus = view.low >>> 12
    view.loadPair(bus, (source & 255) * 2)
    const entry = view.low
    if ((entry & 1) === 0 || (entry >>> 2 & 3) !== 0) return -1
    view.loadPair(bus, (source & 255) * 2 + 1)
    if ((view.low & 7) !== 2) return -1
    walk(format, view, entry >>> 12, low, high, result)
    return result.write ? result.physicalLow : -1
  }

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

  /** Measures `run`, which may answer a number that goes into the checksum. */
  const measure = (units, run) => {
    let sum = 0
    const ns = timed(() => { sum = run() ?? 0 })
    return { ns: ns / units, checksum: (sum + checksum()) >>> 0 }
  }

  return {
    'map one'() {
      for (let page = 0; page < WINDOW; page++) unmap(page, 1)
      return measure(WINDOW, () => {
        for (let page = 0; page < WINDOW; page++) table.mapPages(shuffled[page], shuffled[page], FRAME, 1, RW)
      })
    },
    'unmap one'() {
      for (let page = 0; page < WINDOW; page++) map(page, 1)
      return measure(WINDOW, () => {
        let sum = 0
        for (let page = 0; page < WINDOW; page++) {
          if (table.unmapPages(shuffled[page], FRAME, 1, gather) === FRAME) sum++
        }
        gatherReset(gather)
        return sum
      })
    },
    'map run'() {
      unmapEach(RUN, 512)
      return measure(PAGES / 512 * RUN, () => mapEach(0, RUN, 512))
    },
    'unmap run'() {
      mapEach(0, RUN, 512)
      return measure(PAGES / 512 * RUN, () => {
        let sum = 0
        for (let page = 0; page < PAGES; page += 512) {
          sum += Number(table.unmapPages(inOrder[page], FRAME, RUN, gather) / FRAME)
          gatherReset(gather)
        }
        return sum
      })
    },
    'map fresh'() {
      table.free()
      if (frames === ALL) for (const frame of [roots, contexts]) memory.pages.free(frame)
      frames = TABLES
      // Given back from the highest on, so that they are handed out in the peer's order.
      const taken = Array.from({ length: ALL }, () => memory.pages.allocate())
      for (const frame of taken.sort((one, other) => other - one)) memory.pages.free(frame)
      table = createPageTable({ format, memory })
      return measure(PAGES, () => mapEach(0, 512, 512))
    },
    walk: () => measure(PAGES, () => {
      let sum = 0
      for (let page = 0; page < PAGES; page++) {
        const at = order[page]
        walk(format, view, table.rootFrame, at << 12 | 8, at >>> 20, result)
        sum = (sum + result.physicalLow) | 0
      }
      return sum
    }),
    translate: () => measure(PAGES, () => {
      let sum = 0
      for (let page = 0; page < PAGES; page++) {
        const at = order[page]
        sum = (sum + context(page % SOURCES, at << 12 | 8, at >>> 20)) | 0
      }
      return sum
    }),
    model: () => measure(WINDOW, () => {
      for (let page = 0; page < WINDOW; page++) {
        translate(hardware, { source: page % SOURCES, kind: 'untranslated', address: shuffled[page], access: 'write' }, sight)
      }
    }),
    lookup: () => measure(PAGES, () => {
      let sum = 0
      for (let page = 0; page < PAGES; page++) {
        const at = page % LIVE
        sum = (sum + (cache.lookup(1 + at % 4, order[at]) << 12)) | 0
      }
      return sum
    }),
    'iova to phys': () => measure(WINDOW, () => {
      let found = 0
      for (let page = 0; page < WINDOW; page++) if (table.iovaToPhys(shuffled[page]) !== undefined) found++
      return found
    }),
    'map run, observed'() {
      unmapEach(RUN, 512)
      const stop = memory.events.observe(() => {})
      try {
        return measure(PAGES / 512 * RUN, () => mapEach(0, RUN, 512))
      } finally {
        stop()
      }
    },
  }
}

/** Every shape of table in use, so that nothing is measured that knows of only one. */
export const warm = () => {
  const shapes = [
    ...[3, 4, 5].map((levels) => secondStage({ levels, leafShifts: [12, 21, 30], addressBits: 46, snoopControl: true })),
    ...[4, 5].map((levels) => firstStage({ ...x86, levels })),
    ...[3, 4, 6].map((levels) => amdV1({ levels, addressBits: 46 })),
    ...[4, 5].map((levels) => amdV2({ ...x86, levels })),
    ...[12, 14, 16].flatMap((granuleShift) => [armStage1({ ...arm, granuleShift }), armStage2({ ...arm, granuleShift, inputBits: 40 })]),
  ]
  const result = createWalkResult()
  const gather = createGather()
  for (const [shape, flat] of shapes.flatMap((each) => [[each, true], [each, false]])) {
    const memory = new PhysicalMemory({ flat, bytes: 0x400_0000n })
    const table = createPageTable({ format: shape, memory })
    const page = 1n << BigInt(shape.granuleShift)
    const large = page << BigInt(shape.bitsPerLevel)
    for (let round = 0; round < 1000; round++) {
      const iova = BigInt(round * 5 % 4096) * page
      table.mapPages(iova, 0x10_0000_0000n, page, 1 + round % 7, RW)
      if (shape.levels > 1) table.mapPages(0x40_0000_0000n - large, 0n, large, 1, RW)
      walk(shape, memory.walker, table.rootFrame, (round << shape.granuleShift) | 0, 0, result)
      walk(shape, memory.walker, table.rootFrame, -0x20_0000, 0x3f, result)
      table.iovaToPhys(iova)
      if (round % 3 === 0) table.unmapPages(iova, page, 7, gather)
    }
    table.unmapPages(0n, page, 8192, gather)
    table.release(gather.freed)
    table.free()
  }
}
