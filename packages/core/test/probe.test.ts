// Probe: the driver's calls in their order, hot-added devices, and what a failed probe leaves.
import { createCore, errorCode } from '@iommu/core'
import type { PagingDomain } from '@iommu/core'
import { describe, expect, test } from 'vitest'
import { bench, device, refusal, together } from './bench.js'
import { fakeDriver } from './fake-driver.js'

const a = device('a')

describe('createCore', () => {
  test('refuses a driver of another contract with a sentence that names both numbers', () => {
    const create = (): unknown => createCore(fakeDriver({ contract: 7 }).ops)
    expect(create).toThrow('driver-fake speaks contract 7, this core speaks 1')
    expect(refusal(create)).toBe('EINVAL')
  })

  test('gives an object whose copies stay live', () => {
    const { core } = bench()
    const copy = { ...core }
    core.probeDevice(a)
    expect(copy.groups.map((group) => group.key)).toEqual(['a'])
    expect(copy.group(a)).toBe(copy.groups[0])
  })
})

describe('probe', () => {
  test('attaches the default domain, from nothing, before probeFinalize', () => {
    const { core, driver } = bench()
    core.probeDevice(a)
    expect(driver.calls).toEqual(['probe a', 'alloc paging+pasid', 'attach paging1 a was none', 'finalize a'])
    expect(driver.nameOf(core.group(a).domain)).toBe('paging1')
    expect(core.group(a)).toMatchObject({ key: 'a', devices: [a], defaultType: 'dma', ownerCount: 0, recoveryCount: 0 })
  })

  test('of a device that is probed already calls nothing', () => {
    const { core, driver } = bench({}, [a])
    core.probeDevice(a)
    expect(driver.take()).toEqual([])
  })

  test('of a device that is not the driver’s leaves nothing behind', () => {
    const { core, driver } = bench()
    driver.refuse('probe a', 'ENODEV')
    expect(refusal(() => core.probeDevice(a))).toBe('ENODEV')
    expect(driver.calls).toEqual(['probe a'])
    expect(core.groups).toEqual([])
    expect(refusal(() => core.group(a))).toBe('ENODEV')
  })

  test('whose group cannot be found releases the device', () => {
    const { core, driver } = bench()
    driver.refuse('group a', 'ENOMEM')
    expect(refusal(() => core.probeDevice(a))).toBe('ENOMEM')
    expect(driver.calls).toEqual(['probe a', 'release a'])
  })

  test('whose first attach fails warns, releases the device and frees the domain', () => {
    const { core, driver, warnings } = bench()
    driver.refuse('attach paging1', 'ENOMEM')
    expect(refusal(() => core.probeDevice(a))).toBe('ENOMEM')
    expect(driver.calls.slice(2)).toEqual([
      'attach paging1 a was none', 'attach blocked a was paging1', 'release a', 'free paging1',
    ])
    expect(warnings).toHaveLength(1)
    expect(core.groups).toEqual([])
    driver.allow()
    core.probeDevice(a)
    expect(driver.nameOf(core.group(a).domain)).toBe('paging2')
  })

  test('without memory for a default domain fails', () => {
    const { core, driver } = bench()
    driver.refuse('alloc', 'ENOMEM')
    expect(refusal(() => core.probeDevice(a))).toBe('ENOMEM')
    expect(driver.calls.slice(1)).toEqual(['alloc paging+pasid', 'attach blocked a was none', 'release a'])
  })

  test('lets a bug of the driver through as it is', () => {
    const { core, driver } = bench()
    driver.during('attach paging1', () => { throw new TypeError('a bug') })
    expect(() => core.probeDevice(a)).toThrow(TypeError)
    expect(errorCode(new TypeError('a bug'))).toBeUndefined()
  })

  // Types allow `async` where nothing is answered, and a promise would count as done.
  const promised = 'the driver answered with a promise: the contract is synchronous'
  test('refuses a driver that answers with a promise, kept or broken', () => {
    for (const end of [Promise.resolve(), Promise.reject(new Error('later'))]) {
      const { ops } = fakeDriver()
      expect(() => createCore({ ...ops, probeDevice: () => end }).probeDevice(a)).toThrow(promised)
    }
    const { core, driver } = bench({}, [a])
    const domain: PagingDomain = Object.assign(core.allocPaging(a), { attachDev: () => Promise.resolve() })
    expect(() => core.attachDevice(domain, a)).toThrow(promised)
    expect(driver.nameOf(core.group(a).domain)).toBe('paging1')
  })
})

describe('a device that joins a group', () => {
  const [x, y] = together('x', 'y') as [ReturnType<typeof device>, ReturnType<typeof device>]

  test('gets what the others have: the default domain', () => {
    const { core, driver } = bench({}, [x])
    core.probeDevice(y)
    expect(driver.take()).toEqual(['probe y', 'attach paging1 y was none', 'finalize y'])
    expect(core.group(y)).toBe(core.group(x))
  })

  test('gets what the others have: the domain of a user', () => {
    const { core, driver } = bench({}, [x])
    const user = core.allocPaging(x)
    core.attachDevice(user, x)
    core.probeDevice(y)
    expect(driver.take().slice(-2)).toEqual(['attach paging2 y was none', 'finalize y'])
  })

  test('and cannot be attached does not disturb the others', () => {
    const { core, driver } = bench({}, [x])
    driver.refuse('attach paging1 y', 'EINVAL')
    expect(refusal(() => core.probeDevice(y))).toBe('EINVAL')
    expect(driver.take().slice(1)).toEqual(['attach paging1 y was none', 'attach blocked y was paging1', 'release y'])
    expect(core.group(x).devices).toEqual([x])
  })
})
