// Attach, replace, detach: who may, what the driver is told, and what a refusal leaves.
import type { AttachHandle, Domain } from '@iommu/core'
import { describe, expect, test } from 'vitest'
import { bench, device, refusal, together } from './bench.js'

const a = device('a')
const [x, y, z] = together('x', 'y', 'z') as [typeof a, typeof a, typeof a]

describe('attach', () => {
  test('switches from the default domain, and says so to the driver', () => {
    const { core, driver } = bench({}, [a])
    core.attachDevice(core.allocPaging(a), a)
    expect(driver.take()).toEqual(['alloc paging', 'attach paging2 a was paging1'])
  })

  test('of the current domain calls nothing', () => {
    const { core, driver } = bench({}, [a])
    const { defaultDomain } = core.group(a)
    if (defaultDomain) core.attachDevice(defaultDomain, a)
    expect(driver.take()).toEqual([])
  })

  test('over the domain of another user is EBUSY', () => {
    const { core, driver } = bench({}, [a])
    core.attachDevice(core.allocPaging(a), a)
    const other = core.allocPaging(a)
    driver.take()
    expect(refusal(() => core.attachDevice(other, a))).toBe('EBUSY')
    expect(driver.take()).toEqual([])
  })

  test('of a device that shares its group is EINVAL', () => {
    const { core, driver } = bench({}, [x, y])
    const domain = core.allocPaging(x)
    driver.take()
    expect(refusal(() => core.attachDevice(domain, x))).toBe('EINVAL')
    expect(driver.take()).toEqual([])
    core.attachGroup(domain, core.group(x))
    expect(driver.take()).toEqual(['attach paging2 x was paging1', 'attach paging2 y was paging1'])
  })

  test('of another driver’s domain is EINVAL, whatever kind it is', () => {
    const { core, driver } = bench({}, [a])
    const other = bench({}, [a])
    const foreign = [other.core.allocPaging(a), other.driver.ops.blockedDomain, other.driver.ops.identityDomain]
    for (const domain of foreign as Domain[]) {
      expect(refusal(() => core.attachDevice(domain, a))).toBe('EINVAL')
      expect(refusal(() => core.replaceGroup(domain, core.group(a)))).toBe('EINVAL')
      expect(refusal(() => core.attachPasid(domain, a, 1))).toBe(domain.kind === 'identity' ? 'EOPNOTSUPP' : 'EINVAL')
    }
    expect(driver.take()).toEqual([])
  })

  test('of a domain that only PASIDs can have is ENODEV', () => {
    const { core, driver } = bench({}, [a])
    const domain: Domain = { kind: 'sva', owner: driver.ops.owner }
    expect(refusal(() => core.attachDevice(domain, a))).toBe('ENODEV')
    expect(driver.nameOf(core.group(a).domain)).toBe('paging1')
  })

  test('of a device that was not probed is ENODEV', () => {
    const { core, driver } = bench()
    expect(refusal(() => core.attachDevice(driver.ops.identityDomain as Domain, a))).toBe('ENODEV')
  })

  test('to a group whose devices have gone is ENODEV', () => {
    const { core, driver } = bench({}, [a])
    const group = core.group(a)
    core.releaseDevice(a)
    expect(refusal(() => core.attachGroup(driver.ops.identityDomain as Domain, group))).toBe('ENODEV')
  })
})

describe('a group in which one device refuses', () => {
  test('goes back: devices before it are set back from the new domain, it and those after it are not touched', () => {
    const { core, driver, warnings } = bench({}, [x, y, z])
    const domain = core.allocPaging(x)
    driver.refuse('attach paging2 z', 'EINVAL')
    driver.take()
    expect(refusal(() => core.attachGroup(domain, core.group(x)))).toBe('EINVAL')
    expect(driver.take()).toEqual([
      'attach paging2 x was paging1', 'attach paging2 y was paging1', 'attach paging2 z was paging1',
      'attach paging1 x was paging2', 'attach paging1 y was paging2',
    ])
    expect(driver.nameOf(core.group(x).domain)).toBe('paging1')
    expect(warnings).toEqual([])
  })

  test('and another its way back: the other is blocked, with a warning', () => {
    const { core, driver, warnings } = bench({}, [x, y])
    core.claimGroup(core.group(x), {})
    core.replaceGroup(core.allocPaging(x), core.group(x))
    const domain = core.allocPaging(x)
    driver.refuse('attach paging3 y', 'ENOMEM')
    driver.refuse('attach paging2 x', 'ENOMEM')
    driver.take()
    expect(refusal(() => core.replaceGroup(domain, core.group(x)))).toBe('ENOMEM')
    expect(driver.take()).toEqual([
      'attach paging3 x was paging2', 'attach paging3 y was paging2', 'attach paging2 x was paging3',
      'attach blocked x was paging3',
    ])
    expect(warnings).toHaveLength(1)
  })
})

describe('replace', () => {
  test('goes from any domain to any, with nothing in between', () => {
    const { core, driver } = bench({}, [x, y])
    core.attachGroup(core.allocPaging(x), core.group(x))
    const next = core.allocPaging(x)
    driver.take()
    core.replaceGroup(next, core.group(x))
    expect(driver.take()).toEqual(['attach paging3 x was paging2', 'attach paging3 y was paging2'])
    core.replaceGroup(next, core.group(x))
    expect(driver.take()).toEqual([])
  })

  test('ties a handle to the RID, until the detach', () => {
    const { core } = bench({}, [a])
    const handle: AttachHandle = {}
    const domain = core.allocPaging(a)
    core.replaceGroup(domain, core.group(a), handle)
    expect(core.attachHandle(core.group(a), 0)).toBe(handle)
    expect(handle.domain).toBe(domain)
    expect(core.group(a).pasids.size).toBe(0)
    core.detachGroup(core.group(a))
    expect(refusal(() => core.attachHandle(core.group(a), 0))).toBe('ENOENT')
  })

  test('with a handle to the default domain: an attach over it takes the handle away', () => {
    const { core } = bench({}, [a])
    const home = core.group(a).domain as Domain
    core.replaceGroup(home, core.group(a), {})
    expect(core.attachHandle(core.group(a), 0).domain).toBe(home)
    core.attachGroup(core.allocPaging(a), core.group(a))
    expect(refusal(() => core.attachHandle(core.group(a), 0))).toBe('ENOENT')
  })
})

describe('detach', () => {
  test('goes to the default domain, with one attach for each device', () => {
    const { core, driver } = bench({}, [x, y])
    core.attachGroup(core.allocPaging(x), core.group(x))
    driver.take()
    core.detachGroup(core.group(x))
    expect(driver.take()).toEqual(['attach paging1 x was paging2', 'attach paging1 y was paging2'])
  })

  test('goes to the blocked domain where the group is owned', () => {
    const { core, driver } = bench({}, [a])
    core.claimDevice(a, {})
    const domain = core.allocPaging(a)
    core.attachDevice(domain, a)
    driver.take()
    core.detachDevice(domain, a)
    expect(driver.take()).toEqual(['attach blocked a was paging2'])
  })

  test('of a domain that is not attached warns, and calls nothing', () => {
    const { core, driver, warnings } = bench({}, [a])
    const domain = core.allocPaging(a)
    driver.take()
    core.detachDevice(domain, a)
    core.detachDevice(domain, device('never probed'))
    expect(driver.take()).toEqual([])
    expect(warnings).toHaveLength(2)
  })

  test('that a device refuses goes on with the others, blocks that device, and only warns', () => {
    const { core, driver, warnings } = bench({}, [x, y, z])
    core.claimGroup(core.group(x), {})
    core.releaseGroup(core.group(x))
    core.attachGroup(core.allocPaging(x), core.group(x))
    driver.refuse('attach paging1 y', 'EIO')
    driver.take()
    core.detachGroup(core.group(x))
    expect(driver.take()).toEqual([
      'attach paging1 x was paging2', 'attach paging1 y was paging2', 'attach blocked y was paging2',
      'attach paging1 z was paging2',
    ])
    expect(driver.nameOf(core.group(x).domain)).toBe('paging1')
    expect(warnings).toHaveLength(1)
  })

  test('that a device refuses leaves it alone where no blocking domain has been needed yet', () => {
    const { core, driver } = bench({}, [a])
    core.attachDevice(core.allocPaging(a), a)
    driver.refuse('attach paging1', 'EIO')
    driver.take()
    core.detachGroup(core.group(a))
    expect(driver.take()).toEqual(['attach paging1 a was paging2'])
  })
})

test('a domain in use cannot be freed', () => {
  const { core, driver } = bench({}, [a])
  const domain = core.allocPaging(a)
  core.attachDevice(domain, a)
  expect(refusal(() => core.freeDomain(domain))).toBe('EBUSY')
  core.detachDevice(domain, a)
  core.freeDomain(domain)
  expect([...driver.alive]).toEqual(['paging1'])
})

test('a driver without paging domains says so', () => {
  const { core } = bench({ noPaging: true }, [a], { defaultType: 'identity' })
  expect(refusal(() => core.allocPaging(a))).toBe('EOPNOTSUPP')
})
