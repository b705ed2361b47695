// How work grows with size: counted in stores, loads and tables, never in time.
import { PhysicalMemory } from '@iommu/hardware'
import { describe, expect, test } from 'vitest'
import { createGather } from '@iommu/core'
import { createPageTable } from '../src/index.js'
import type { Format } from '../src/index.js'
import { GB1, KB4, MB2, RW, setUp, shapeName, shapes } from './setting.js'

/** Memory that counts the words that the engine loads, word by word or in a check of many. */
class CountingMemory extends PhysicalMemory {
  loads = 0
  checks = 0
  override loadPair(frame: number, index: number): void {
    this.loads++
    super.loadPair(frame, index)
  }

  override areClear(frame: number, index: number, count: number, mask: number): boolean {
    this.checks++
    return super.areClear(frame, index, count, mask)
  }
}

/** Stores of one map from address 0, where a page at `already` has been mapped before. */
const storesOf = (format: Format, already: bigint | undefined, pageSize: bigint, count: number): number => {
  const { table, memory } = setUp(format)
  if (already !== undefined) table.mapPages(already, 0n, KB4, 1, RW)
  let stores = 0
  memory.events.observe(({ kind }) => { if (kind === 'store') stores++ })
  expect(table.mapPages(0n, 0n, pageSize, count, RW).error).toBeUndefined()
  return stores
}

describe.each(shapes.map((format) => [shapeName(format), format] as const))('%s', (_name, format) => {
  const { levels } = format

  test('a map of 512 pages makes one store per page and one per new table', () => {
    expect(storesOf(format, undefined, KB4, 512)).toBe(512 + levels - 1)
    expect(storesOf(format, MB2, KB4, 512)).toBe(512 + 1)
  })

  test('a large leaf costs no more than a small page', () => {
    expect(storesOf(format, undefined, MB2, 1)).toBe(1 + levels - 2)
    expect(storesOf(format, undefined, GB1, 1)).toBe(1 + levels - 3)
  })

  test('a map loads one entry per level and table, not per page', () => {
    const memory = new CountingMemory()
    const table = createPageTable({ format, memory })
    table.mapPages(0n, 0n, KB4, 1, RW)
    memory.loads = 0
    memory.checks = 0
    table.mapPages(KB4, 0n, KB4, 511, RW)
    expect([memory.loads, memory.checks]).toEqual([levels - 1, 1])
    memory.loads = 0
    table.mapPages(MB2, 0n, KB4, 512 * 64, RW)
    expect(memory.loads).toBeLessThanOrEqual(64 * (levels - 1))
  })

  test('an unmap stores once per page and table cut off, and descends once per table', () => {
    const memory = new CountingMemory()
    const table = createPageTable({ format, memory })
    table.mapPages(0n, 0n, KB4, 512 * 64, RW)
    memory.loads = 0
    table.unmapPages(0n, KB4, 512 * 32, createGather())
    expect(memory.loads).toBeLessThanOrEqual(512 * 32 + 32 * (levels - 1))
    let stores = 0
    memory.events.observe(({ kind }) => { if (kind === 'store') stores++ })
    table.unmapPages(32n * MB2, KB4, 512 * 32, createGather())
    expect(stores).toBe(512 * 32 + 32)
  })

  test('a translation loads one entry per level, however much is mapped', () => {
    const memory = new CountingMemory()
    const table = createPageTable({ format, memory })
    table.mapPages(0n, 0n, KB4, 512 * 600, RW)
    memory.loads = 0
    table.iovaToPhys(599n * MB2)
    expect(memory.loads).toBe(levels)
  })

  test('there are exactly as many tables as the mappings need', () => {
    const { table, memory } = setUp(format)
    table.mapPages(0n, 0n, KB4, 512 * 600, RW)
    expect(table.tableCount).toBe(600 + 2 + (levels - 2))
    expect(memory.pages.live).toBe(table.tableCount)
  })
})
