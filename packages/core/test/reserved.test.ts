// Reserved regions: 1:1 mappings before the attach, and devices that may not be blocked.
import type { ReservedKind, ReservedRegion } from '@iommu/core'
import { describe, expect, test } from 'vitest'
import { bench, device, readWrite, refusal, together } from './bench.js'

const region = (start: bigint, length: bigint, kind: ReservedKind): ReservedRegion =>
  ({ start, length, kind, access: readWrite })
const direct = device('a', { reserved: [region(0x8000n, 0x3000n, 'direct')] })
const relaxable = device('a', { reserved: [region(0x8000n, 0x1000n, 'direct-relaxable')] })

describe('direct mappings', () => {
  test('are made before the attach', () => {
    const { core, driver } = bench()
    core.probeDevice(direct)
    expect(driver.calls.slice(2, 5)).toEqual([
      'map paging1 8000 8000 1000x3', 'syncmap paging1 8000+3000', 'attach paging1 a was none',
    ])
  })

  test('are made for relaxable regions, too', () => {
    const { core, driver } = bench({}, [relaxable])
    const { domain } = core.group(relaxable)
    expect(domain && core.iovaToPhys(domain, 0x8010n)).toBe(0x8010n)
    expect(driver.calls).toContain('map paging1 8000 8000 1000x1')
  })

  test.each<ReservedKind>(['reserved', 'msi', 'software-msi'])('are not made for regions of kind %s', (kind) => {
    const { driver } = bench({}, [device('a', { reserved: [region(0x8000n, 0x1000n, kind)] })])
    expect(driver.calls.some((call) => call.startsWith('map'))).toBe(false)
  })

  test('are not made in domains that do not translate, or are a user’s', () => {
    const { core, driver } = bench({}, [relaxable], { defaultType: 'identity' })
    core.attachDevice(core.allocPaging(relaxable), relaxable)
    expect(driver.calls.some((call) => call.startsWith('map'))).toBe(false)
  })

  test('of several regions and devices may overlap', () => {
    const [x, y] = together('x', 'y')
    if (!x || !y) throw new Error('two devices')
    const { driver, warnings } = bench({}, [
      { ...x, reserved: [region(0x8000n, 0x2000n, 'direct'), region(0x6000n, 0x5000n, 'direct-relaxable')] },
      { ...y, reserved: [region(0x9000n, 0x4000n, 'direct')] },
    ])
    expect(driver.calls.filter((call) => call.startsWith('map'))).toEqual([
      'map paging1 8000 8000 1000x2', 'map paging1 6000 6000 1000x2', 'map paging1 a000 a000 1000x1',
      'map paging1 b000 b000 1000x2',
    ])
    expect(warnings).toEqual([])
  })

  test('round both ends of a region up to a page, as Linux does', () => {
    const { driver } = bench({}, [device('a', { reserved: [region(0x8800n, 0x1000n, 'direct')] })])
    expect(driver.calls).toContain('map paging1 9000 9000 1000x1')
  })

  test('that cannot be made early are made after the attach, with a warning', () => {
    const { core, driver, warnings } = bench()
    driver.refuse('map', 'EINVAL')
    driver.during('attach paging1', () => driver.allow())
    core.probeDevice(direct)
    expect(driver.calls.slice(2, 5)).toEqual([
      'map paging1 8000 8000 1000x3', 'attach paging1 a was none', 'map paging1 8000 8000 1000x3',
    ])
    expect(warnings).toHaveLength(1)
  })

  test('that cannot be made at all fail the probe', () => {
    const { core, driver } = bench()
    driver.refuse('map', 'EINVAL')
    expect(refusal(() => core.probeDevice(direct))).toBe('EINVAL')
    expect(driver.calls.slice(-3)).toEqual(['attach identity a was paging1', 'release a', 'free paging1'])
  })

  test('that cannot be made keep the old default domain at a change of type', () => {
    const { core, driver } = bench({}, [relaxable], { defaultType: 'identity' })
    driver.refuse('map', 'EINVAL')
    expect(refusal(() => core.setDefaultType(core.group(relaxable), 'dma'))).toBe('EINVAL')
    expect(driver.take().slice(-2)).toEqual(['attach identity a was paging1', 'free paging1'])
    expect(core.group(relaxable).defaultType).toBe('identity')
  })
})

describe('a device that needs its 1:1 mappings', () => {
  test('cannot be blocked, nor claimed', () => {
    const { core, driver, warnings } = bench({}, [direct])
    const { blockedDomain } = driver.ops
    expect(refusal(() => core.claimDevice(direct, {}))).toBe('EINVAL')
    expect(blockedDomain && refusal(() => core.attachDevice(blockedDomain, direct))).toBe('EINVAL')
    expect(driver.take()).toEqual([])
    expect(warnings).toHaveLength(2)
  })

  test('cannot get the empty domain that stands in', () => {
    const { core, driver } = bench({ blocked: false }, [direct])
    expect(refusal(() => core.claimDevice(direct, {}))).toBe('EINVAL')
    expect(driver.take()).toEqual(['alloc paging'])
  })

  test('can be blocked where its region is relaxable', () => {
    const { core, driver } = bench({}, [relaxable])
    core.claimDevice(relaxable, {})
    expect(driver.take()).toEqual(['attach blocked a was paging1'])
  })

  test('says which regions it has', () => {
    const { core } = bench({}, [direct])
    expect(core.reservedRegions(direct)).toEqual(direct.reserved)
  })
})
