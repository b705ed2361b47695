// Deferred attach: nothing is written for a device until its first DMA map.
import { expect, test } from 'vitest'
import { bench, device, readWrite, refusal } from './bench.js'

const a = device('a', { ats: true })

test('probe sets the default domain without a call', () => {
  const { core, driver } = bench({ deferred: true })
  core.probeDevice(a)
  expect(driver.calls).toEqual(['probe a', 'alloc paging+pasid', 'finalize a'])
  expect(driver.nameOf(core.group(a).domain)).toBe('paging1')
})

test('the first DMA map attaches it, from nothing, and only once', () => {
  const { core, driver } = bench({ deferred: true }, [a])
  core.dma(a).map(0x1000n, 0x1000n, readWrite)
  core.dma(a).map(0x1000n, 0x1000n, readWrite)
  expect(driver.take().filter((call) => call.startsWith('attach'))).toEqual(['attach paging1 a was none'])
  core.deferredAttach(a)
  expect(driver.take()).toEqual([])
})

test('an attach that the driver refuses stays deferred', () => {
  const { core, driver } = bench({ deferred: true }, [a])
  driver.refuse('attach paging1', 'ENOMEM')
  expect(refusal(() => core.deferredAttach(a))).toBe('ENOMEM')
  driver.allow()
  driver.take()
  core.deferredAttach(a)
  expect(driver.take()).toEqual(['attach paging1 a was none'])
})

test('another domain that the driver refuses leaves it deferred', () => {
  const { core, driver } = bench({ deferred: true }, [a])
  const domain = core.allocPaging(a)
  driver.refuse('attach paging2', 'ENOMEM')
  expect(refusal(() => core.attachDevice(domain, a))).toBe('ENOMEM')
  driver.allow()
  driver.take()
  core.deferredAttach(a)
  expect(driver.take()).toEqual(['attach paging1 a was none'])
})

test('any other domain is attached at once, from nothing', () => {
  const { core, driver } = bench({ deferred: true }, [a])
  core.claimDevice(a, {})
  expect(driver.take()).toEqual(['attach blocked a was none'])
  core.releaseDeviceClaim(a)
  expect(driver.take()).toEqual(['attach paging1 a was blocked'])
})

test('a reset takes a device over from nothing, and gives it its default domain', () => {
  const { core, driver } = bench({ deferred: true }, [a])
  driver.refuse('attach blocked', 'EIO')
  expect(refusal(() => core.prepareReset(a))).toBe('EIO')
  driver.allow()
  core.prepareReset(a)
  driver.take()
  core.deferredAttach(a)
  expect(driver.take()).toEqual([])
  core.finishReset(a)
  expect(driver.take()).toEqual(['attach paging1 a was blocked'])
})

test('a DMA map in the middle of a reset is EBUSY', () => {
  const { core, driver } = bench({ deferred: true }, [a])
  const codes: unknown[] = []
  driver.during('attach blocked', () => codes.push(refusal(() => core.dma(a).map(0x1000n, 0x1000n, readWrite))))
  core.prepareReset(a)
  expect(codes).toEqual(['EBUSY'])
})
