// What a device is to the driver: one or more StreamIDs, SSIDs, processes on them, a TLB of its own, another SMMU.
import type { Device } from '@iommu/core'
import type { DmaRequest } from '@iommu/hardware'
import { describe, expect, test } from 'vitest'
import { sceneOf } from '../../../tools/driver-tests/scene.js'
import { aliasesGoAlong } from '../../../tools/driver-tests/statements.js'
import { cpuTables } from '../src/backends.js'
import { createArmSmmuv3 } from '../src/index.js'
import { createSmmuMachine, defaultProfile } from '../src/model/index.js'
import { ats, code, endpoints, made, read } from './scene.js'

test('DMA under every StreamID of a device goes where the device goes', () => {
  const aliased: Device = { name: 'x', requesterId: 0x20, aliases: [0x21, 0x108] }
  const all = made({}, { devices: [aliased] })
  aliasesGoAlong(all, aliased, 'stage-1-4k')
  for (const source of [0x20, 0x21, 0x108]) expect(code(all.machine, read(0x10_0000n, { source }))).toBe('silent')
})

describe('PASIDs', () => {
  test('need stage 1 below them, and identity cannot be on them', () => {
    const { driver, readable } = made()
    const [one, two] = [readable('stage-1-4k'), readable('stage-2-4k')]
    expect([driver.manifest.identity, 'setDevPasid' in (driver.identityDomain as object), two.pasidCapable]).toEqual([{ rid: true, pasid: false }, false, false])
    expect(() => driver.domainAllocPaging?.(ats, { format: 'stage-2-4k', pasid: true })).toThrow('EOPNOTSUPP: contexts of PASIDs are of stage 1')
    two.attachDev(ats, undefined)
    expect(() => one.setDevPasid?.(ats, 5, undefined)).toThrow('EINVAL: PASIDs need a CD table')
    one.attachDev(ats, two)
    one.setDevPasid?.(ats, 5, undefined)
    expect(() => two.attachDev(ats, one)).toThrow('EBUSY: PASIDs are alive')
  })
  test('without leaves of contexts a device has 1024', () => {
    const { driver, readable } = made({ twoLevelContexts: false })
    expect(driver.maxPasids?.(ats)).toBe(1024)
    const domain = readable('stage-1-4k')
    domain.setDevPasid?.(ats, 1023, undefined)
    expect(() => domain.setDevPasid?.(ats, 1024, undefined)).toThrow('EINVAL: the PASID is beyond what device and SMMU have')
  })
})

describe('SVA', () => {
  test('shares the tables of a process, and faults silently when it has ended', () => {
    const { machine, process } = made()
    const { cpu, domain } = process(cpuTables(defaultProfile))
    cpu.map(0x7000n, 0x80_0000n)
    domain.setDevPasid(ats, 9, undefined)
    expect(machine.dma(read(0x7008n, { pasid: 9 }))).toMatchObject({ address: 0x80_0008n, tag: 'VMID 0 ASID 1' })
    cpu.end()
    expect(machine.dma(read(0x7008n, { pasid: 9 }))).toMatchObject({ result: 'blocked', fault: { name: 'F_TRANSLATION', recorded: false } })
  })
  test.each([
    [{ substreamBits: 0 }, 'the SMMU has no stage 1 with SSIDs'],
    [{ coherent: false }, 'the SMMU does not snoop'],
    [{ stage1: false }, 'the SMMU has no stage 1 with SSIDs'],
    [{ granules: [16] as const }, 'the SMMU has no granule of 2^12 bytes'],
  ])('is refused on %j', (profile, why) => {
    const { process } = made(profile)
    expect(() => process(cpuTables(defaultProfile))).toThrow(`EOPNOTSUPP: ${why}`)
  })
})

describe('ATS', () => {
  const translate = (more: Partial<DmaRequest> = {}): DmaRequest => read(0x10_0000n, { kind: 'translate', ...more })
  test('is on while a domain lets it through, and off on blocked and identity', () => {
    const { machine, driver, readable } = made()
    const { enabled } = machine.endpoint(0x20).config
    expect(enabled.ats).toBe(false)
    const domain = readable('stage-2-4k')
    domain.attachDev(ats, undefined)
    expect(enabled.ats).toBe(true)
    driver.identityDomain?.attachDev(ats, domain)
    expect([enabled.ats, code(machine, translate()), code(machine, read(0n, { kind: 'translated' }))]).toEqual([false, 'F_BAD_ATS_TREQ', 'F_TRANSL_FORBIDDEN'])
    driver.blockedDomain?.attachDev(ats, undefined)
    expect([enabled.ats, code(machine, translate()), code(machine, read(0n, { kind: 'translated' }))]).toEqual([false, 'silent', 'silent'])
    // With PASIDs alive identity is a stream with contexts, which allows ATS.
    readable('stage-1-4k').setDevPasid?.(ats, 5, undefined)
    driver.identityDomain?.attachDev(ats, undefined)
    expect([enabled.ats, code(machine, translate())]).toEqual([true, 'translated'])
  })
  test('a translation that the device keeps is gone once its domain is', () => {
    const { machine, readable } = made()
    const domain = readable('stage-1-4k')
    domain.attachDev(ats, undefined)
    expect(machine.dma(translate())).toMatchObject({ address: 0x80_0000n })
    expect(machine.outcomes(translate())).toHaveLength(2)
    const other = readable('stage-1-4k')
    other.attachDev(ats, domain)
    expect(machine.outcomes(translate())).toMatchObject([{ tag: 'VMID 0 ASID 2' }])
  })
  test('stays off where every fault stalls and stage 2 would have to', () => {
    const { machine, readable } = made({ stalls: 'always', abortOnly: false })
    readable('stage-2-4k').attachDev(ats, undefined)
    expect([machine.endpoint(0x20).config.enabled.ats, code(machine, read(0x10_0000n))]).toEqual([false, 'translated'])
  })
})

test('several SMMUs: a domain has an ASID on each, and is flushed on each', () => {
  const first = createSmmuMachine({ endpoints, unit: 0 })
  const second = createSmmuMachine({ endpoints, unit: 1, memory: first.memory })
  const [near, far]: [Device, Device] = [{ name: 'near', requesterId: 0x20 }, { name: 'far', requesterId: 0x20, unit: 1 }]
  const { driver, readable } = sceneOf(first, [near, far], () => createArmSmmuv3(first, { moreUnits: [second] }))
  const keeper = readable('stage-1-4k', far)
  keeper.attachDev(far, undefined)
  const domain = readable('stage-1-4k', near)
  domain.attachDev(near, undefined)
  domain.setDevPasid?.(far, 0x123, undefined)
  expect([first.dma(read(0x10_0000n)), second.dma(read(0x10_0000n, { pasid: 0x123 }))]).toMatchObject([{ tag: 'VMID 0 ASID 1' }, { tag: 'VMID 0 ASID 2' }])
  expect(driver.idsInUse()).toBe(3)
  driver.blockedDomain?.attachDev(near, domain)
  expect(driver.idsInUse()).toBe(2)
})
