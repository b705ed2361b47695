// The driver against a unit that misbehaves, and the faults that the model reports for tables gone wrong.
import { describe, expect, test } from 'vitest'
import { errorCode } from '@iommu/core'
import type { Device, PagingDomain, SvaDomain } from '@iommu/core'
import type { DmaRequest } from '@iommu/hardware'
import { createCpuAddressSpace } from '@iommu/page-table'
import { cpuTables } from '../src/backends.js'
import { createIntelVtd } from '../src/index.js'
import type { IntelVtd } from '../src/index.js'
import { createVtdMachine } from '../src/model/index.js'
import type { Profile, VtdMachine } from '../src/model/index.js'
import { OFFSETS } from '../src/tables/index.js'

const device: Device = { name: '0000:00:04.0', requesterId: 0x20, ats: true }
const endpoints = new Map([[0x20, { pasidWidth: 20, atsQueueDepth: 31 }], [0x30, { pasidWidth: 14 }]])

const made = (profile: Partial<Profile> = {}, each: Device = device): { machine: VtdMachine; driver: IntelVtd; warnings: string[] } => {
  const machine = createVtdMachine({ profile, endpoints })
  const warnings: string[] = []
  const driver = createIntelVtd(machine, { hostAddressBits: 46, warn: (sentence) => warnings.push(sentence) })
  driver.probeDevice(each)
  driver.probeFinalize?.(each)
  return { machine, driver, warnings }
}
const read = (address: bigint, more: Partial<DmaRequest> = {}): DmaRequest => ({ source: 0x20, kind: 'untranslated', address, access: 'read', ...more })
const paging = (driver: IntelVtd, format: string): PagingDomain => {
  const domain = driver.domainAllocPaging?.(device, { format }) as PagingDomain
  domain.mapPages(0x10_0000n, 0x80_0000n, 0x1000n, 2, { read: true, write: false })
  return domain
}
const code = (machine: VtdMachine, request: DmaRequest): number | string => {
  const outcome = machine.dma(request)
  return outcome.result === 'blocked' ? outcome.fault?.code ?? 'silent' : 'translated'
}
/** The address of the last entry of a layout on the way of a request. */
const entryAt = (machine: VtdMachine, request: DmaRequest, layout: string): bigint =>
  machine.walk(request).steps.findLast(({ entry }) => entry === layout)?.address as bigint
const poke = (machine: VtdMachine, at: bigint, change: (word: bigint) => bigint): void => {
  machine.memory.store64(at, change(machine.memory.load64(at)))
  machine.caches.contexts.drop(() => true)
  machine.caches.pasids.drop(() => true)
  for (const { leaves, tables } of [machine.caches.firstStage, machine.caches.secondStage]) {
    for (const each of [leaves, ...tables]) each.dropTags(() => true)
  }
}

describe('a unit that misbehaves', () => {
  test('a refused descriptor is recovered from, and the old domain is back', () => {
    const { machine, driver } = made()
    const [one, two] = [paging(driver, 'first-stage-4'), paging(driver, 'second-stage-4')]
    one.attachDev(device, undefined)
    for (let n = 1; n <= 6; n++) {
      machine.fail.queueError(n)
      expect(() => two.attachDev(device, one)).toThrow('ENODEV: the unit refused an invalidation descriptor')
      expect(machine.dma(read(0x10_0000n))).toMatchObject({ result: 'translated', attributes: { stage: 'first' } })
      expect(machine.registers.read32(OFFSETS.FSTS) & 0x10).toBe(0)
    }
    machine.fail.queueError(undefined)
    two.attachDev(device, one)
    expect(machine.dma(read(0x10_0000n))).toMatchObject({ result: 'translated', attributes: { stage: 'second' } })
  })
  test('a completion that never comes is ENODEV, and not a hang', () => {
    const { machine, driver } = made()
    const [one, two] = [paging(driver, 'first-stage-4'), paging(driver, 'second-stage-4')]
    one.attachDev(device, undefined)
    machine.fail.completions('never')
    expect(() => two.attachDev(device, one)).toThrow('ENODEV: the unit does not complete invalidations')
  })
  test('a device TLB that does not answer is ENODEV with its source, and blocked all the same', () => {
    const { machine, driver, warnings } = made()
    const one = paging(driver, 'first-stage-4')
    one.attachDev(device, undefined)
    machine.fail.deviceTlb(0x20, 'times out')
    expect(() => driver.identityDomain?.attachDev(device, one)).toThrow('a device did not answer the invalidation of its TLB (source 0x20)')
    driver.blockedDomain?.attachDev(device, one)
    expect(machine.walk(read(0x10_0000n)).outcome.result).toBe('blocked')
    expect(warnings).toHaveLength(1)
    machine.fail.deviceTlb(0x20, 'answers')
    one.attachDev(device, undefined)
    expect(machine.dma(read(0x10_0000n)).result).toBe('translated')
  })
  test('registers that never acknowledge are an error at creation', () => {
    const machine = createVtdMachine()
    const read32 = (offset: number): number => (offset === OFFSETS.GSTS ? 0 : machine.registers.read32(offset))
    const deaf = { ...machine, registers: { ...machine.registers, read32 } }
    expect(() => createIntelVtd(deaf, { hostAddressBits: 46 })).toThrow('ENODEV: the unit does not acknowledge GCMD: GSTS.RTPS stays 0')
  })
  test('without memory nothing is left behind', () => {
    const machine = createVtdMachine({ endpoints })
    const driver = createIntelVtd(machine, { hostAddressBits: 46 })
    const before = machine.memory.pages.live
    const codes: (string | undefined)[] = []
    // A context table, then the directory, then (the context table being there) the PASID table, then nothing.
    for (const n of [1, 2, 2, 4]) {
      machine.fail.allocation(n)
      try {
        driver.probeDevice(device)
        codes.push('ok')
        driver.releaseDevice?.(device)
      } catch (error) {
        codes.push(errorCode(error))
      }
      machine.fail.allocation(undefined)
    }
    expect(codes).toEqual(['ENOMEM', 'ENOMEM', 'ENOMEM', 'ok'])
    // A context table of the bus stays: it belongs to the bus, not to the device.
    expect(machine.memory.pages.live - before).toBeLessThanOrEqual(1)
  })
})

describe('aliases', () => {
  test('DMA under every requester id of a device goes where the device goes', () => {
    for (const scalable of [true, false]) {
      const aliased: Device = { name: 'x', requesterId: 0x20, aliases: [0x21, 0x108] }
      const { machine, driver } = made({ scalable }, aliased)
      const domain = driver.domainAllocPaging?.(aliased, {}) as PagingDomain
      domain.mapPages(0x10_0000n, 0x80_0000n, 0x1000n, 1, { read: true, write: true })
      domain.attachDev(aliased, undefined)
      for (const source of [0x20, 0x21, 0x108]) expect(machine.dma(read(0x10_0000n, { source }))).toMatchObject({ address: 0x80_0000n })
      driver.blockedDomain?.attachDev(aliased, domain)
      for (const source of [0x20, 0x21, 0x108]) expect(machine.dma(read(0x10_0000n, { source })).result).toBe('blocked')
    }
  })
})

describe('fault recording', () => {
  test('keeps as many faults as there are registers, then says that some were lost', () => {
    const { machine, driver } = made()
    for (let n = 0n; n < 6n; n++) machine.dma(read(0x1000n * n, { access: n % 2n === 0n ? 'read' : 'write' }))
    const { faults, overflow } = driver.readFaults()
    expect(overflow).toBe(true)
    expect(faults.map(({ address, access }) => [address, access])).toEqual([[0n, 'read'], [0x1000n, 'write'], [0x2000n, 'read'], [0x3000n, 'write']])
    expect(driver.readFaults()).toEqual({ faults: [], overflow: false })
    machine.dma(read(0x9000n, { pasid: 7 }))
    expect(driver.readFaults().faults).toMatchObject([{ source: 0x20, pasid: 7, address: 0x9000n, code: 0x59 }])
  })
  test('is silent where FPD asks for it, and still blocks', () => {
    const { machine, driver } = made()
    driver.identityDomain?.attachDev(device, undefined)
    poke(machine, entryAt(machine, read(0n), 'vtd.pasid'), () => 2n)
    expect(machine.dma(read(0x1000n))).toMatchObject({ result: 'blocked', fault: { code: 0x59, recorded: false } })
    expect(driver.readFaults().faults).toEqual([])
  })
})

/** A case: which domain is set, which entry is changed and how, and the reason that a read or write then meets. */
type Wrong = readonly [what: string, layout: string, word: bigint, change: (word: bigint) => bigint, reads: number, writes?: number]

const wrongEntries = (profile: Partial<Profile>, format: string | undefined, cases: readonly Wrong[]): void => {
  test.each(cases.map((each) => ({ name: each[0], each })))('$name', ({ each: [, layout, word, change, reads, writes = reads] }) => {
    const { machine, driver } = made(profile)
    if (format === undefined) driver.identityDomain?.attachDev(device, undefined)
    else paging(driver, format).attachDev(device, undefined)
    expect(code(machine, read(0x10_0000n))).toBe('translated')
    poke(machine, entryAt(machine, read(0x10_0000n), layout) + word * 8n, change)
    expect([code(machine, read(0x10_0000n)), code(machine, read(0x10_0000n, { access: 'write' }))]).toEqual([reads, writes])
  })
}

describe('faults in legacy mode', () => {
  const legacy = { scalable: false, levels: [3, 4] as const }
  wrongEntries(legacy, 'second-stage-4', [
    ['root entry absent', 'vtd.root', 0n, () => 0n, 0x01],
    ['root entry with a reserved bit', 'vtd.root', 0n, (word) => word | 2n, 0x0a],
    ['root entry to no memory', 'vtd.root', 0n, () => 0x2000_0001n, 0x09],
    ['context entry absent', 'vtd.context', 0n, () => 0n, 0x02],
    ['context entry with a reserved bit', 'vtd.context', 0n, (word) => word | 0x10n, 0x0b],
    ['context entry with a reserved translation type', 'vtd.context', 0n, (word) => word | 0xcn, 0x03],
    ['context entry with more levels than there are', 'vtd.context', 1n, (word) => word | 3n, 0x03],
    ['root table in no memory', 'vtd.context', 0n, () => 0x2000_0001n, 0x03],
    ['leaf absent', 'vtd.ss', 0n, () => 0n, 0x06, 0x05],
    ['leaf with an address beyond the host width', 'vtd.ss', 0n, (word) => word | (1n << 47n), 0x0c],
  ])
  test('a table below the root in no memory', () => {
    const { machine, driver } = made(legacy)
    paging(driver, 'second-stage-4').attachDev(device, undefined)
    const root = machine.walk(read(0x10_0000n)).steps.find(({ entry }) => entry === 'vtd.ss')?.address as bigint
    poke(machine, root, () => 0x2000_0003n)
    expect(code(machine, read(0x10_0000n))).toBe(0x07)
  })
  test('read-only pages, addresses too wide, requests with PASID', () => {
    const { machine, driver } = made(legacy)
    paging(driver, 'second-stage-4').attachDev(device, undefined)
    expect([
      code(machine, read(0x10_0000n, { access: 'write' })), code(machine, read(1n << 48n)), code(machine, read(0n, { pasid: 1 })),
      code(machine, read(0xfee0_0000n)),
    ]).toEqual([0x05, 0x04, 0x31, 0x0e])
  })
})

describe('faults in scalable mode', () => {
  wrongEntries({}, 'first-stage-4', [
    ['root entry absent', 'vtd.sm-root', 0n, () => 0n, 0x39],
    ['root entry with a reserved bit', 'vtd.sm-root', 0n, (word) => word | 2n, 0x3a],
    ['root entry to no memory', 'vtd.sm-root', 0n, () => 0x2000_0001n, 0x40],
    ['context entry absent', 'vtd.sm-context', 0n, () => 0n, 0x41],
    ['context entry with a reserved bit', 'vtd.sm-context', 0n, (word) => word | 0x20n, 0x42],
    ['RID_PASID without RPS', 'vtd.sm-context', 1n, () => 1n, 0x48],
    ['directory to no memory', 'vtd.sm-context', 0n, (word) => (word & 0xfffn) | 0x2000_0000n, 0x50],
    ['directory entry absent', 'vtd.pasid-dir', 0n, () => 0n, 0x51],
    ['directory entry with a reserved bit', 'vtd.pasid-dir', 0n, (word) => word | 4n, 0x52],
    ['PASID table to no memory', 'vtd.pasid-dir', 0n, () => 0x2000_0001n, 0x58],
    ['PASID entry absent', 'vtd.pasid', 0n, (word) => word & ~1n, 0x59],
    ['PASID entry with a reserved bit', 'vtd.pasid', 0n, (word) => word | 0x400n, 0x5a],
    ['PASID entry of a type that there is not', 'vtd.pasid', 0n, (word) => word | 0x1c0n, 0x5b],
    ['PASID entry of a nested type', 'vtd.pasid', 0n, (word) => word | 0x80n, 0x5b],
    ['first-stage root to no memory', 'vtd.pasid', 2n, () => 0x2000_0000n, 0x73],
    ['first-stage leaf absent', 'vtd.fs', 0n, () => 0n, 0x71],
    ['first-stage leaf beyond the host width', 'vtd.fs', 0n, (word) => word | (1n << 47n), 0x72],
    ['first-stage leaf for supervisors', 'vtd.fs', 0n, (word) => word & ~4n, 0x81],
  ])
  wrongEntries({}, 'second-stage-4', [
    ['second-stage leaf absent', 'vtd.ss', 0n, () => 0n, 0x79],
    ['second-stage leaf beyond the host width', 'vtd.ss', 0n, (word) => word | (1n << 47n), 0x7a],
    ['second-stage root to no memory', 'vtd.pasid', 0n, (word) => (word & 0xfffn) | 0x2000_0000n, 0x7b],
  ])
  test('read-only pages, addresses that are not canonical, execute and supervisor requests, the interrupt range', () => {
    const { machine, driver } = made()
    paging(driver, 'first-stage-4').attachDev(device, undefined)
    expect([
      code(machine, read(0x10_0000n, { access: 'write' })), code(machine, read(1n << 47n)), code(machine, read(0x10_0000n, { execute: true })),
      code(machine, read(0x10_0000n, { privileged: true })), code(machine, read(0xfee0_0000n)),
    ]).toEqual([0x85, 0x80, 0x5c, 0x5d, 0x87])
  })
  test('PASIDs beyond the directory, and of a device that has none', () => {
    const { machine, driver } = made()
    for (const requesterId of [0x28, 0x30]) driver.probeDevice({ name: `${requesterId}`, requesterId })
    expect([code(machine, read(0n, { source: 0x30, pasid: 0x5000 })), code(machine, read(0n, { source: 0x28, pasid: 1 }))]).toEqual([0x46, 0x45])
  })
})

describe('SVA', () => {
  test('shares domain id 1 with identity, and is told apart by its PASID', () => {
    const { machine, driver } = made()
    driver.identityDomain?.attachDev(device, undefined)
    const cpu = createCpuAddressSpace(machine.memory, 'process', cpuTables(46))
    cpu.map(0x10_0000n, 0x90_0000n)
    const domain = driver.domainAllocSva?.(device, cpu.space) as SvaDomain
    domain.setDevPasid(device, 7, undefined)
    expect(machine.dma(read(0x10_0000n, { pasid: 7 }))).toMatchObject({ address: 0x90_0000n, tag: 'domain 1 PASID 7' })
    expect(machine.dma(read(0x10_0000n))).toMatchObject({ address: 0x10_0000n, tag: 'domain 1 PASID 0' })
    cpu.unmap(0x10_0000n)
    expect(code(machine, read(0x10_0000n, { pasid: 7 }))).toBe(0x71)
    expect(code(machine, read(0x10_0000n, { pasid: 7, privileged: true }))).toBe(0x5d)
  })
  test('an exited process leaves an entry whose faults are not recorded, until the PASID is removed', () => {
    const { machine, driver } = made()
    const cpu = createCpuAddressSpace(machine.memory, 'process', cpuTables(46))
    const domain = driver.domainAllocSva?.(device, cpu.space) as SvaDomain
    domain.setDevPasid(device, 7, undefined)
    cpu.end()
    expect(machine.dma(read(0n, { pasid: 7 }))).toMatchObject({ fault: { code: 0x59, recorded: false } })
    driver.blockedDomain?.setDevPasid?.(device, 7, domain)
    expect(machine.dma(read(0n, { pasid: 7 }))).toMatchObject({ fault: { code: 0x59, recorded: true } })
  })
  test.each([
    [{ coherent: false }, 'the unit\'s page walks do not snoop'],
    [{ firstStage: false }, 'the unit has no first stage on PASIDs'],
    [{ scalable: false, levels: [3, 4] as const }, 'the unit has no first stage on PASIDs'],
  ])('is refused on %j', (profile, why) => {
    const { machine, driver } = made(profile)
    const { space } = createCpuAddressSpace(machine.memory, 'process', cpuTables(46))
    expect(() => driver.domainAllocSva?.(device, space)).toThrow(`EOPNOTSUPP: ${why}`)
    expect(driver.manifest.sva).toEqual({ rid: false, pasid: false })
  })
})

describe('ATS', () => {
  test('a translation that the device keeps is gone once its page is unmapped', () => {
    const { machine, driver } = made()
    const domain = paging(driver, 'second-stage-4')
    domain.attachDev(device, undefined)
    expect(machine.dma(read(0x10_0000n, { kind: 'translate' }))).toMatchObject({ address: 0x80_0000n })
    expect(machine.outcomes(read(0x10_0000n, { kind: 'translate' }))).toHaveLength(2)
    driver.blockedDomain?.attachDev(device, domain)
    expect(machine.outcomes(read(0x10_0000n, { kind: 'translate' }))).toMatchObject([{ result: 'blocked' }])
  })
  test('is not served for a device that does not have it', () => {
    const plain: Device = { name: 'plain', requesterId: 0x20 }
    const { machine, driver } = made({}, plain)
    driver.identityDomain?.attachDev(plain, undefined)
    expect(code(machine, read(0x1000n, { kind: 'translate' }))).toBe(0x44)
    expect(machine.endpoint(0x20).config.enabled).toEqual({ pasid: true, ats: false, pri: false })
  })
})
