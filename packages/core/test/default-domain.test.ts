// Default domains: the seven rules of their type, the PASID wish, fallbacks, and the change of type.
import type { CoreOptions, DefaultType } from '@iommu/core'
import { describe, expect, test } from 'vitest'
import { bench, device, refusal, together } from './bench.js'
import type { Script } from './fake-driver.js'

const a = device('a')
const untrusted = device('a', { untrusted: true })
const [x, y] = together('x', 'y') as [ReturnType<typeof device>, ReturnType<typeof device>]

/** What the device gets: the type of its default domain, or the code with which its probe is refused. */
const chosen = (script: Script, options: CoreOptions = {}, which = a): string => {
  const { core } = bench(script, [], options)
  return refusal(() => core.probeDevice(which)) ?? core.group(which).defaultType
}

describe('the type of a default domain', () => {
  test.each<[rule: string, result: string, script: Script, options: CoreOptions, untrusted?: 'untrusted']>([
    ['1: the driver’s own default domain wins', 'identity', { staticDefault: 'identity' }, { defaultType: 'dma' }],
    ['1 and 5: an untrusted device cannot be left on it', 'EINVAL', { staticDefault: 'platform' }, {}, 'untrusted'],
    ['3: the driver’s wish for identity wins over the global default', 'identity', { wishes: { a: 'identity' } }, {}],
    ['3: the driver’s wish for dma wins over it', 'dma', { wishes: { a: 'dma' } }, { defaultType: 'identity' }],
    ['4: without a DMA API it is identity', 'identity', {}, { dmaApi: false, defaultType: 'dma' }],
    ['4: a driver that wants dma then is refused', 'EINVAL', { wishes: { a: 'dma' } }, { dmaApi: false }],
    ['5: an untrusted device is translated', 'dma', {}, { defaultType: 'identity' }, 'untrusted'],
    ['5: a driver that insists on identity is refused', 'EINVAL', { wishes: { a: 'identity' } }, {}, 'untrusted'],
    ['5: so it is without a DMA API', 'EINVAL', {}, { dmaApi: false }, 'untrusted'],
    ['7: the global default', 'identity', {}, { defaultType: 'identity' }],
    ['7: the global default, dma where nothing is said', 'dma', {}, {}],
    ['7: a flush queue', 'dma-fq', {}, { defaultType: 'dma-fq' }],
    ['7: identity that cannot be had falls back to dma', 'dma', { identity: false }, { defaultType: 'identity' }],
    ['7: dma that cannot be had is fatal', 'EOPNOTSUPP', { noPaging: true }, { defaultType: 'dma' }],
    ['7: so is the fallback', 'EOPNOTSUPP', { noPaging: true, identity: false }, { defaultType: 'identity' }],
    ['a queue that the driver has no use for is dma', 'dma', { deferredFlush: false }, { defaultType: 'dma-fq' }],
  ])('%s', (_rule, result, script, options, trust) => {
    expect(chosen(script, options, trust ? untrusted : a)).toBe(result)
  })

  test('3: in a conflict identity wins, with a warning', () => {
    const { core, warnings } = bench({ wishes: { x: 'dma', y: 'identity' } }, [x, y])
    expect(core.group(x).defaultType).toBe('dma')
    core.setDefaultType(core.group(x), 'identity')
    expect(core.group(x).defaultType).toBe('identity')
    expect(warnings).toEqual(['The driver wants identity for y, and dma for others in group g'])
    expect(refusal(() => core.setDefaultType(core.group(x), 'dma'))).toBe('EINVAL')
  })

  test('6: what is asked for must agree with the driver', () => {
    const { core, driver } = bench({ wishes: { a: 'dma' } }, [a])
    expect(refusal(() => core.setDefaultType(core.group(a), 'identity'))).toBe('EINVAL')
    expect(driver.take()).toEqual([])
  })

  test('a fallback warns once', () => {
    const { core, warnings } = bench({ identity: false }, [], { defaultType: 'identity' })
    core.probeDevice(a)
    expect(warnings).toHaveLength(1)
  })
})

describe('the request for a default domain', () => {
  test('wishes for PASIDs first, and does without where they are not supported', () => {
    const { core, driver } = bench({ pasidDefaults: false })
    core.probeDevice(a)
    expect(driver.calls.slice(1, 3)).toEqual(['alloc paging+pasid', 'alloc paging'])
  })

  test('is not repeated after any other error', () => {
    const { core, driver } = bench()
    driver.refuse('alloc paging+pasid', 'ENOSPC')
    expect(refusal(() => core.probeDevice(a))).toBe('ENOSPC')
    expect(driver.calls.filter((call) => call.startsWith('alloc'))).toEqual(['alloc paging+pasid'])
  })

  test('has no wish for PASIDs where the device has none', () => {
    const { core, driver } = bench({ maxPasids: 0 })
    core.probeDevice(a)
    expect(driver.calls[1]).toBe('alloc paging')
  })

  test('is not made where the driver has its own default domain', () => {
    const { core, driver } = bench({ staticDefault: 'platform' })
    core.probeDevice(a)
    expect(driver.calls).toEqual(['probe a', 'attach static a was none', 'finalize a'])
    expect(refusal(() => core.setDefaultType(core.group(a), 'dma'))).toBe('EINVAL')
  })
})

describe('a change of type', () => {
  test('switches all devices and frees the old default domain', () => {
    const { core, driver } = bench({}, [x, y])
    core.setDefaultType(core.group(x), 'identity')
    expect(driver.take()).toEqual(['attach identity x was paging1', 'attach identity y was paging1', 'free paging1'])
    expect(core.group(x)).toMatchObject({ defaultType: 'identity', defaultDomain: driver.ops.identityDomain })
  })

  test('to what it is already calls nothing', () => {
    const { core, driver } = bench({}, [a])
    core.setDefaultType(core.group(a), 'dma')
    expect(driver.take()).toEqual([])
  })

  test('that the driver refuses keeps the old default domain', () => {
    const { core, driver } = bench({}, [a], { defaultType: 'identity' })
    driver.refuse('attach paging1', 'ENOSPC')
    expect(refusal(() => core.setDefaultType(core.group(a), 'dma'))).toBe('ENOSPC')
    expect(driver.take()).toEqual(['alloc paging+pasid', 'attach paging1 a was identity', 'free paging1'])
    expect(core.group(a)).toMatchObject({ defaultType: 'identity', defaultDomain: driver.ops.identityDomain })
  })

  test.each<DefaultType>(['identity', 'dma'])('to %s needs a group that nobody uses', (type) => {
    const { core } = bench({}, [a], { defaultType: type === 'dma' ? 'identity' : 'dma' })
    core.useDefaultDomain(a)
    expect(refusal(() => core.setDefaultType(core.group(a), type))).toBe('EBUSY')
  })

  test('from dma to dma-fq is live', () => {
    const { core, driver } = bench({}, [a])
    core.useDefaultDomain(a)
    core.setDefaultType(core.group(a), 'dma-fq')
    expect(driver.take()).toEqual([])
    expect(core.group(a).defaultType).toBe('dma-fq')
  })

  test('from dma to dma-fq needs a driver that can defer flushes', () => {
    const { core } = bench({ deferredFlush: false }, [a])
    expect(refusal(() => core.setDefaultType(core.group(a), 'dma-fq'))).toBe('EOPNOTSUPP')
    expect(core.group(a).defaultType).toBe('dma')
  })
})
