// What domains tell the hardware when their pages change, as literal commands, and what they say and refuse.
import { describe, expect, test } from 'vitest'
import { createGather, errorCode } from '@iommu/core'
import type { Device, PagingDomain, SvaDomain } from '@iommu/core'
import { createCpuAddressSpace } from '@iommu/page-table'
import { cpuTables } from '../src/backends.js'
import { createAmdVi } from '../src/index.js'
import type { AmdVi } from '../src/index.js'
import { createAmdMachine } from '../src/model/index.js'
import type { AmdMachine, Profile } from '../src/model/index.js'

const ats: Device = { name: 'ats', requesterId: 0x20, ats: true }
const plain: Device = { name: 'plain', requesterId: 0x38 }
const endpoints = new Map([[0x20, { pasidWidth: 16, atsQueueDepth: 31 }], [0x38, {}]])

interface Made { readonly machine: AmdMachine; readonly driver: AmdVi; readonly warnings: string[] }
const made = (profile: Partial<Profile> = {}, second?: Partial<Profile>): Made => {
  const machine = createAmdMachine({ profile, endpoints })
  const warnings: string[] = []
  const driver = createAmdVi(machine, {
    hostAddressBits: 48, capabilityHeader: machine.capabilityHeader, lastDeviceId: 0x1ff, warn: (sentence) => warnings.push(sentence),
    moreUnits: second === undefined ? [] : [createAmdMachine({ profile: { ...profile, ...second }, endpoints, unit: 1, memory: machine.memory })],
  })
  for (const device of [ats, plain]) {
    driver.probeDevice(device)
    driver.probeFinalize?.(device)
  }
  return { machine, driver, warnings }
}
const paging = (driver: AmdVi, format: string, device = ats): PagingDomain => driver.domainAllocPaging?.(device, { format }) as PagingDomain

/** The commands that hardware takes meanwhile, waits as such. */
const told = ({ machine }: Made, act: () => void): string[] => {
  const commands: string[] = []
  const stop = machine.observe((event) => {
    if (event.kind !== 'command') return
    commands.push(event.name.endsWith('completion-wait') ? 'wait' : event.words.map((word) => `0x${word.toString(16)}`).join(' '))
  })
  act()
  stop()
  return commands
}
const map = (domain: PagingDomain, iova: bigint, pages: number): void =>
  void domain.mapPages(iova, 0x80_0000n + iova, 0x1000n, pages, { read: true, write: true })
const unmap = (domain: PagingDomain, iova: bigint, pages: number): void => {
  const gather = createGather()
  domain.unmapPages(iova, 0x1000n, pages, gather)
  domain.iotlbSync?.(gather)
}

describe('host tables', () => {
  test('an unmap is told by the domain\'s own id, then to the device\'s TLB, each waited for', () => {
    const all = made()
    const domain = paging(all.driver, 'v1')
    domain.attachDev(ats, undefined)
    domain.attachDev(plain, undefined)
    map(domain, 0x10_0000n, 3)
    const id = all.driver.domainIdsInUse() + 1
    expect(told(all, () => unmap(domain, 0x10_0000n, 1))).toEqual([
      `0x3000000${id.toString(16)}00000000 0x100000`, 'wait', '0x400000201f000020 0x100000', 'wait',
    ])
    expect(told(all, () => domain.flushIotlbAll?.())).toEqual([
      `0x3000000${id.toString(16)}00000000 0x7ffffffffffff003`, 'wait', '0x400000201f000020 0x7ffffffffffff001', 'wait',
    ])
  })
  test('an unmap that puts a table out of use takes what leads to it along', () => {
    const all = made()
    const domain = paging(all.driver, 'v1', plain)
    domain.attachDev(plain, undefined)
    map(domain, 0n, 512)
    // PDE and S over 2 MiB.
    expect(told(all, () => unmap(domain, 0n, 512))[0]).toMatch(/^0x3000000.00000000 0xff003$/)
  })
  test('begin with three levels; with a fourth every device is pointed to the new root, and no translation is flushed', () => {
    const all = made()
    const domain = paging(all.driver, 'v1', plain)
    domain.attachDev(plain, undefined)
    map(domain, 0n, 1)
    const dte = (): bigint => all.machine.walk({ source: 0x38, kind: 'untranslated', address: 0n, access: 'read' }).steps[0]?.words[0] as bigint
    expect((dte() >> 9n) & 7n).toBe(3n)
    expect(told(all, () => map(domain, 1n << 40n, 1))).toEqual(['0x2000000000000038 0x0', 'wait', expect.stringMatching(/^0x3000000.00000000 0x7f/), 'wait'])
    expect((dte() >> 9n) & 7n).toBe(4n)
    expect(all.machine.dma({ source: 0x38, kind: 'untranslated', address: 1n << 40n, access: 'write' })).toMatchObject({ result: 'translated' })
  })
  test('take a domain id where they are set, and give it back when the last point has left', () => {
    const { driver } = made()
    const before = driver.domainIdsInUse()
    const domain = paging(driver, 'v1', plain)
    expect(driver.domainIdsInUse()).toBe(before)
    domain.attachDev(plain, undefined)
    expect(driver.domainIdsInUse()).toBe(before + 1)
    driver.blockedDomain?.attachDev(plain, domain)
    expect(driver.domainIdsInUse()).toBe(before)
  })
  test('refuse nothing that can be written, enforce coherency from the beginning, and are for requester ids alone', () => {
    const { driver } = made()
    const domain = paging(driver, 'v1')
    expect(domain.mapPages(0n, 0n, 0x1000n, 1, { read: false, write: true })).toEqual({ mapped: 0x1000n })
    expect([domain.kind, domain.enforceCacheCoherency?.(), domain.pasidCapable, domain.setDevPasid]).toEqual(['paging', true, false, undefined])
  })
})

describe('guest tables', () => {
  test('an unmap is told for each point that the domain is on, by the device\'s id and its PASID', () => {
    const all = made()
    const domain = paging(all.driver, 'v2-4')
    domain.attachDev(ats, undefined)
    domain.setDevPasid?.(ats, 7, undefined)
    map(domain, 0x10_0000n, 3)
    expect(told(all, () => unmap(domain, 0x10_0000n, 1))).toEqual([
      '0x3000000200000000 0x100004', '0x3000000200000007 0x100004', 'wait',
      '0x400000201f000020 0x100000', '0x400700201f000020 0x100004', 'wait',
    ])
    expect(told(all, () => domain.flushIotlbAll?.())).toEqual([
      '0x3000000200000000 0x7ffffffffffff007', '0x3000000200000007 0x7ffffffffffff007', 'wait',
      '0x400000201f000020 0x7ffffffffffff001', '0x400700201f000020 0x7ffffffffffff005', 'wait',
    ])
  })
  test('refuse write-only pages, say nothing of coherency, and are for PASIDs too', () => {
    const { driver } = made()
    const domain = paging(driver, 'v2-4')
    expect(errorCode(domain.mapPages(0n, 0n, 0x1000n, 1, { read: false, write: true }).error)).toBe('EINVAL')
    expect([domain.enforceCacheCoherency, domain.pasidCapable]).toEqual([undefined, true])
    expect(paging(driver, 'v2-5').pasidCapable).toBe(false)
  })
})

describe('a map', () => {
  test('is told only where absent entries are kept, and only where there is one', () => {
    const all = made({ notPresentCache: true })
    const domain = paging(all.driver, 'v1', plain)
    domain.attachDev(plain, undefined)
    map(domain, 0x10_0000n, 2)
    expect(told(all, () => domain.iotlbSyncMap?.(0x10_0000n, 0x2000n))).toEqual([expect.stringMatching(/^0x3000000.00000000 0x100003$/), 'wait'])
    expect(told(all, () => domain.iotlbSyncMap?.(0x10_0000n, 0n))).toEqual([])
    const other = made()
    const silent = paging(other.driver, 'v1', plain)
    silent.attachDev(plain, undefined)
    expect(told(other, () => silent.iotlbSyncMap?.(0x10_0000n, 0x2000n))).toEqual([])
  })
})

describe('what is said', () => {
  test('of an unmap that hardware has not completed', () => {
    const all = made()
    const domain = paging(all.driver, 'v1')
    domain.attachDev(ats, undefined)
    map(domain, 0x10_0000n, 1)
    all.machine.fail.completions('never')
    unmap(domain, 0x10_0000n, 1)
    expect(all.warnings).toEqual([expect.stringMatching(/^an unmap may not have reached the hardware: ENODEV: the unit does not complete commands/)])
  })
  test('of a domain that does not fit: EINVAL with the device, and nothing is told', () => {
    const all = made({}, { hostLevels: 4 })
    const far: Device = { name: 'far', requesterId: 0x40, unit: 1 }
    all.driver.probeDevice(far)
    const domain = paging(all.driver, 'v1')
    expect(told(all, () => expect(() => domain.attachDev(far, undefined)).toThrow('EINVAL: the unit has host tables of fewer levels (device far)'))).toEqual([])
  })
})

describe('identity', () => {
  test('is one object for requester ids, and can be left', () => {
    const { driver, machine } = made()
    const { identityDomain } = driver
    expect([identityDomain?.kind, identityDomain?.setDevPasid, Object.isFrozen(identityDomain)]).toEqual(['identity', undefined, true])
    identityDomain?.attachDev(plain, undefined)
    expect(machine.dma({ source: 0x38, kind: 'untranslated', address: 0x1234_5000n, access: 'write' })).toMatchObject({ address: 0x1234_5000n })
    const domain = paging(driver, 'v1', plain)
    domain.attachDev(plain, identityDomain)
    expect(machine.dma({ source: 0x38, kind: 'untranslated', address: 0x1234_5000n, access: 'write' }).result).toBe('blocked')
  })
})

describe('a process', () => {
  const bound = (): Made & { readonly cpu: ReturnType<typeof createCpuAddressSpace>; readonly domain: SvaDomain } => {
    const all = made()
    const cpu = createCpuAddressSpace(all.machine.memory, 'process', cpuTables(48))
    const domain = all.driver.domainAllocSva?.(ats, cpu.space) as SvaDomain
    domain.setDevPasid(ats, 7, undefined)
    return { ...all, cpu, domain }
  }
  const dma = { source: 0x20, kind: 'untranslated', address: 0x10_0000n, access: 'read', pasid: 7 } as const
  test('what its CPU unmaps is told with the tables on the way', () => {
    const all = bound()
    all.cpu.map(0x10_0000n, 0x90_0000n)
    expect(all.machine.dma(dma)).toMatchObject({ address: 0x90_0000n })
    expect(told(all, () => all.cpu.unmap(0x10_0000n))).toEqual(['0x3000000200000007 0x100006', 'wait', '0x400700201f000020 0x100004', 'wait'])
    expect(all.machine.dma(dma).result).toBe('blocked')
  })
  test('when it ends its PASID is blocked, and can be set again', () => {
    const all = bound()
    all.cpu.map(0x10_0000n, 0x90_0000n)
    all.cpu.end()
    expect(all.machine.dma(dma).result).toBe('blocked')
    expect(() => all.domain.setDevPasid(ats, 8, undefined)).toThrow('EINVAL: the address space has ended (device ats)')
    const domain = paging(all.driver, 'v2-4')
    map(domain, 0x10_0000n, 1)
    domain.setDevPasid?.(ats, 7, all.domain)
    expect(all.machine.dma(dma)).toMatchObject({ address: 0x90_0000n })
  })
})
