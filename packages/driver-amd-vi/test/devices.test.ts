// What a device is to the driver: one or more requester ids, what firmware wants of its entry, PASIDs, processes, a TLB of its own.
import type { Device, PagingDomain } from '@iommu/core'
import { decode, encode } from '@iommu/bits'
import { describe, expect, test } from 'vitest'
import { entryAt, wordsAt } from '../../../tools/driver-tests/dma.js'
import { map } from '../../../tools/driver-tests/scene.js'
import { aliasesGoAlong, keptTranslationGoes } from '../../../tools/driver-tests/statements.js'
import { cpuTables } from '../src/backends.js'
import { deviceTableEntry, EVENT_CODES } from '../src/tables/index.js'
import { ats, code, made, read } from './scene.js'

test.each(['v1', 'v2-4', 'v2-5'])('DMA under every requester id of a device goes where the device goes: %s', (format) => {
  const aliased: Device = { name: 'x', requesterId: 0x20, aliases: [0x21, 0x108] }
  aliasesGoAlong(made({}, { devices: [aliased] }), aliased, format)
})

test('what the firmware and the interrupt side have in an entry stays there', () => {
  const { machine, driver, readable } = made({}, { options: { firmware: new Map([[0x20, { NMIPass: 1, Lint1Pass: 1, SysMgt: 3 }]]) } })
  const at = entryAt(machine, read(0n), 'amd.dte')
  const inMemory = (): bigint[] => wordsAt(machine, at, 4)
  const interrupts = encode(deviceTableEntry, { IV: 1, IntTabLen: 9, IntTabRoot: 0x1_7000_0000n, IntCtl: 2 }, inMemory())
  machine.memory.store64(at + 16n, interrupts[2] as bigint)
  const states = [readable('v1'), readable('v2-5'), readable('v2-4'), driver.identityDomain, driver.blockedDomain]
  for (const state of states) {
    state?.attachDev(ats, undefined)
    expect(decode(deviceTableEntry, inMemory())).toMatchObject({
      NMIPass: 1, Lint1Pass: 1, SysMgt: 3, IV: 1, IntTabLen: 9, IntTabRoot: 0x1_7000_0000n, IntCtl: 2,
    })
  }
})

describe('PASIDs', () => {
  test('under a requester id that has no room: refused before any store, in both directions', () => {
    const { machine, driver, readable } = made()
    const [host, guest, deep] = [readable('v1'), driver.domainAllocPaging?.(ats, { pasid: true }) as PagingDomain, readable('v2-5')]
    for (const crowded of [host, deep]) {
      crowded.attachDev(ats, undefined)
      expect(() => guest.setDevPasid?.(ats, 5, undefined)).toThrow('EINVAL: what the requester id has leaves no room for PASIDs')
      driver.blockedDomain?.attachDev(ats, crowded)
    }
    guest.setDevPasid?.(ats, 5, undefined)
    let stores = 0
    const stop = machine.observe(({ kind }) => { if (kind === 'store') stores++ })
    for (const crowded of [host, deep]) expect(() => crowded.attachDev(ats, undefined)).toThrow('EBUSY: live PASIDs cannot go on')
    stop()
    expect(stores).toBe(0)
    driver.blockedDomain?.setDevPasid?.(ats, 5, guest)
    host.attachDev(ats, undefined)
  })
  test('without GIoV: blocked takes them along, and the next requester id with room brings them back', () => {
    const { machine, driver, readable } = made({ guestIo: false })
    expect(driver.manifest).toMatchObject({ pasidsOutliveBlockedRid: false, pasidsUnder: ['identity'], formats: ['v1'], pasidFormats: ['v2-4'] })
    const guest = driver.domainAllocPaging?.(ats, { format: 'v2-4', pasid: true }) as PagingDomain
    map(guest, 0x10_0000n, 1)
    driver.identityDomain?.attachDev(ats, undefined)
    guest.setDevPasid?.(ats, 5, undefined)
    expect(machine.dma(read(0x10_0000n, { pasid: 5 }))).toMatchObject({ address: 0x90_0000n })
    driver.blockedDomain?.attachDev(ats, driver.identityDomain)
    expect(code(machine, read(0x10_0000n, { pasid: 5 }))).toBe(EVENT_CODES.ioPageFault)
    expect(() => readable('v1').attachDev(ats, undefined)).toThrow('EBUSY')
    driver.identityDomain?.attachDev(ats, driver.blockedDomain)
    expect(machine.dma(read(0x10_0000n, { pasid: 5 }))).toMatchObject({ address: 0x90_0000n })
    expect(() => guest.attachDev(ats, undefined)).toThrow('EINVAL: the unit has no v2-4 for requester ids')
  })
  test.each([[8, 1], [9, 1], [16, 2], [20, 3]])('of %i bits are behind a GCR3 table of %i levels', (pasidWidth, levels) => {
    const { machine, driver } = made({}, { endpoints: new Map([[0x20, { pasidWidth }]]), devices: [ats] })
    const guest = driver.domainAllocPaging?.(ats, { pasid: true }) as PagingDomain
    map(guest, 0x10_0000n, 1)
    const last = 2 ** pasidWidth - 1
    guest.setDevPasid?.(ats, last, undefined)
    const { outcome, steps } = machine.walk(read(0x10_0000n, { pasid: last }))
    expect(outcome).toMatchObject({ address: 0x90_0000n })
    expect(steps.filter(({ entry }) => entry === 'amd.gcr3')).toHaveLength(levels)
    expect(() => guest.setDevPasid?.(ats, last + 1, undefined)).toThrow('EINVAL: the PASID is beyond')
  })
  test('a process that has exited leaves nothing that answers, and says so in the manifest', () => {
    const { machine, driver, process } = made()
    const { cpu, domain } = process(cpuTables(48))
    cpu.map(0x10_0000n, 0x90_0000n)
    domain.setDevPasid(ats, 7, undefined)
    expect(machine.dma(read(0x10_0000n, { pasid: 7 }))).toMatchObject({ address: 0x90_0000n, tag: 'domain 2 PASID 7' })
    cpu.end()
    expect(code(machine, read(0x10_0000n, { pasid: 7 }))).toBe(EVENT_CODES.ioPageFault)
    expect(driver.manifest.limits['silent exit']).toBeDefined()
  })
  test.each([
    [{ guest: false }, 'EOPNOTSUPP: the unit has no guest tables on PASIDs'],
    [{ notPresentCache: true }, 'EOPNOTSUPP: the unit keeps absent entries until they are flushed'],
  ])('SVA is refused on %j', (profile, why) => {
    const { driver, process } = made(profile)
    expect(() => process(cpuTables(48))).toThrow(why)
    expect(driver.manifest.sva).toEqual({ rid: false, pasid: false })
  })
})

describe('ATS', () => {
  test.each(['v1', 'v2-4'])('a translation that the device keeps is gone once its domain is: %s', (format) => keptTranslationGoes(made(), ats, format))
  test('is not served for a device that does not have it', () => {
    const plain: Device = { name: 'plain', requesterId: 0x20 }
    const { machine, driver } = made({}, { devices: [plain] })
    driver.identityDomain?.attachDev(plain, undefined)
    expect(code(machine, read(0x1000n, { kind: 'translate' }))).toBe(EVENT_CODES.invalidDeviceRequest)
    expect(code(machine, read(0x1000n, { kind: 'translated' }))).toBe(EVENT_CODES.invalidDeviceRequest)
    expect(machine.endpoint(0x20).config.enabled).toEqual({ pasid: true, ats: false, pri: false })
  })
})
