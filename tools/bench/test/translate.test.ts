// DMA through the models: what hardware without an IOTLB keeps and what it does not, and what a DMA allocates.
import { describe, expect, test } from 'vitest'

interface Request { source: number; kind: 'untranslated'; address: bigint; access: 'write' }
interface Scene {
  readonly machine: { dma(request: Request): { result: string; address?: bigint }; outcomes(request: Request): readonly unknown[] }
  readonly device: object
  paging(pasid: boolean): {
    readonly size: bigint
    readonly domain: {
      attachDev(device: object, old: undefined): void
      unmapPages(address: bigint, size: bigint, count: number, gather: object): unknown
    }
  }
}

const { sceneOf } = await import('../devices.js') as { sceneOf(driver: string, devices: number, options?: { iotlb: boolean }): Promise<Scene> }
const { createGather } = await import('@iommu/core')

const ADDRESS = 0x100_0000n
const write = (address: bigint): Request => ({ source: 0x20, kind: 'untranslated', address, access: 'write' })

/** A device with a domain, and what a DMA of it meets after its page was removed and nothing was flushed. */
const withoutFlush = async (driver: string, iotlb: boolean): Promise<{ before: unknown; after: unknown; may: number }> => {
  const { machine, device, paging } = await sceneOf(driver, 1, { iotlb })
  const { domain, size } = paging(false)
  domain.attachDev(device, undefined)
  const before = machine.dma(write(ADDRESS + 8n))
  domain.unmapPages(ADDRESS, size, 1, createGather())
  return { before, after: machine.dma(write(ADDRESS + 8n)).result, may: machine.outcomes(write(ADDRESS + 8n)).length }
}

describe.each(['intel-vtd', 'amd-vi', 'arm-smmuv3', 'riscv'])('%s', (driver) => {
  test('the IOTLB keeps a page that was removed without a flush, and hardware without one does not', async () => {
    const kept = await withoutFlush(driver, true)
    const walked = await withoutFlush(driver, false)
    expect(walked.before).toEqual(kept.before)
    expect(walked.before).toMatchObject({ result: 'translated', address: ADDRESS + 8n })
    expect([kept.after, kept.may]).toEqual(['translated', 2])
    expect([walked.after, walked.may]).toEqual(['blocked', 1])
  })

  test.each([true, false])('a DMA allocates its outcome and its address, and little else (IOTLB: %s)', async (iotlb) => {
    const { machine, device, paging } = await sceneOf(driver, 1, { iotlb })
    const { domain } = paging(false)
    domain.attachDev(device, undefined)
    const request = write(ADDRESS)
    const TIMES = 20_000
    const run = (): void => { for (let at = 0; at < TIMES; at++) machine.dma(request) }
    for (let round = 0; round < 5; round++) run()
    let least = Infinity
    for (let round = 0; round < 10; round++) {
      const before = process.memoryUsage().heapUsed
      run()
      const grown = process.memoryUsage().heapUsed - before
      if (grown > 0) least = Math.min(least, grown / TIMES)
    }
    // An outcome of 9 words and a bigint of 2 or 3; without the IOTLB a leaf and the question for it. Decoding an entry takes 1000 and more.
    expect(least).toBeLessThan(iotlb ? 250 : 500)
  })
})
