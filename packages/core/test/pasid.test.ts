// PASIDs: what is checked and in which order, what the driver is told, and when handles can be seen.
import type { AttachHandle, Device, Domain } from '@iommu/core'
import { describe, expect, test } from 'vitest'
import { bench, device, refusal, together } from './bench.js'

const a = device('a')
const [x, y, z] = together('x', 'y', 'z') as [Device, Device, Device]

describe('attach', () => {
  test('sets the domain on the PASID, from nothing', () => {
    const { core, driver } = bench({}, [a])
    const domain = core.allocPaging(a, { pasid: true })
    core.attachPasid(domain, a, 5)
    expect(driver.take()).toEqual(['alloc paging+pasid', 'pasid paging2 a:5 was none'])
    expect(core.group(a).pasids).toEqual(new Map([[5, domain]]))
  })

  test.each<[what: string, code: string, script: Parameters<typeof bench>[0], pasid: number]>([
    ['a blocked domain without PASIDs', 'EOPNOTSUPP', { blocked: 'rid' }, 0],
    ['no blocked domain', 'EOPNOTSUPP', { blocked: false }, 1],
    ['PASID 0', 'EINVAL', {}, 0],
    ['a PASID at the limit', 'EINVAL', {}, 8],
  ])('with %s is %s, and calls nothing', (_what, code, script, pasid) => {
    const { core, driver } = bench(script, [a])
    const domain = core.allocPaging(a)
    driver.take()
    expect(refusal(() => core.attachPasid(domain, a, pasid))).toBe(code)
    expect(driver.take()).toEqual([])
  })

  test('of a domain that cannot be set on PASIDs is EOPNOTSUPP, of one that can is not', () => {
    const identity = (script: Parameters<typeof bench>[0]): unknown => {
      const { core, driver } = bench(script, [a])
      return refusal(() => core.attachPasid(driver.ops.identityDomain as Domain, a, 1))
    }
    expect(identity({})).toBe('EOPNOTSUPP')
    expect(identity({ identity: 'pasid' })).toBeUndefined()
  })

  test('to a PASID in use is EBUSY', () => {
    const { core, driver } = bench({}, [a])
    const domain = core.allocPaging(a)
    core.attachPasid(domain, a, 1)
    driver.take()
    expect(refusal(() => core.attachPasid(domain, a, 1))).toBe('EBUSY')
    expect(driver.take()).toEqual([])
  })

  test('does not count the devices that have no PASIDs', () => {
    const { core, driver } = bench({ maxPasids: { x: 0, y: 6, z: 8 } }, [x, y, z])
    const domain = core.allocPaging(x)
    driver.take()
    core.attachPasid(domain, x, 5)
    expect(driver.take()).toEqual(['pasid paging2 y:5 was none', 'pasid paging2 z:5 was none'])
    expect(refusal(() => core.attachPasid(domain, z, 6))).toBe('EINVAL')
    core.detachPasid(domain, x, 5)
    expect(driver.take()).toEqual(['pasid blocked y:5 was paging2', 'pasid blocked z:5 was paging2'])
  })

  test('that one device refuses removes it from those before it, and frees the slot', () => {
    const { core, driver } = bench({}, [x, y, z])
    const domain = core.allocPaging(x)
    driver.refuse('pasid paging2 y:1', 'ENOSPC')
    driver.take()
    expect(refusal(() => core.attachPasid(domain, x, 1))).toBe('ENOSPC')
    expect(driver.take()).toEqual([
      'pasid paging2 x:1 was none', 'pasid paging2 y:1 was none', 'pasid blocked x:1 was paging2',
    ])
    driver.allow()
    core.attachPasid(domain, x, 1)
  })
})

describe('detach', () => {
  test('sets the blocked domain, from what was there', () => {
    const { core, driver } = bench({ identity: 'pasid' }, [a])
    const domain = core.allocPaging(a)
    core.attachPasid(domain, a, 1)
    driver.take()
    core.detachPasid(domain, a, 1)
    expect(driver.take()).toEqual(['pasid blocked a:1 was paging2'])
    expect(core.group(a).pasids.size).toBe(0)
  })

  test('that the driver refuses warns', () => {
    const { core, driver, warnings } = bench({}, [a])
    const domain = core.allocPaging(a)
    core.attachPasid(domain, a, 1)
    driver.refuse('pasid blocked', 'EIO')
    core.detachPasid(domain, a, 1)
    core.detachPasid(domain, device('never probed'), 1)
    expect(warnings).toHaveLength(2)
    expect(core.group(a).pasids.size).toBe(0)
  })
})

describe('replace', () => {
  test('goes from one domain to the other, with nothing in between', () => {
    const { core, driver } = bench({}, [a])
    const [one, two] = [core.allocPaging(a), core.allocPaging(a)]
    core.attachPasid(one, a, 1)
    driver.take()
    core.replacePasid(two, a, 1, {})
    expect(driver.take()).toEqual(['pasid paging3 a:1 was paging2'])
    expect(core.group(a).pasids.get(1)).toBe(two)
  })

  test('needs something to replace, a PASID, and a new handle', () => {
    const { core, driver, warnings } = bench({}, [a])
    const [one, two] = [core.allocPaging(a), core.allocPaging(a)]
    const handle: AttachHandle = {}
    expect(refusal(() => core.replacePasid(two, a, 1, {}))).toBe('EINVAL')
    expect(refusal(() => core.replacePasid(two, a, 0, {}))).toBe('EINVAL')
    core.attachPasid(one, a, 1, handle)
    driver.take()
    expect(refusal(() => core.replacePasid(two, a, 1, handle))).toBe('EINVAL')
    expect(refusal(() => core.replacePasid(two, a, 1, undefined as unknown as AttachHandle))).toBe('EINVAL')
    expect(driver.take()).toEqual([])
    expect(warnings).toHaveLength(1)
    expect(handle.domain).toBe(one)
  })

  test('of the domain by itself only changes the handle', () => {
    const { core, driver } = bench({}, [a])
    const domain = core.allocPaging(a)
    core.attachPasid(domain, a, 1, {})
    driver.take()
    const handle: AttachHandle = {}
    core.replacePasid(domain, a, 1, handle)
    expect(driver.take()).toEqual([])
    expect(core.attachHandle(core.group(a), 1)).toBe(handle)
  })

  test('that one device refuses goes back to the old domain, and keeps the old handle', () => {
    const { core, driver } = bench({}, [x, y])
    const [one, two] = [core.allocPaging(x), core.allocPaging(x)]
    const handle: AttachHandle = {}
    core.attachPasid(one, x, 1, handle)
    driver.refuse('pasid paging3 y:1', 'EINVAL')
    driver.take()
    expect(refusal(() => core.replacePasid(two, x, 1, {}))).toBe('EINVAL')
    expect(driver.take()).toEqual([
      'pasid paging3 x:1 was paging2', 'pasid paging3 y:1 was paging2', 'pasid paging2 x:1 was paging3',
    ])
    expect(core.attachHandle(core.group(x), 1)).toBe(handle)
  })

  test('whose way back is refused, too, removes the PASID with a warning', () => {
    const { core, driver, warnings } = bench({}, [x, y])
    const [one, two] = [core.allocPaging(x), core.allocPaging(x)]
    core.attachPasid(one, x, 1)
    driver.refuse('pasid paging3 y:1', 'EINVAL')
    driver.refuse('pasid paging2 x:1', 'EINVAL')
    driver.take()
    expect(refusal(() => core.replacePasid(two, x, 1, {}))).toBe('EINVAL')
    expect(driver.take().slice(-2)).toEqual(['pasid paging2 x:1 was paging3', 'pasid blocked x:1 was paging3'])
    expect(warnings).toHaveLength(1)
  })
})

describe('a handle', () => {
  test('cannot be found while its attach is under way, nor after a detach', () => {
    const { core, driver } = bench({}, [a])
    const group = core.group(a)
    const handle: AttachHandle = {}
    const seen: unknown[] = []
    driver.during('pasid paging2', () => {
      seen.push(refusal(() => core.attachHandle(group, 1)), group.pasids.size, handle.domain)
    })
    const domain = core.allocPaging(a)
    core.attachPasid(domain, a, 1, handle)
    expect(seen).toEqual(['ENOENT', 0, undefined])
    expect(core.attachHandle(group, 1)).toBe(handle)
    expect(handle.domain).toBe(domain)
    core.detachPasid(domain, a, 1)
    expect(refusal(() => core.attachHandle(group, 1))).toBe('ENOENT')
  })

  test('stays the old one while a replace is under way', () => {
    const { core, driver } = bench({}, [a])
    const [old, next]: AttachHandle[] = [{}, {}]
    core.attachPasid(core.allocPaging(a), a, 1, old)
    const seen: unknown[] = []
    driver.during('pasid paging3', () => seen.push(core.attachHandle(core.group(a), 1)))
    if (next) core.replacePasid(core.allocPaging(a), a, 1, next)
    expect(seen[0]).toBe(old)
    expect(core.attachHandle(core.group(a), 1)).toBe(next)
  })

  test('is ENOENT where a PASID was attached without one', () => {
    const { core } = bench({}, [a])
    core.attachPasid(core.allocPaging(a), a, 1)
    expect(refusal(() => core.attachHandle(core.group(a), 1))).toBe('ENOENT')
  })
})

test('a switch of the RID leaves PASIDs alone', () => {
  const { core, driver } = bench({}, [a])
  const domain = core.allocPaging(a)
  core.attachPasid(domain, a, 1)
  driver.take()
  core.replaceGroup(domain, core.group(a))
  core.detachGroup(core.group(a))
  expect(driver.take()).toEqual(['attach paging2 a was paging1', 'attach paging1 a was paging2'])
  expect(core.group(a).pasids.get(1)).toBe(domain)
})
