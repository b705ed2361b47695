// The DMA API: device addresses of buffers, strict and queued.
import { describe, expect, test } from 'vitest'
import { bench, device, readWrite, refusal, together } from './bench.js'

const a = device('a')
const K = 0x1000n

describe('a strict default domain', () => {
  test('maps whole pages and keeps the offset of the buffer', () => {
    const { core, driver } = bench({}, [a])
    const iova = core.dma(a).map(0x5f80n, 0x100n, readWrite)
    expect(iova).toBe(0xffff_ef80n)
    expect(driver.take()).toEqual(['map paging1 ffffe000 5000 1000x2', 'syncmap paging1 ffffe000+2000'])
    core.dma(a).unmap(iova, 0x100n)
    expect(driver.take()).toEqual(['unmap paging1 ffffe000 1000x2', 'sync paging1 ffffe000-ffffffff'])
    expect(core.dma(a).queued).toBe(0)
    expect(core.dma(a).map(0x5f80n, 0x100n, readWrite)).toBe(iova)
  })

  test('keeps out of reserved regions, also of devices that join later', () => {
    const [x, y] = together('x', 'y')
    if (!x || !y) throw new Error('two devices')
    const access = readWrite
    const first = { ...x, reserved: [{ start: 0xffff_f000n, length: K, kind: 'msi' as const, access }] }
    const second = { ...y, reserved: [{ start: 0xffff_d000n, length: K, kind: 'reserved' as const, access }] }
    const { core } = bench({}, [first])
    expect(core.dma(first).map(K, K, access)).toBe(0xffff_e000n)
    core.probeDevice(second)
    expect(core.dma(second).map(K, K, access)).toBe(0xffff_c000n)
  })

  test('gives the address back where the map fails', () => {
    const { core, driver } = bench({}, [a])
    driver.refuse('map', 'ENOMEM')
    expect(refusal(() => core.dma(a).map(K, K, readWrite))).toBe('ENOMEM')
    driver.allow()
    expect(core.dma(a).map(K, K, readWrite)).toBe(0xffff_f000n)
  })

  test('refuses what it has not mapped', () => {
    const { core } = bench({}, [a])
    const dma = core.dma(a)
    const iova = dma.map(K, K, readWrite)
    expect(refusal(() => dma.map(K, 0n, readWrite))).toBe('EINVAL')
    expect(refusal(() => dma.unmap(iova - K, K))).toBe('EINVAL')
    expect(refusal(() => dma.unmap(iova, 2n * K))).toBe('EINVAL')
    dma.unmap(iova, K)
    expect(refusal(() => dma.unmap(iova, K))).toBe('EINVAL')
  })

  test('warns where a buffer was no longer mapped', () => {
    const { core, warnings } = bench({}, [a])
    const iova = core.dma(a).map(K, K, readWrite)
    const { domain } = core.group(a)
    if (domain) core.unmap(domain, iova, K)
    core.dma(a).unmap(iova, K)
    expect(warnings).toHaveLength(1)
  })

  test('runs out of addresses', () => {
    const { core } = bench({}, [a])
    expect(refusal(() => core.dma(a).map(0n, 1n << 33n, readWrite))).toBe('ENOSPC')
  })
})

describe('a flush queue', () => {
  const queued = (): ReturnType<typeof bench> => bench({}, [a], { defaultType: 'dma-fq' })

  test('syncs nothing at an unmap, and uses the address again only after a flush of all', () => {
    const { core, driver } = queued()
    const dma = core.dma(a)
    const iova = dma.map(K, K, readWrite)
    driver.take()
    dma.unmap(iova, K)
    expect(driver.take()).toEqual(['unmap paging1 fffff000 1000x1'])
    expect(dma.queued).toBe(1)
    expect(refusal(() => dma.unmap(iova, K))).toBe('EINVAL')
    expect(dma.map(K, K, readWrite)).not.toBe(iova)
    driver.take()
    dma.flush()
    expect(driver.take()).toEqual(['flush paging1'])
    expect(dma.queued).toBe(0)
    expect(dma.map(K, K, readWrite)).toBe(iova)
    dma.flush()
    expect(driver.take().filter((call) => call.startsWith('flush'))).toEqual([])
  })

  test('flushes by itself when its ring is full', () => {
    const { core, driver } = queued()
    const dma = core.dma(a)
    for (let count = 0; count < 256; count += 1) dma.unmap(dma.map(K, K, readWrite), K)
    expect(driver.take().filter((call) => call.startsWith('flush'))).toEqual([])
    dma.unmap(dma.map(K, K, readWrite), K)
    expect(driver.take().filter((call) => call.startsWith('flush'))).toEqual(['flush paging1'])
    expect(dma.queued).toBe(1)
  })

  test('flushes when the addresses run out', () => {
    const { core, driver } = queued()
    const dma = core.dma(a)
    dma.unmap(dma.map(0n, 1n << 31n, readWrite), 1n << 31n)
    dma.map(0n, 1n << 31n, readWrite)
    expect(driver.calls.filter((call) => call.startsWith('flush'))).toEqual(['flush paging1'])
  })

  test('is emptied before its domain is freed', () => {
    const { core, driver } = queued()
    core.dma(a).unmap(core.dma(a).map(K, K, readWrite), K)
    driver.take()
    core.setDefaultType(core.group(a), 'identity')
    expect(driver.take()).toEqual(['attach identity a was paging1', 'flush paging1', 'free paging1'])
  })

  test('keeps its entries where the flush fails', () => {
    const { core, driver } = queued()
    const dma = core.dma(a)
    dma.unmap(dma.map(K, K, readWrite), K)
    driver.refuse('flush', 'ETIMEDOUT')
    expect(refusal(() => dma.flush())).toBe('ETIMEDOUT')
    expect(dma.queued).toBe(1)
  })
})

describe('other default domains', () => {
  test('identity hands out physical addresses', () => {
    const { core, driver } = bench({}, [a], { defaultType: 'identity' })
    expect(core.dma(a).map(0x1234n, 5n, readWrite)).toBe(0x1234n)
    core.dma(a).unmap(0x1234n, 5n)
    core.dma(a).flush()
    expect(core.dma(a).queued).toBe(0)
    expect(driver.take()).toEqual([])
  })

  test('a legacy driver’s own has no DMA API', () => {
    const { core } = bench({ staticDefault: 'platform' }, [a])
    expect(refusal(() => core.dma(a).map(0x1234n, 5n, readWrite))).toBe('EOPNOTSUPP')
  })
})
