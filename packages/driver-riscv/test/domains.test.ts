// What domains tell the hardware when their pages change, as literal commands, and what they say and refuse.
import { describe, expect, test } from 'vitest'
import { createGather, errorCode } from '@iommu/core'
import type { Device, PagingDomain, SvaDomain } from '@iommu/core'
import { createCpuAddressSpace, svFirstStage } from '@iommu/page-table'
import { createRiscv } from '../src/index.js'
import type { Riscv } from '../src/index.js'
import { createRiscvMachine } from '../src/model/index.js'
import type { Profile, RiscvMachine } from '../src/model/index.js'

const ats: Device = { name: 'ats', requesterId: 0x110, ats: true }
const plain: Device = { name: 'plain', requesterId: 0x38 }
const endpoints = new Map([[0x110, { pasidWidth: 16, atsQueueDepth: 31 }], [0x38, {}]])
const NO_PASIDS = { processLevels: [] as const }

interface Made { readonly machine: RiscvMachine; readonly driver: Riscv; readonly warnings: string[] }
const made = (profile: Partial<Profile> = {}, second?: Partial<Profile>): Made => {
  const machine = createRiscvMachine({ profile, endpoints })
  const warnings: string[] = []
  const driver = createRiscv(machine, {
    warn: (sentence) => warnings.push(sentence),
    moreUnits: second === undefined ? [] : [createRiscvMachine({ profile: { ...profile, ...second }, endpoints, unit: 1, memory: machine.memory })],
  })
  for (const device of [ats, plain]) {
    driver.probeDevice(device)
    driver.probeFinalize?.(device)
  }
  return { machine, driver, warnings }
}
const paging = (driver: Riscv, format: string, device = ats): PagingDomain => driver.domainAllocPaging?.(device, { format }) as PagingDomain

/** The commands that hardware takes meanwhile, fences as such; and what orders memory alone. */
const told = ({ machine }: Made, act: () => void): string[] => {
  const did: string[] = []
  const stop = machine.observe((event) => {
    if (event.kind === 'command') {
      const [first] = event.words
      did.push(((first as bigint) & 0x7fn) === 2n ? 'fence' : event.words.map((word) => `0x${word.toString(16)}`).join(' '))
    }
  })
  act()
  stop()
  return did
}
const map = (domain: PagingDomain, iova: bigint, pages: number): void =>
  void domain.mapPages(iova, 0x80_0000n + iova, 0x1000n, pages, { read: true, write: true })
const unmap = (domain: PagingDomain, iova: bigint, pages: number): void => {
  const gather = createGather()
  domain.unmapPages(iova, 0x1000n, pages, gather)
  domain.iotlbSync?.(gather)
}

describe('a first stage', () => {
  test('an unmap is told by the PSCID, then to the device\'s TLB on each PASID, each waited for', () => {
    const all = made()
    const domain = paging(all.driver, 'sv48')
    domain.attachDev(ats, undefined)
    domain.attachDev(plain, undefined)
    domain.setDevPasid?.(ats, 7, undefined)
    map(domain, 0x10_0000n, 3)
    expect(told(all, () => { unmap(domain, 0x10_0000n, 1) })).toEqual([
      '0x100001401 0x40000', 'fence', '0x1100000000004 0x100000', '0x1100100007004 0x100000', 'fence',
    ])
    expect(told(all, () => { domain.flushIotlbAll?.() })).toEqual([
      '0x100001001 0x0', 'fence', '0x1100000000004 0x7ffffffffffff800', '0x1100100007004 0x7ffffffffffff800', 'fence',
    ])
  })
  test('refuses write-only pages, is for PASIDs too, and says nothing new of coherency', () => {
    const domain = paging(made().driver, 'sv48')
    expect(errorCode(domain.mapPages(0n, 0n, 0x1000n, 1, { read: false, write: true }).error)).toBe('EINVAL')
    expect([domain.kind, domain.pasidCapable, domain.enforceCacheCoherency?.()]).toEqual(['paging', true, false])
  })
})

describe('a second stage', () => {
  test('an unmap is told by the GSCID', () => {
    const all = made(NO_PASIDS)
    const domain = paging(all.driver, 'sv48x4', plain)
    domain.attachDev(plain, undefined)
    map(domain, 0x10_0000n, 3)
    expect(told(all, () => { unmap(domain, 0x10_0000n, 1) })).toEqual(['0x100200000481 0x40000', 'fence'])
    expect(told(all, () => { domain.flushIotlbAll?.() })).toEqual(['0x100200000081 0x0', 'fence'])
    expect([domain.pasidCapable, domain.setDevPasid]).toEqual([false, undefined])
  })
})

describe('an identifier', () => {
  test.each([['sv48', '0x100001001 0x0'], ['sv48x4', '0x100200000081 0x0']])('of %s is given back once nothing is cached under it', (format, flush) => {
    const all = made(NO_PASIDS)
    const domain = paging(all.driver, format, plain)
    const before = all.driver.identifiersInUse()
    domain.attachDev(plain, undefined)
    expect(all.driver.identifiersInUse()).toBe(before + 1)
    expect(told(all, () => { all.driver.blockedDomain?.attachDev(plain, domain) }).slice(-2)).toEqual([flush, 'fence'])
    expect(all.driver.identifiersInUse()).toBe(before)
  })
  test('is not given up for an error that is none of the hardware\'s', () => {
    const { driver, machine } = made(NO_PASIDS)
    const domain = paging(driver, 'sv48', plain)
    domain.attachDev(plain, undefined)
    const stop = machine.observe((event) => {
      if (event.kind === 'store' && event.after[0] === 0x1_0000_1001n) throw new TypeError('a fault of ours')
    })
    expect(() => { driver.blockedDomain?.attachDev(plain, domain) }).toThrow(new TypeError('a fault of ours'))
    stop()
  })
})

describe('a map', () => {
  test('is ordered before what comes, on every unit that the domain is on, and told nobody', () => {
    const all = made()
    const domain = paging(all.driver, 'sv48')
    domain.attachDev(ats, undefined)
    const seen: string[] = []
    const stop = all.machine.observe(({ kind }) => seen.push(kind))
    domain.iotlbSyncMap?.(0x10_0000n, 0x1000n)
    stop()
    expect(seen).toEqual(['order'])
  })
})

describe('what is said', () => {
  test('of an unmap that hardware has not completed', () => {
    const all = made()
    const domain = paging(all.driver, 'sv48')
    domain.attachDev(ats, undefined)
    map(domain, 0x10_0000n, 1)
    all.machine.fail.completions('never')
    unmap(domain, 0x10_0000n, 1)
    expect(all.warnings).toEqual([
      expect.stringMatching(/^identifier 1: an unmap may not have reached the hardware: ENODEV: the unit does not complete commands/),
    ])
  })
  test('of a domain that does not fit: EINVAL with the device, and nothing is told', () => {
    const all = made({}, { firstStage: [3] })
    const far: Device = { name: 'far', requesterId: 0x40, unit: 1 }
    all.driver.probeDevice(far)
    const domain = paging(all.driver, 'sv48')
    expect(told(all, () => { expect(() => { domain.attachDev(far, undefined) }).toThrow('EINVAL: the unit has no sv48 (device far)') })).toEqual([])
  })
})

describe('identity', () => {
  test('passes through on requester ids and PASIDs, and can be left', () => {
    const { driver, machine } = made()
    const { identityDomain } = driver
    const dma = { source: 0x38, kind: 'untranslated', address: 0x1234_5000n, access: 'write' } as const
    expect([identityDomain?.kind, Object.isFrozen(identityDomain)]).toEqual(['identity', true])
    identityDomain?.attachDev(plain, undefined)
    identityDomain?.setDevPasid?.(ats, 7, undefined)
    expect(machine.dma(dma)).toMatchObject({ address: 0x1234_5000n })
    expect(machine.dma({ ...dma, source: 0x110, pasid: 7 })).toMatchObject({ address: 0x1234_5000n })
    const domain = paging(driver, 'sv48', plain)
    domain.attachDev(plain, identityDomain)
    expect(machine.dma(dma).result).toBe('blocked')
  })
})

describe('a process', () => {
  const dma = { source: 0x110, kind: 'untranslated', address: 0x10_0000n, access: 'read', pasid: 7 } as const
  const bound = (): Made & { readonly cpu: ReturnType<typeof createCpuAddressSpace>; readonly domain: SvaDomain } => {
    const all = made()
    const cpu = createCpuAddressSpace(all.machine.memory, 'process', svFirstStage({ levels: 4, physicalBits: 46, leafShifts: [12, 21] }))
    const domain = all.driver.domainAllocSva?.(ats, cpu.space) as SvaDomain
    domain.setDevPasid(ats, 7, undefined)
    return { ...all, cpu, domain }
  }
  test('what its CPU unmaps takes the tables on the way along: everything under its PSCID', () => {
    const all = bound()
    all.cpu.map(0x10_0000n, 0x90_0000n)
    expect(all.machine.dma(dma)).toMatchObject({ address: 0x90_0000n })
    expect(told(all, () => { all.cpu.unmap(0x10_0000n) })).toEqual(['0x100001001 0x0', 'fence', '0x1100100007004 0x100000', 'fence'])
    expect(all.machine.dma(dma).result).toBe('blocked')
  })
  test('is refused behind a unit that could not walk its tables', () => {
    const all = made({}, { firstStage: [3] })
    const far: Device = { name: 'far', requesterId: 0x40, unit: 1 }
    all.driver.probeDevice(far)
    const cpu = createCpuAddressSpace(all.machine.memory, 'process', svFirstStage({ levels: 4, physicalBits: 46, leafShifts: [12, 21] }))
    const domain = all.driver.domainAllocSva?.(ats, cpu.space) as SvaDomain
    expect(() => { domain.setDevPasid(far, 7, undefined) }).toThrow('EINVAL: the unit has no 4-level first stage (device far)')
  })
  test('when it ends its PASID is blocked, and everything under its PSCID is told', () => {
    const all = bound()
    all.cpu.map(0x10_0000n, 0x90_0000n)
    expect(told(all, () => { all.cpu.end() }).slice(-4)).toEqual(['0x100001001 0x0', 'fence', '0x1100100007004 0x7ffffffffffff800', 'fence'])
    expect(all.machine.dma(dma).result).toBe('blocked')
    expect(() => { all.domain.setDevPasid(ats, 8, undefined) }).toThrow('EINVAL: the address space has ended (device ats)')
  })
})
