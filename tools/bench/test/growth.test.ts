// Growth: what must not become slower with size. Ratios within one process, the best of many, with room for noise.
import { describe, expect, test } from 'vitest'
import { createTranslationCache, PhysicalMemory } from '@iommu/hardware'
import { createGather } from '@iommu/core'
import { createPageTable, secondStage } from '@iommu/page-table'

const RW = { read: true, write: true } as const
const format = secondStage({ levels: 4, leafShifts: [12, 21, 30], addressBits: 46, snoopControl: true })
const ROUNDS = 60
/** Long enough for V8 to have optimized what is measured. */
const LEAST_MS = 400

const timed = (run: () => void): number => {
  const from = process.hrtime.bigint()
  run()
  return Number(process.hrtime.bigint() - from)
}

/** The least that each takes, in turn, so that what else the machine does meets both. */
const leastOf = (...runs: readonly (() => number)[]): number[] => {
  const least = runs.map(() => Infinity)
  const end = performance.now() + LEAST_MS
  for (let round = 0; round < ROUNDS || performance.now() < end; round++) {
    runs.forEach((run, index) => { least[index] = Math.min(least[index] as number, run()) })
  }
  return least
}

const tableWith = (): { table: ReturnType<typeof createPageTable>; gather: ReturnType<typeof createGather> } => {
  const memory = new PhysicalMemory({ flat: true, bytes: 0x80_0000n, tables: { start: 0n, end: 0x80_0000n } })
  return { table: createPageTable({ format, memory }), gather: createGather() }
}

/** Times `count` calls that each map `pages` pages of a size side by side; what they mapped is removed again. */
const mapping = (size: bigint, pages: number, count: number): () => number => {
  const { table, gather } = tableWith()
  const span = size * BigInt(pages)
  // One more keeps the tables there.
  table.mapPages(span * BigInt(count), 0n, size, 1, RW)
  return () => {
    const ns = timed(() => { for (let at = 0; at < count; at++) table.mapPages(span * BigInt(at), 0n, size, pages, RW) })
    for (let at = 0; at < count; at++) table.unmapPages(span * BigInt(at), size, pages, gather)
    table.release(gather.freed)
    return ns / count
  }
}

describe('growth', () => {
  test('a call of 512 pages takes less than 60 times as long as one of a page', () => {
    const [one, many] = leastOf(mapping(0x1000n, 1, 256), mapping(0x1000n, 512, 64)) as [number, number]
    expect(many / one).toBeLessThan(60)
  })

  test('a leaf of 1 GiB takes no longer than a page of 4 KiB', () => {
    const [small, large] = leastOf(mapping(0x1000n, 1, 60), mapping(0x4000_0000n, 1, 60)) as [number, number]
    expect(large / small).toBeLessThan(1.5)
  })

  test('invalidating a range does not grow with what lives outside of it', () => {
    const cacheOf = (live: number): () => number => {
      const cache = createTranslationCache<number>()
      for (let page = 0; page < live; page++) cache.keep(page % 10, page, 12, page)
      return () => {
        for (let page = 0; page < 64; page++) cache.keep(7, page, 12, page)
        return timed(() => { cache.dropRange((tag) => tag === 7, 0, 63) })
      }
    }
    const [few, many] = leastOf(cacheOf(1000), cacheOf(100_000)) as [number, number]
    // A hundred times as many, which are further apart in memory.
    expect(many / few).toBeLessThan(10)
  })

  test('tables of 1 GiB of small pages are as few as possible', () => {
    const { table } = tableWith()
    table.mapPages(0n, 0n, 0x1000n, 1 << 18, RW)
    expect(table.tableCount).toBe(3 + 512)
  })
})

test('a walk and an IOTLB hit allocate nothing in steady state', async () => {
  const { allocations } = await import('../memory.js') as { allocations(): Readonly<Record<string, number>> }
  const { walk, 'IOTLB hit': hit } = allocations()
  // Bytes per operation; the smallest object has 16.
  expect(walk).toBeLessThan(2)
  expect(hit).toBeLessThan(2)
})

describe('devices', () => {
  test.each(['intel-vtd', 'amd-vi', 'arm-smmuv3', 'riscv'])('a DMA through %s does not take longer with more devices', async (driver) => {
    const { dmaRun, sceneOf } = await import('../devices.js') as {
      sceneOf(driver: string, devices: number): Promise<{
        device: object
        paging(pasid: boolean): { domain: { attachDev(device: object, old: undefined): void }; size: bigint }
      }>
      dmaRun(scene: object, size: bigint, door: 'dma' | 'walk'): () => { ns: number }
    }
    const runOf = async (devices: number): Promise<() => number> => {
      const scene = await sceneOf(driver, devices)
      const { domain, size } = scene.paging(false)
      domain.attachDev(scene.device, undefined)
      const run = dmaRun(scene, size, 'dma')
      return () => run().ns
    }
    const [few, many] = leastOf(await runOf(1), await runOf(48)) as [number, number]
    expect(many / few).toBeLessThan(3)
  })
})
