// What tables and operations take: tables against the fewest possible, the heap beside them, and allocation per operation.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createGather, gatherReset } from '@iommu/core'
import { createTranslationCache, PhysicalMemory } from '@iommu/hardware'
import { createPageTable, createWalkResult, walk } from '@iommu/page-table'
import { peerFormat } from './formats.js'

const GIBS = 8
const GIB_PAGES = 1 << 18
const TIMES = 40_000
const RW = { read: true, write: true }

/** Bytes of heap that `TIMES` calls allocate, each. Few enough that no collection happens in between, or it is done again. */
const allocatedBy = (run) => {
  for (let at = 0; at < TIMES; at++) run(at)
  let least = Infinity
  for (let round = 0; round < 5; round++) {
    const before = process.memoryUsage().heapUsed
    for (let at = 0; at < TIMES; at++) run(at)
    const grown = process.memoryUsage().heapUsed - before
    if (grown >= 0) least = Math.min(least, grown / TIMES)
  }
  return least
}

/** Bytes of heap and of arrays beside it that are in use, after a collection. */
const heapInUse = () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc')
  collect()
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

const BYTES = 0x200_0000n
const ROUNDS = 20

const tablesOf = (gibs) => {
  const memory = new PhysicalMemory({ flat: true, bytes: BYTES, tables: { start: 0n, end: BYTES } })
  const table = createPageTable({ format: peerFormat, memory })
  table.mapPages(0n, 0n, 4096n, gibs * GIB_PAGES, RW)
  return table
}

/**
 * Tables of `GIBS` GiB of 4 KiB pages: how many there are, the fewest possible, and what is beside them in the heap and in
 * arrays. The code has run before: what V8 keeps of that is there once, however many tables there are.
 */
export const tablesOfGibs = () => {
  for (let round = 0; round < ROUNDS; round++) tablesOf(GIBS)
  const before = heapInUse()
  const table = tablesOf(GIBS)
  const heapBytes = heapInUse() - before - Number(BYTES)
  return { tables: table.tableCount, ideal: GIBS * (GIB_PAGES / 512 + 1) + 2, heapBytes, tableBytes: table.tableCount * 4096 }
}

/** Bytes of heap per operation in steady state. A result that is an object or a bigint is part of it. */
export const allocations = () => {
  const memory = new PhysicalMemory({ flat: true, bytes: 0x40_0000n, tables: { start: 0n, end: 0x40_0000n } })
  const table = createPageTable({ format: peerFormat, memory })
  table.mapPages(0n, 0n, 4096n, 1024, RW)
  const iovas = Array.from({ length: 512 }, (_, at) => BigInt(at) * 4096n)
  const result = createWalkResult()
  const gather = createGather()
  const cache = createTranslationCache()
  for (let at = 0; at < 1024; at++) cache.keep(1, at, 12, at)
  const { walker } = memory
  const root = table.rootFrame
  return {
    'walk': allocatedBy((at) => walk(peerFormat, walker, root, (at & 511) << 12, 0, result)),
    'IOTLB hit': allocatedBy((at) => cache.lookup(1, at & 511)),
    'map and unmap of a page': allocatedBy((at) => {
      table.unmapPages(iovas[at & 511], 4096n, 1, gather)
      gatherReset(gather)
      table.mapPages(iovas[at & 511], iovas[at & 511], 4096n, 1, RW)
    }),
  }
}

/** @returns {{ says: string }[]} */
export const memoryFacts = () => {
  const { tables, ideal, heapBytes, tableBytes } = tablesOfGibs()
  const each = Object.entries(allocations()).map(([what, bytes]) => `${what} ${bytes.toFixed(1)}`)
  return [
    { says: `Tables of ${GIBS} GiB in 4 KiB pages: ${tables}, the fewest possible ${ideal}; heap beside them ${(100 * Math.max(heapBytes, 0) / tableBytes).toFixed(2)} %.` },
    { says: `Heap allocated per operation, bytes: ${each.join(', ')}.` },
  ]
}
