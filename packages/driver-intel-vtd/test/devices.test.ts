// What a device is to the driver: one or more requester ids, processes on its PASIDs, a TLB of its own.
import type { Device } from '@iommu/core'
import { describe, expect, test } from 'vitest'
import { aliasesGoAlong, keptTranslationGoes } from '../../../tools/driver-tests/statements.js'
import { cpuTables } from '../src/backends.js'
import { ats, code, LEGACY, made, read } from './scene.js'

test.each([true, false])('DMA under every requester id of a device goes where the device goes: scalable mode %s', (scalable) => {
  const aliased: Device = { name: 'x', requesterId: 0x20, aliases: [0x21, 0x108] }
  aliasesGoAlong(made({ scalable }, { devices: [aliased] }), aliased)
})

describe('SVA', () => {
  test('shares domain id 1 with identity, and is told apart by its PASID', () => {
    const { machine, driver, process } = made()
    driver.identityDomain?.attachDev(ats, undefined)
    const { cpu, domain } = process(cpuTables(46))
    cpu.map(0x10_0000n, 0x90_0000n)
    domain.setDevPasid(ats, 7, undefined)
    expect(machine.dma(read(0x10_0000n, { pasid: 7 }))).toMatchObject({ address: 0x90_0000n, tag: 'domain 1 PASID 7' })
    expect(machine.dma(read(0x10_0000n))).toMatchObject({ address: 0x10_0000n, tag: 'domain 1 PASID 0' })
    cpu.unmap(0x10_0000n)
    expect(code(machine, read(0x10_0000n, { pasid: 7 }))).toBe(0x71)
    expect(code(machine, read(0x10_0000n, { pasid: 7, privileged: true }))).toBe(0x5d)
  })
  test('an exited process leaves an entry whose faults are not recorded, until the PASID is removed', () => {
    const { machine, driver, process } = made()
    const { cpu, domain } = process(cpuTables(46))
    domain.setDevPasid(ats, 7, undefined)
    cpu.end()
    expect(machine.dma(read(0n, { pasid: 7 }))).toMatchObject({ fault: { code: 0x59, recorded: false } })
    driver.blockedDomain?.setDevPasid?.(ats, 7, domain)
    expect(machine.dma(read(0n, { pasid: 7 }))).toMatchObject({ fault: { code: 0x59, recorded: true } })
  })
  test.each([
    [{ coherent: false }, 'the unit\'s page walks do not snoop'],
    [{ firstStage: false }, 'the unit has no first stage on PASIDs'],
    [LEGACY, 'the unit has no first stage on PASIDs'],
  ])('is refused on %j', (profile, why) => {
    const { driver, process } = made(profile)
    expect(() => process(cpuTables(46))).toThrow(`EOPNOTSUPP: ${why}`)
    expect(driver.manifest.sva).toEqual({ rid: false, pasid: false })
  })
})

describe('ATS', () => {
  test('a translation that the device keeps is gone once its domain is', () => keptTranslationGoes(made(), ats, 'second-stage-4'))
  test('is not served for a device that does not have it', () => {
    const plain: Device = { name: 'plain', requesterId: 0x20 }
    const { machine, driver } = made({}, { devices: [plain] })
    driver.identityDomain?.attachDev(plain, undefined)
    expect(code(machine, read(0x1000n, { kind: 'translate' }))).toBe(0x44)
    expect(machine.endpoint(0x20).config.enabled).toEqual({ pasid: true, ats: false, pri: false })
  })
})
