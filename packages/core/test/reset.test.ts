// Device reset: off translation and back, what is refused meanwhile, and nesting.
import { describe, expect, test } from 'vitest'
import { bench, device, refusal, together } from './bench.js'

const a = device('a', { ats: true })
const [x, y] = together('x', 'y').map((each) => ({ ...each, ats: true })) as [typeof a, typeof a]

test('a reset takes RID and PASIDs to blocked and back, the RID first both times', () => {
  const { core, driver, warnings } = bench({}, [a])
  const domain = core.allocPaging(a)
  core.attachPasid(domain, a, 1)
  core.attachPasid(domain, a, 2)
  driver.take()
  core.prepareReset(a)
  expect(driver.take()).toEqual([
    'attach blocked a was paging1', 'pasid blocked a:1 was paging2', 'pasid blocked a:2 was paging2',
  ])
  expect(core.group(a)).toMatchObject({ recoveryCount: 1, pasids: new Map([[1, domain], [2, domain]]) })
  core.finishReset(a)
  expect(driver.take()).toEqual([
    'attach paging1 a was blocked', 'pasid paging2 a:1 was blocked', 'pasid paging2 a:2 was blocked',
  ])
  expect(core.group(a).recoveryCount).toBe(0)
  expect(warnings).toEqual([])
})

test('a device without ATS is not concerned', () => {
  const b = device('b')
  const { core, driver, warnings } = bench({}, [b])
  core.prepareReset(b)
  core.finishReset(b)
  core.finishReset(a)
  expect(driver.take()).toEqual([])
  expect(warnings).toEqual([])
})

test('a RID that is blocked already is left alone', () => {
  const { core, driver } = bench({}, [a])
  core.claimDevice(a, {})
  driver.take()
  core.prepareReset(a)
  core.finishReset(a)
  expect(driver.take()).toEqual([])
})

describe('during a reset', () => {
  test('attach, replace and PASIDs are EBUSY for the whole group, and call nothing', () => {
    const { core, driver } = bench({}, [x, y])
    const domain = core.allocPaging(x)
    const handle = {}
    core.attachPasid(domain, x, 1, handle)
    core.prepareReset(x)
    driver.take()
    expect(refusal(() => core.attachGroup(domain, core.group(y)))).toBe('EBUSY')
    expect(refusal(() => core.replaceGroup(domain, core.group(y)))).toBe('EBUSY')
    expect(refusal(() => core.claimGroup(core.group(y), {}))).toBe('EBUSY')
    expect(refusal(() => core.attachPasid(domain, y, 2))).toBe('EBUSY')
    expect(refusal(() => core.replacePasid(domain, y, 1, {}))).toBe('EBUSY')
    expect(driver.take()).toEqual([])
    expect(core.attachHandle(core.group(y), 1)).toBe(handle)
  })

  test('a detach succeeds for the others, and the device gets the new domain when it is back', () => {
    const { core, driver } = bench({}, [x, y])
    core.attachGroup(core.allocPaging(x), core.group(x))
    core.prepareReset(x)
    driver.take()
    core.detachGroup(core.group(x))
    expect(driver.take()).toEqual(['attach paging1 y was paging2'])
    core.finishReset(x)
    expect(driver.take()).toEqual(['attach paging1 x was blocked'])
  })

  test('a release of ownership succeeds', () => {
    const { core, driver } = bench({}, [a])
    core.claimDevice(a, {})
    core.attachDevice(core.allocPaging(a), a)
    core.prepareReset(a)
    driver.take()
    core.releaseDeviceClaim(a)
    expect(driver.take()).toEqual([])
    core.finishReset(a)
    expect(driver.take()).toEqual(['attach paging1 a was blocked'])
  })

  test('a PASID is detached from the others only, and does not come back', () => {
    const { core, driver } = bench({}, [x, y])
    const domain = core.allocPaging(x)
    core.attachPasid(domain, x, 1)
    core.prepareReset(x)
    driver.take()
    core.detachPasid(domain, x, 1)
    expect(driver.take()).toEqual(['pasid blocked y:1 was paging2'])
    core.finishReset(x)
    expect(driver.take()).toEqual(['attach paging1 x was blocked'])
  })
})

describe('resets nest', () => {
  test('and only the outermost acts', () => {
    const { core, driver } = bench({}, [a])
    core.prepareReset(a)
    driver.take()
    core.prepareReset(a)
    core.finishReset(a)
    expect(driver.take()).toEqual([])
    expect(core.group(a).recoveryCount).toBe(1)
    core.finishReset(a)
    expect(driver.take()).toEqual(['attach paging1 a was blocked'])
  })

  test('and one finish too many warns', () => {
    const { core, driver, warnings } = bench({}, [a])
    core.finishReset(a)
    expect(driver.take()).toEqual([])
    expect(warnings).toHaveLength(1)
  })

  test('and two devices of a group are counted apart', () => {
    const { core } = bench({}, [x, y])
    core.prepareReset(x)
    core.prepareReset(y)
    expect(core.group(x).recoveryCount).toBe(2)
    core.finishReset(x)
    expect(refusal(() => core.attachGroup(core.allocPaging(x), core.group(x)))).toBe('EBUSY')
    core.finishReset(y)
    core.attachGroup(core.allocPaging(x), core.group(x))
  })
})

test('a reset that cannot begin has not begun', () => {
  const { core, driver } = bench({ blocked: false }, [a])
  driver.refuse('alloc', 'ENOMEM')
  expect(refusal(() => core.prepareReset(a))).toBe('ENOMEM')
  expect(core.group(a).recoveryCount).toBe(0)
  driver.allow()
  driver.take()
  core.prepareReset(a)
  expect(driver.take()).toEqual(['alloc paging', 'attach paging2 a was paging1'])
})

test('what does not come back after a reset is warned about', () => {
  const { core, driver, warnings } = bench({}, [a])
  core.attachPasid(core.allocPaging(a), a, 1)
  core.prepareReset(a)
  driver.refuse('pasid paging2', 'EOPNOTSUPP')
  driver.refuse('attach paging1', 'EIO')
  core.finishReset(a)
  expect(warnings).toHaveLength(2)
  expect(core.group(a).recoveryCount).toBe(0)
})
