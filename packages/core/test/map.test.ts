// Map and unmap: page sizes, exact unwinding, syncs, and the answers that need no driver.
import type { Domain, PagingDomain } from '@iommu/core'
import { createGather, gatherIsEmpty } from '@iommu/core'
import { describe, expect, test } from 'vitest'
import type { Bench } from './bench.js'
import { bench, device, readWrite, refusal } from './bench.js'
import type { Script } from './fake-driver.js'

const a = device('a')
const K = 0x1000n
const M2 = 0x20_0000n

const mapper = (script: Script = {}): Bench & { readonly domain: PagingDomain } => {
  const made = bench(script, [a])
  const domain = made.core.allocPaging(a)
  made.driver.take()
  return { ...made, domain }
}

describe('map', () => {
  test('takes the largest pages that alignment and length allow, and syncs once', () => {
    const { core, driver, domain } = mapper()
    core.map(domain, M2 - 2n * K, 3n * M2 - 2n * K, M2 + 3n * K, readWrite)
    expect(driver.take()).toEqual([
      'map paging2 1fe000 5fe000 1000x2', 'map paging2 200000 600000 200000x1', 'map paging2 400000 800000 1000x1',
      'syncmap paging2 1fe000+203000',
    ])
    expect(core.iovaToPhys(domain, 0x20_0123n)).toBe(0x60_0123n)
  })

  test.each<[what: string, range: readonly [bigint, bigint, bigint]]>([
    ['address', [0x1800n, K, K]],
    ['physical address', [K, 0x1001n, K]],
    ['size', [K, K, 0x800n]],
  ])('with an unaligned %s is EINVAL, and calls nothing', (_what, [iova, physical, size]) => {
    const { core, driver, domain } = mapper()
    expect(refusal(() => core.map(domain, iova, physical, size, readWrite))).toBe('EINVAL')
    expect(driver.take()).toEqual([])
  })

  test('beyond the last address is EOVERFLOW, and of nothing is no call', () => {
    const { core, driver, domain } = mapper()
    expect(refusal(() => core.map(domain, (1n << 64n) - K, 0n, 2n * K, readWrite))).toBe('EOVERFLOW')
    core.map(domain, K, K, 0n, readWrite)
    expect(driver.take()).toEqual([])
  })

  test('in a domain without page tables of its own is EINVAL', () => {
    const { core, driver, warnings } = mapper()
    for (const domain of [driver.ops.blockedDomain, driver.ops.identityDomain] as Domain[]) {
      expect(refusal(() => core.map(domain, K, K, K, readWrite))).toBe('EINVAL')
      expect(core.unmap(domain, K, K)).toBe(0n)
    }
    expect(driver.take()).toEqual([])
    expect(warnings).toHaveLength(4)
  })

  test('that stops half way takes back exactly what was mapped', () => {
    const { core, driver, domain } = mapper({ mapLimit: 2n * K })
    expect(refusal(() => core.map(domain, K, K, 5n * K, readWrite))).toBe('ENOMEM')
    expect(driver.take()).toEqual([
      'map paging2 1000 1000 1000x5', 'unmap paging2 1000 1000x2', 'sync paging2 1000-2fff',
    ])
    expect(domain.iovaToPhys(K)).toBeUndefined()
  })

  test('over a live mapping leaves that alone', () => {
    const { core, driver, domain } = mapper()
    core.map(domain, 2n * K, 0x9000n, K, readWrite)
    driver.take()
    expect(refusal(() => core.map(domain, 2n * K, K, K, readWrite))).toBe('EADDRINUSE')
    expect(driver.take()).toEqual(['map paging2 2000 1000 1000x1'])
    expect(refusal(() => core.map(domain, K, K, 3n * K, readWrite))).toBe('EADDRINUSE')
    expect(driver.take().slice(1)).toEqual(['unmap paging2 1000 1000x1', 'sync paging2 1000-1fff'])
    expect(core.iovaToPhys(domain, 2n * K)).toBe(0x9000n)
  })

  test('whose sync fails is unmapped', () => {
    const { core, driver, domain } = mapper()
    driver.refuse('syncmap', 'EIO')
    expect(refusal(() => core.map(domain, K, K, 2n * K, readWrite))).toBe('EIO')
    expect(driver.take().slice(2)).toEqual(['unmap paging2 1000 1000x2', 'sync paging2 1000-2fff'])
    expect(domain.iovaToPhys(K)).toBeUndefined()
  })

  test('ends where a driver maps nothing and does not say why', () => {
    const { core, domain } = mapper()
    const silent: PagingDomain = { ...domain, mapPages: () => ({ mapped: 0n }) }
    expect(refusal(() => core.map(silent, K, K, K, readWrite))).toBe('EIO')
  })

  test('takes an exception for a refusal that mapped nothing, and lets a bug through', () => {
    const { core, driver, domain } = mapper()
    driver.refuse('map paging2 2000', 'ENOMEM')
    expect(refusal(() => core.map(domain, 2n * K, 0n, K, readWrite))).toBe('ENOMEM')
    const broken: PagingDomain = { ...domain, mapPages: () => { throw new TypeError('a bug') } }
    expect(() => core.map(broken, K, K, K, readWrite)).toThrow(TypeError)
  })
})

describe('unmap', () => {
  test('removes and syncs once', () => {
    const { core, driver, domain } = mapper()
    core.map(domain, M2 - K, M2 - K, M2 + K, readWrite)
    driver.take()
    expect(core.unmap(domain, M2 - K, M2 + K)).toBe(M2 + K)
    expect(driver.take()).toEqual([
      'unmap paging2 1ff000 1000x1', 'unmap paging2 200000 200000x1', 'sync paging2 1ff000-3fffff',
    ])
  })

  test('stops at a hole', () => {
    const { core, domain } = mapper()
    core.map(domain, K, K, 2n * K, readWrite)
    core.map(domain, 4n * K, K, K, readWrite)
    expect(core.unmap(domain, K, 4n * K)).toBe(2n * K)
    expect(core.unmap(domain, K, 4n * K)).toBe(0n)
    expect(core.iovaToPhys(domain, 4n * K)).toBe(K)
  })

  test('says what a larger leaf at the end took with it', () => {
    const { core, domain } = mapper()
    core.map(domain, M2, M2, M2, readWrite)
    expect(core.unmap(domain, M2, K)).toBe(M2)
  })

  test('that is not aligned warns, and calls nothing', () => {
    const { core, driver, domain, warnings } = mapper()
    expect(core.unmap(domain, 0x1800n, K)).toBe(0n)
    expect(driver.take()).toEqual([])
    expect(warnings).toHaveLength(1)
  })

  test('of a driver that ignores the gather syncs all the same', () => {
    const { core, driver, domain } = mapper({ ignoresGather: true })
    core.map(domain, K, K, 2n * K, readWrite)
    driver.take()
    core.unmap(domain, K, 2n * K)
    expect(driver.take()).toEqual(['unmap paging2 1000 1000x2', 'sync paging2 1000-2fff'])
    core.unmap(domain, K, 2n * K)
    expect(driver.take()).toEqual(['unmap paging2 1000 1000x2'])
  })

  test('can leave the sync of several ranges to the end', () => {
    const { core, driver, domain } = mapper()
    core.map(domain, K, K, 4n * K, readWrite)
    driver.take()
    const gather = createGather()
    core.unmapFast(domain, K, K, gather)
    core.unmapFast(domain, 3n * K, K, gather)
    core.sync(domain, gather)
    core.sync(domain, gather)
    expect(driver.take().slice(2)).toEqual(['sync paging2 1000-3fff'])
    expect(gatherIsEmpty(gather)).toBe(true)
  })

  test('whose range is empty still syncs for table pages to be freed', () => {
    const { core, driver, domain } = mapper()
    const gather = createGather()
    gather.freed.push(0x7000n)
    core.sync(domain, gather)
    expect(driver.take()).toHaveLength(1)
  })
})

describe('iovaToPhys', () => {
  test('answers for identity and blocked without the driver', () => {
    const { core, driver } = mapper()
    expect(core.iovaToPhys(driver.ops.identityDomain as Domain, 0x1234n)).toBe(0x1234n)
    expect(core.iovaToPhys(driver.ops.blockedDomain as Domain, 0x1234n)).toBeUndefined()
    expect(core.iovaToPhys({ kind: 'sva' }, 0x1234n)).toBeUndefined()
    expect(driver.take()).toEqual([])
  })
})
