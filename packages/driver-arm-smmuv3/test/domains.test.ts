// What domains tell the hardware when their pages change, as literal commands, and what they say and refuse.
import { describe, expect, test } from 'vitest'
import { createGather, errorCode } from '@iommu/core'
import type { Device, PagingDomain, SvaDomain } from '@iommu/core'
import { createCpuAddressSpace } from '@iommu/page-table'
import { cpuTables } from '../src/backends.js'
import { createArmSmmuv3 } from '../src/index.js'
import type { ArmSmmuv3 } from '../src/index.js'
import { createSmmuMachine, defaultProfile } from '../src/model/index.js'
import type { Profile, SmmuMachine } from '../src/model/index.js'

const ats: Device = { name: 'ats', requesterId: 0x20, ats: true }
const plain: Device = { name: 'plain', requesterId: 0x38 }
const endpoints = new Map([[0x20, { pasidWidth: 16, atsQueueDepth: 31 }], [0x38, {}]])

interface Made { readonly machine: SmmuMachine; readonly driver: ArmSmmuv3; readonly warnings: string[] }
const made = (profile: Partial<Profile> = {}, second?: Partial<Profile>): Made => {
  const machine = createSmmuMachine({ profile, endpoints })
  const warnings: string[] = []
  const driver = createArmSmmuv3(machine, {
    warn: (sentence) => warnings.push(sentence),
    moreUnits: second === undefined ? [] : [createSmmuMachine({ profile: { ...profile, ...second }, endpoints, unit: 1, memory: machine.memory })],
  })
  for (const device of [ats, plain]) {
    driver.probeDevice(device)
    driver.probeFinalize?.(device)
  }
  return { machine, driver, warnings }
}
const paging = (driver: ArmSmmuv3, format: string, device = ats): PagingDomain => driver.domainAllocPaging?.(device, { format }) as PagingDomain

/** The commands that hardware takes meanwhile, SYNCs as such. */
const told = ({ machine }: Made, act: () => void): string[] => {
  const commands: string[] = []
  const stop = machine.observe((event) => {
    if (event.kind !== 'command') return
    commands.push(event.name.endsWith('sync') ? 'SYNC' : event.words.map((word) => `0x${word.toString(16)}`).join(' '))
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

describe('stage 1', () => {
  test('an unmap is told by the ASID, then to the device\'s TLB on each SSID, each waited for', () => {
    const all = made()
    const domain = paging(all.driver, 'stage-1-4k')
    domain.attachDev(ats, undefined)
    domain.attachDev(plain, undefined)
    domain.setDevPasid?.(ats, 7, undefined)
    map(domain, 0x10_0000n, 3)
    expect(told(all, () => { unmap(domain, 0x10_0000n, 1) })).toEqual([
      '0x1000000000012 0x100001', 'SYNC', '0x2000000040 0x100000', '0x2000007840 0x100000', 'SYNC',
    ])
    expect(told(all, () => { domain.flushIotlbAll?.() })).toEqual([
      '0x1000000000011 0x0', 'SYNC', '0x2000000040 0x34', '0x2000007840 0x34', 'SYNC',
    ])
  })
  test('refuses write-only pages, and is for PASIDs too', () => {
    const domain = paging(made().driver, 'stage-1-4k')
    expect(errorCode(domain.mapPages(0n, 0n, 0x1000n, 1, { read: false, write: true }).error)).toBe('EINVAL')
    expect([domain.kind, domain.pasidCapable]).toEqual(['paging', true])
  })
})

describe('stage 2', () => {
  test('an unmap is told by the VMID', () => {
    const all = made()
    const domain = paging(all.driver, 'stage-2-4k')
    domain.attachDev(plain, undefined)
    map(domain, 0x10_0000n, 3)
    expect(told(all, () => { unmap(domain, 0x10_0000n, 1) })).toEqual(['0x10000002a 0x100001', 'SYNC'])
    expect(told(all, () => { domain.flushIotlbAll?.() })).toEqual(['0x100000028 0x0', 'SYNC'])
  })
  test('takes write-only pages, and is for requester ids alone', () => {
    const domain = paging(made().driver, 'stage-2-4k')
    expect(domain.mapPages(0n, 0n, 0x1000n, 1, { read: false, write: true })).toEqual({ mapped: 0x1000n })
    expect([domain.pasidCapable, domain.setDevPasid]).toEqual([false, undefined])
  })
})

describe('an id', () => {
  test.each([['stage-1-4k', '0x1000000000011 0x0'], ['stage-2-4k', '0x100000028 0x0']])('of %s is given back once nothing is cached under it', (format, flush) => {
    const all = made()
    const domain = paging(all.driver, format, plain)
    domain.attachDev(plain, undefined)
    expect(all.driver.idsInUse()).toBe(1)
    expect(told(all, () => { all.driver.blockedDomain?.attachDev(plain, domain) }).slice(-2)).toEqual([flush, 'SYNC'])
    expect(all.driver.idsInUse()).toBe(0)
  })
  test.each([['stage-1-4k', 'ASID'], ['stage-2-4k', 'VMID']])('of %s stays taken where that is not known, and it is said', (format, name) => {
    const { driver, machine, warnings } = made()
    const domain = paging(driver, format, plain)
    domain.attachDev(plain, undefined)
    machine.fail.completions('never')
    driver.blockedDomain?.attachDev(plain, domain)
    expect(driver.idsInUse()).toBe(1)
    expect(warnings.at(-1)).toMatch(new RegExp(`^${name} 1 is lost: it could not be flushed: ENODEV: the SMMU does not complete commands`))
  })
  test('is not given up for an error that is none of the hardware\'s', () => {
    const { driver, machine } = made()
    const domain = paging(driver, 'stage-1-4k', plain)
    domain.attachDev(plain, undefined)
    let armed = false
    const stop = machine.observe((event) => {
      // The flush under the ASID is the last thing of a block.
      if (armed && event.kind === 'store' && event.after[0] === 0x1_0000_0000_0011n) throw new TypeError('a fault of ours')
    })
    armed = true
    expect(() => { driver.blockedDomain?.attachDev(plain, domain) }).toThrow(new TypeError('a fault of ours'))
    stop()
  })
})

describe('break before make', () => {
  /** What happens when a 2 MiB page takes the place of a table: stores of the entry, and commands. */
  const replaced = (breakBeforeMakeLevel: 0 | 1 | 2): string[] => {
    const all = made({ breakBeforeMakeLevel })
    const domain = paging(all.driver, 'stage-1-4k', plain)
    domain.attachDev(plain, undefined)
    map(domain, 0x20_0000n, 1)
    const entry = all.machine.walk({ source: 0x38, kind: 'untranslated', address: 0x20_0000n, access: 'read' }).steps.at(-2)?.address
    unmap(domain, 0x20_0000n, 1)
    const did: string[] = []
    const stop = all.machine.observe((event) => {
      if (event.kind === 'store' && event.address === entry) did.push(event.after[0] === 0n ? 'broken' : 'made')
      if (event.kind === 'command') did.push(event.words.map((word) => `0x${word.toString(16)}`).join(' '))
    })
    domain.mapPages(0x20_0000n, 0x80_0000n, 0x20_0000n, 1, { read: true, write: true })
    stop()
    return did
  }
  const [flush, sync] = ['0x1000000900012 0x200400', '0x46 0x0']
  test('is done below level 2', () => {
    for (const level of [0, 1] as const) expect(replaced(level)).toEqual(['broken', flush, sync, 'made'])
  })
  test('and not from there on: what led to the table is flushed afterwards', () => expect(replaced(2)).toEqual(['made', flush, sync]))
})

describe('what is said', () => {
  test.each([['stage-1-4k', 'ASID'], ['stage-2-4k', 'VMID']])('of an unmap of %s that hardware has not completed', (format, name) => {
    const all = made()
    const domain = paging(all.driver, format)
    domain.attachDev(ats, undefined)
    map(domain, 0x10_0000n, 1)
    all.machine.fail.completions('never')
    unmap(domain, 0x10_0000n, 1)
    expect(all.warnings).toEqual([
      expect.stringMatching(new RegExp(`^${name} 1: an unmap may not have reached the hardware: ENODEV: the SMMU does not complete commands`)),
    ])
  })
  test('of a domain that does not fit: EINVAL with the device, and nothing is told', () => {
    const all = made({}, { stage2: false })
    const far: Device = { name: 'far', requesterId: 0x40, unit: 1 }
    all.driver.probeDevice(far)
    const domain = paging(all.driver, 'stage-2-4k')
    expect(told(all, () => { expect(() => { domain.attachDev(far, undefined) }).toThrow('EINVAL: the SMMU has no stage-2-4k (device far)') })).toEqual([])
  })
})

describe('identity', () => {
  test('is one object for requester ids, and can be left', () => {
    const { driver, machine } = made()
    const { identityDomain } = driver
    const dma = { source: 0x38, kind: 'untranslated', address: 0x1234_5000n, access: 'write' } as const
    expect([identityDomain?.kind, identityDomain?.setDevPasid, Object.isFrozen(identityDomain)]).toEqual(['identity', undefined, true])
    identityDomain?.attachDev(plain, undefined)
    expect(machine.dma(dma)).toMatchObject({ address: 0x1234_5000n })
    const domain = paging(driver, 'stage-1-4k', plain)
    domain.attachDev(plain, identityDomain)
    expect(machine.dma(dma).result).toBe('blocked')
  })
})

describe('a process', () => {
  const dma = { source: 0x20, kind: 'untranslated', address: 0x10_0000n, access: 'read', pasid: 7 } as const
  const bound = (): Made & { readonly cpu: ReturnType<typeof createCpuAddressSpace>; readonly domain: SvaDomain } => {
    const all = made()
    all.driver.identityDomain?.attachDev(ats, undefined)
    const cpu = createCpuAddressSpace(all.machine.memory, 'process', cpuTables(defaultProfile))
    const domain = all.driver.domainAllocSva?.(ats, cpu.space) as SvaDomain
    domain.setDevPasid(ats, 7, undefined)
    return { ...all, cpu, domain }
  }
  test('what its CPU unmaps is told with the tables on the way', () => {
    const all = bound()
    all.cpu.map(0x10_0000n, 0x90_0000n)
    expect(all.machine.dma(dma)).toMatchObject({ address: 0x90_0000n })
    expect(told(all, () => { all.cpu.unmap(0x10_0000n) })).toEqual(['0x1000000000012 0x100000', 'SYNC', '0x2000007840 0x100000', 'SYNC'])
    expect(all.machine.dma(dma).result).toBe('blocked')
  })
  test('when it ends its context is silent, and everything under its ASID is told', () => {
    const all = bound()
    all.cpu.map(0x10_0000n, 0x90_0000n)
    expect(told(all, () => { all.cpu.end() }).slice(-4)).toEqual(['0x1000000000011 0x0', 'SYNC', '0x2000007840 0x34', 'SYNC'])
    expect(all.machine.dma(dma)).toMatchObject({ result: 'blocked' })
    expect(all.driver.readEvents().events).toEqual([])
    expect(() => { all.domain.setDevPasid(ats, 8, undefined) }).toThrow('EINVAL: the address space has ended (device ats)')
  })
})
