// Release: where the hardware is left, and who frees the domains.
import { expect, test } from 'vitest'
import { bench, device, together } from './bench.js'

const a = device('a')
const directA = device('a', {
  reserved: [{ start: 0x1000n, length: 0x1000n, kind: 'direct', access: { read: true, write: true } }],
})

test('the release domain is attached from the current one, then the device is released, then domains are freed', () => {
  const { core, driver, warnings } = bench({}, [a])
  core.releaseDevice(a)
  expect(driver.take()).toEqual(['attach blocked a was paging1', 'release a', 'free paging1'])
  expect(core.groups).toEqual([])
  expect(warnings).toEqual([])
})

test('a refusal by the release domain is not heard', () => {
  const { core, driver } = bench({}, [a])
  driver.refuse('attach blocked', 'EIO')
  core.releaseDevice(a)
  expect(driver.take().slice(1)).toEqual(['release a', 'free paging1'])
})

test('a driver without a release domain is only told', () => {
  const { core, driver } = bench({ release: false }, [a])
  core.releaseDevice(a)
  expect(driver.take()).toEqual(['release a', 'free paging1'])
})

test('a device with 1:1 mappings is left on identity, not blocked', () => {
  const { core, driver } = bench({}, [directA])
  core.releaseDevice(directA)
  expect(driver.take()[0]).toBe('attach identity a was paging1')
})

test('a device with 1:1 mappings is blocked where there is no identity', () => {
  const { core, driver } = bench({ identity: false }, [directA])
  core.releaseDevice(directA)
  expect(driver.take()[0]).toBe('attach blocked a was paging1')
})

test('a device whose attach is still deferred is only released', () => {
  const { core, driver } = bench({ deferred: true }, [a])
  core.releaseDevice(a)
  expect(driver.take()).toEqual(['release a', 'free paging1'])
})

test('the domains of a group stay for its other devices', () => {
  const [x, y] = together('x', 'y')
  if (!x || !y) throw new Error('two devices')
  const { core, driver } = bench({ blocked: false }, [x, y])
  core.claimGroup(core.group(x), {})
  driver.take()
  core.releaseDevice(x)
  expect(driver.take()).toEqual(['release x'])
  core.releaseGroup(core.group(y))
  core.releaseDevice(y)
  expect(driver.take()).toEqual(['attach paging1 y was paging2', 'release y', 'free paging1', 'free paging2'])
})

test('the last device of a group that is owned warns', () => {
  const { core, warnings } = bench({}, [a])
  core.claimDevice(a, {})
  core.releaseDevice(a)
  expect(warnings).toHaveLength(1)
})

test('a device in reset is released from the blocking domain, and its group recovers', () => {
  const [x, y] = together('x', 'y')
  if (!x || !y) throw new Error('two devices')
  const xAts = { ...x, ats: true }
  const { core, driver } = bench({}, [xAts, y])
  core.prepareReset(xAts)
  driver.take()
  core.releaseDevice(xAts)
  expect(driver.take()[0]).toBe('attach blocked x was blocked')
  expect(core.group(y).recoveryCount).toBe(0)
})

test('a device that was never probed is no call', () => {
  const { core, driver } = bench()
  core.releaseDevice(a)
  expect(driver.calls).toEqual([])
})
