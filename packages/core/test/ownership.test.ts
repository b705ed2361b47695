// DMA ownership: who gets the group, in which state, and the empty domain that stands in for a blocked one.
import { describe, expect, test } from 'vitest'
import { bench, device, refusal, together } from './bench.js'

const a = device('a')
const [x, y] = together('x', 'y') as [typeof a, typeof a]
const me = { name: 'me' }
const you = { name: 'you' }

describe('a claim', () => {
  test('blocks the whole group before it returns', () => {
    const { core, driver } = bench({}, [x, y])
    core.claimGroup(core.group(x), me)
    expect(driver.take()).toEqual(['attach blocked x was paging1', 'attach blocked y was paging1'])
    expect(core.group(x)).toMatchObject({ owner: me, ownerCount: 1 })
  })

  test('of a group is exclusive, also against its own owner and native drivers', () => {
    const { core } = bench({}, [x, y])
    core.claimGroup(core.group(x), me)
    expect(refusal(() => core.claimGroup(core.group(x), me))).toBe('EPERM')
    core.releaseGroup(core.group(x))
    core.useDefaultDomain(y)
    expect(refusal(() => core.claimGroup(core.group(x), me))).toBe('EPERM')
    expect(refusal(() => core.claimDevice(x, me))).toBe('EPERM')
  })

  test('of a device can be shared with the same owner', () => {
    const { core, driver } = bench({}, [x, y])
    core.claimDevice(x, me)
    core.claimDevice(y, me)
    expect(refusal(() => core.claimDevice(y, you))).toBe('EPERM')
    expect(core.group(x).ownerCount).toBe(2)
    driver.take()
    core.releaseDeviceClaim(x)
    expect(driver.take()).toEqual([])
    core.releaseDeviceClaim(y)
    expect(driver.take()).toEqual(['attach paging1 x was blocked', 'attach paging1 y was blocked'])
    expect(core.group(x)).toMatchObject({ owner: undefined, ownerCount: 0 })
  })

  test('needs an owner', () => {
    const { core } = bench({}, [a])
    const nobody = undefined as unknown as object
    expect(refusal(() => core.claimGroup(core.group(a), nobody))).toBe('EINVAL')
    expect(refusal(() => core.claimDevice(a, nobody))).toBe('EINVAL')
  })

  test('over a user’s domain, live PASIDs or a handle is EBUSY', () => {
    const { core } = bench({}, [a])
    const domain = core.allocPaging(a)
    core.attachPasid(domain, a, 1)
    expect(refusal(() => core.claimDevice(a, me))).toBe('EBUSY')
    core.detachPasid(domain, a, 1)
    core.attachDevice(domain, a)
    expect(refusal(() => core.claimDevice(a, me))).toBe('EBUSY')
    core.detachDevice(domain, a)
    const { defaultDomain } = core.group(a)
    if (defaultDomain) core.replaceGroup(defaultDomain, core.group(a), {})
    expect(refusal(() => core.claimDevice(a, me))).toBe('EBUSY')
    core.detachGroup(core.group(a))
    core.claimDevice(a, me)
  })

  test('that cannot block leaves the group unowned on its default domain', () => {
    const { core, driver } = bench({ blocked: false }, [x, y])
    driver.refuse('alloc', 'ENOMEM')
    expect(refusal(() => core.claimGroup(core.group(x), me))).toBe('ENOMEM')
    driver.allow()
    driver.refuse('attach paging2 y', 'ENOSPC')
    expect(refusal(() => core.claimGroup(core.group(x), me))).toBe('ENOSPC')
    expect(core.group(x)).toMatchObject({ owner: undefined, ownerCount: 0 })
    expect(driver.nameOf(core.group(x).domain)).toBe('paging1')
    expect(driver.take().at(-1)).toBe('attach paging1 x was paging2')
  })
})

describe('a driver without a blocked domain', () => {
  test('gets one empty domain for each group, allocated once and freed with the last device', () => {
    const { core, driver } = bench({ blocked: false }, [a])
    for (let claim = 0; claim < 3; claim += 1) {
      core.claimDevice(a, me)
      core.releaseDeviceClaim(a)
    }
    expect(driver.take().filter((call) => call.startsWith('alloc'))).toEqual(['alloc paging'])
    core.releaseDevice(a)
    expect(driver.take()).toEqual(['release a', 'free paging1', 'free paging2'])
  })

  test('whose empty domain does not block cannot be claimed, and is not called', () => {
    const { core, driver } = bench({ blocked: false, standInBlocks: false }, [a])
    expect(refusal(() => core.claimDevice(a, me))).toBe('EINVAL')
    expect(driver.take()).toEqual([])
    expect(driver.nameOf(core.group(a).domain)).toBe('paging1')
  })
})

describe('a release', () => {
  test('finds the mappings of the default domain as they were', () => {
    const { core } = bench({}, [a])
    const iova = core.dma(a).map(0x5000n, 0x1000n, { read: true, write: true })
    core.claimDevice(a, me)
    core.releaseDeviceClaim(a)
    const { domain } = core.group(a)
    expect(domain && core.iovaToPhys(domain, iova)).toBe(0x5000n)
  })

  test('takes a user’s domain off, too', () => {
    const { core, driver } = bench({}, [a])
    core.claimDevice(a, me)
    core.attachDevice(core.allocPaging(a), a)
    driver.take()
    core.releaseDeviceClaim(a)
    expect(driver.take()).toEqual(['attach paging1 a was paging2'])
  })

  test('with PASIDs still attached, or without a claim, warns and does nothing', () => {
    const { core, driver, warnings } = bench({}, [a])
    core.releaseGroup(core.group(a))
    core.claimDevice(a, me)
    core.attachPasid(core.allocPaging(a), a, 1)
    driver.take()
    core.releaseDeviceClaim(a)
    expect(driver.take()).toEqual([])
    expect(core.group(a).owner).toBe(me)
    expect(warnings).toHaveLength(2)
  })
})

describe('a native driver', () => {
  test('waits for the default domain', () => {
    const { core } = bench()
    expect(refusal(() => core.useDefaultDomain(a))).toBe('EPROBE_DEFER')
  })

  test('shares the group with other native drivers', () => {
    const { core } = bench({}, [x, y])
    core.useDefaultDomain(x)
    core.useDefaultDomain(y)
    expect(core.group(x)).toMatchObject({ owner: undefined, ownerCount: 2 })
    core.unuseDefaultDomain(x)
    core.unuseDefaultDomain(y)
    core.claimGroup(core.group(x), me)
  })

  test('cannot use a group that is owned, not on its default domain, or has PASIDs', () => {
    const { core } = bench({}, [a])
    const domain = core.allocPaging(a)
    core.claimDevice(a, me)
    expect(refusal(() => core.useDefaultDomain(a))).toBe('EBUSY')
    core.releaseDeviceClaim(a)
    core.attachDevice(domain, a)
    expect(refusal(() => core.useDefaultDomain(a))).toBe('EBUSY')
    core.detachDevice(domain, a)
    core.attachPasid(domain, a, 1)
    expect(refusal(() => core.useDefaultDomain(a))).toBe('EBUSY')
  })

  test('that stops without having started warns', () => {
    const { core, warnings } = bench({}, [a])
    core.unuseDefaultDomain(a)
    expect(warnings).toHaveLength(1)
    expect(core.group(a).ownerCount).toBe(0)
  })
})
