// The driver against a unit that misbehaves, and the events that the model logs for tables gone wrong.
import { describe, expect, test } from 'vitest'
import { decode, encode } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { errorCode } from '@iommu/core'
import type { Device, PagingDomain, SvaDomain } from '@iommu/core'
import type { DmaRequest } from '@iommu/hardware'
import { createCpuAddressSpace } from '@iommu/page-table'
import { cpuTables } from '../src/backends.js'
import { createAmdVi } from '../src/index.js'
import type { AmdVi, AmdViOptions } from '../src/index.js'
import { createAmdMachine } from '../src/model/index.js'
import type { AmdMachine, Profile } from '../src/model/index.js'
import { deviceTableEntry, EVENT_CODES, illegalDevTableEntryEvent, ioPageFaultEvent, OFFSETS, status } from '../src/tables/index.js'

const device: Device = { name: '0000:00:04.0', requesterId: 0x20, ats: true }
const endpoints = new Map([[0x20, { pasidWidth: 20, atsQueueDepth: 31 }], [0x30, { pasidWidth: 8 }], [0x38, {}]])

interface Made { readonly machine: AmdMachine; readonly driver: AmdVi; readonly warnings: string[] }

const made = (profile: Partial<Profile> = {}, each: Device = device, options: Partial<AmdViOptions> = {}): Made => {
  const machine = createAmdMachine({ profile, endpoints })
  const warnings: string[] = []
  const driver = createAmdVi(machine, {
    hostAddressBits: 48, capabilityHeader: machine.capabilityHeader, lastDeviceId: 0x1ff, warn: (sentence) => warnings.push(sentence), ...options,
  })
  driver.probeDevice(each)
  driver.probeFinalize?.(each)
  return { machine, driver, warnings }
}
const read = (address: bigint, more: Partial<DmaRequest> = {}): DmaRequest => ({ source: 0x20, kind: 'untranslated', address, access: 'read', ...more })
const paging = (driver: AmdVi, format: string, each = device): PagingDomain => {
  const domain = driver.domainAllocPaging?.(each, { format }) as PagingDomain
  domain.mapPages(0x10_0000n, 0x80_0000n, 0x1000n, 2, { read: true, write: false })
  return domain
}
const code = (machine: AmdMachine, request: DmaRequest): number | string => {
  const outcome = machine.dma(request)
  return outcome.result === 'blocked' ? outcome.fault?.code ?? 'silent' : 'translated'
}
/** The address of the last entry of a layout on the way of a request. */
const entryAt = (machine: AmdMachine, request: DmaRequest, layout: string): bigint =>
  machine.walk(request).steps.findLast(({ entry }) => entry === layout)?.address as bigint
const poke = (machine: AmdMachine, at: bigint, change: (word: bigint) => bigint): void => {
  machine.memory.store64(at, change(machine.memory.load64(at)))
  machine.caches.entries.drop(() => true)
  machine.caches.gcr3.drop(() => true)
  for (const { leaves, tables } of [machine.caches.guest, machine.caches.host]) {
    for (const each of [leaves, ...tables]) each.dropTags(() => true)
  }
}

describe('a unit that misbehaves', () => {
  test('a refused command is recovered from, and the old domain is back', () => {
    const { machine, driver } = made()
    const [one, two] = [paging(driver, 'v2-4'), paging(driver, 'v1')]
    one.attachDev(device, undefined)
    let refused = 0
    for (let n = 1; n <= 12; n++) {
      machine.fail.queueError(n)
      try {
        two.attachDev(device, one)
        one.attachDev(device, two)
      } catch (error) {
        expect(String(error)).toContain('ENODEV: the unit refused a command')
        refused++
        const outcome = machine.dma(read(0x10_0000n))
        expect(outcome.result === 'translated' ? outcome.attributes['stage'] : outcome).toMatch(/^(guest|host)$/)
        expect(decode(status, [machine.registers.read64(OFFSETS.STATUS)]).CmdRun).toBe(1)
        machine.fail.queueError(undefined)
        one.attachDev(device, undefined)
      }
      machine.fail.queueError(undefined)
    }
    expect(refused).toBeGreaterThan(6)
    expect(driver.readFaults().faults.every((each) => each.code === EVENT_CODES.illegalCommandError)).toBe(true)
    two.attachDev(device, one)
    expect(machine.dma(read(0x10_0000n))).toMatchObject({ result: 'translated', attributes: { stage: 'host' } })
  })
  test('a completion that never comes is ENODEV, and not a hang; a late one is not taken for the next', () => {
    const { machine, driver } = made()
    const [one, two] = [paging(driver, 'v2-4'), paging(driver, 'v1')]
    one.attachDev(device, undefined)
    machine.fail.completions('never')
    expect(() => two.attachDev(device, one)).toThrow('ENODEV: the unit does not complete commands')
    machine.fail.completions('prompt')
    two.attachDev(device, one)
    expect(machine.dma(read(0x10_0000n))).toMatchObject({ address: 0x80_0000n })
  })
  test('a device TLB that does not answer is ENODEV with its source, and blocked all the same', () => {
    const { machine, driver, warnings } = made()
    const one = paging(driver, 'v1')
    one.attachDev(device, undefined)
    machine.fail.deviceTlb(0x20, 'times out')
    expect(() => driver.identityDomain?.attachDev(device, one)).toThrow('a device did not answer the invalidation of its TLB (source 0x20)')
    driver.blockedDomain?.attachDev(device, one)
    expect(machine.walk(read(0x10_0000n)).outcome.result).toBe('blocked')
    expect(warnings).toHaveLength(1)
    const { faults } = driver.readFaults()
    expect(faults.map((each) => [each.code, each.source])).toEqual(faults.map(() => [EVENT_CODES.iotlbInvTimeout, 0x20]))
    expect(faults).toHaveLength(3)
    machine.fail.deviceTlb(0x20, 'answers')
    one.attachDev(device, undefined)
    expect(machine.dma(read(0x10_0000n)).result).toBe('translated')
  })
  test('without memory nothing is left behind', () => {
    const machine = createAmdMachine({ endpoints })
    const driver = createAmdVi(machine, { hostAddressBits: 48, capabilityHeader: machine.capabilityHeader, lastDeviceId: 0x1ff })
    const before = [machine.memory.pages.live, driver.domainIdsInUse()]
    // Three levels of a GCR3 table, then nothing more.
    const codes = [1, 2, 3, 4].map((n) => {
      machine.fail.allocation(n)
      try {
        driver.probeDevice(device)
        driver.releaseDevice?.(device)
        return 'ok'
      } catch (error) {
        return errorCode(error)
      } finally {
        machine.fail.allocation(undefined)
        expect([machine.memory.pages.live, driver.domainIdsInUse()]).toEqual(before)
      }
    })
    expect(codes).toEqual(['ENOMEM', 'ENOMEM', 'ENOMEM', 'ok'])
  })
  test('a unit that cannot invalidate everything, and a source beyond the table, are refused', () => {
    expect(() => made({ invalidateAll: false })).toThrow('ENODEV: the unit has no INVALIDATE_IOMMU_ALL')
    expect(() => made({}, { name: 'far', requesterId: 0x200 })).toThrow('ENODEV: the device table has no entry for the source')
  })
})

describe('aliases and firmware', () => {
  test('DMA under every requester id of a device goes where the device goes', () => {
    const aliased: Device = { name: 'x', requesterId: 0x20, aliases: [0x21, 0x108] }
    for (const format of ['v1', 'v2-4', 'v2-5']) {
      const { machine, driver } = made({}, aliased)
      const domain = paging(driver, format, aliased)
      domain.attachDev(aliased, undefined)
      for (const source of [0x20, 0x21, 0x108]) expect(machine.dma(read(0x10_0000n, { source }))).toMatchObject({ address: 0x80_0000n })
      driver.blockedDomain?.attachDev(aliased, domain)
      for (const source of [0x20, 0x21, 0x108]) expect(machine.dma(read(0x10_0000n, { source })).result).toBe('blocked')
    }
  })
  test('what the firmware and the interrupt side have in an entry stays there', () => {
    const { machine, driver } = made({}, device, { firmware: new Map([[0x20, { NMIPass: 1, Lint1Pass: 1, SysMgt: 3 }]]) })
    const at = entryAt(machine, read(0n), 'amd.dte')
    const inMemory = (): bigint[] => Array.from({ length: 4 }, (_, index) => machine.memory.load64(at + BigInt(index * 8)))
    const interrupts = encode(deviceTableEntry, { IV: 1, IntTabLen: 9, IntTabRoot: 0x1_7000_0000n, IntCtl: 2 }, inMemory())
    machine.memory.store64(at + 16n, interrupts[2] as bigint)
    const states = [paging(driver, 'v1'), paging(driver, 'v2-5'), paging(driver, 'v2-4'), driver.identityDomain, driver.blockedDomain]
    for (const state of states) {
      state?.attachDev(device, undefined)
      expect(decode(deviceTableEntry, inMemory())).toMatchObject({
        NMIPass: 1, Lint1Pass: 1, SysMgt: 3, IV: 1, IntTabLen: 9, IntTabRoot: 0x1_7000_0000n, IntCtl: 2,
      })
    }
  })
})

describe('PASIDs', () => {
  test('under a requester id that has no room: refused before any store, in both directions', () => {
    const { machine, driver } = made()
    const [host, guest, deep] = [paging(driver, 'v1'), driver.domainAllocPaging?.(device, { pasid: true }) as PagingDomain, paging(driver, 'v2-5')]
    for (const crowded of [host, deep]) {
      crowded.attachDev(device, undefined)
      expect(() => guest.setDevPasid?.(device, 5, undefined)).toThrow('EINVAL: what the requester id has leaves no room for PASIDs')
      driver.blockedDomain?.attachDev(device, crowded)
    }
    guest.setDevPasid?.(device, 5, undefined)
    let stores = 0
    const stop = machine.observe(({ kind }) => { if (kind === 'store') stores++ })
    for (const crowded of [host, deep]) expect(() => crowded.attachDev(device, undefined)).toThrow('EBUSY: live PASIDs cannot go on')
    stop()
    expect(stores).toBe(0)
    driver.blockedDomain?.setDevPasid?.(device, 5, guest)
    host.attachDev(device, undefined)
  })
  test('without GIoV: blocked takes them along, and the next requester id with room brings them back', () => {
    const { machine, driver } = made({ guestIo: false })
    expect(driver.manifest).toMatchObject({ pasidsOutliveBlockedRid: false, pasidsUnder: ['identity'], formats: ['v1'], pasidFormats: ['v2-4'] })
    const guest = driver.domainAllocPaging?.(device, { format: 'v2-4', pasid: true }) as PagingDomain
    guest.mapPages(0x10_0000n, 0x90_0000n, 0x1000n, 1, { read: true, write: true })
    driver.identityDomain?.attachDev(device, undefined)
    guest.setDevPasid?.(device, 5, undefined)
    expect(machine.dma(read(0x10_0000n, { pasid: 5 }))).toMatchObject({ address: 0x90_0000n })
    driver.blockedDomain?.attachDev(device, driver.identityDomain)
    expect(code(machine, read(0x10_0000n, { pasid: 5 }))).toBe(EVENT_CODES.ioPageFault)
    expect(() => paging(driver, 'v1').attachDev(device, undefined)).toThrow('EBUSY')
    driver.identityDomain?.attachDev(device, driver.blockedDomain)
    expect(machine.dma(read(0x10_0000n, { pasid: 5 }))).toMatchObject({ address: 0x90_0000n })
    expect(() => guest.attachDev(device, undefined)).toThrow('EINVAL: the unit has no v2-4 for requester ids')
  })
  test.each([[8, 1], [9, 1], [16, 2], [20, 3]])('of %i bits are behind a GCR3 table of %i levels', (pasidWidth, levels) => {
    const machine = createAmdMachine({ endpoints: new Map([[0x20, { pasidWidth }]]) })
    const driver = createAmdVi(machine, { hostAddressBits: 48, capabilityHeader: machine.capabilityHeader, lastDeviceId: 0x1ff })
    driver.probeDevice(device)
    const guest = driver.domainAllocPaging?.(device, { pasid: true }) as PagingDomain
    guest.mapPages(0x10_0000n, 0x90_0000n, 0x1000n, 1, { read: true, write: true })
    const last = 2 ** pasidWidth - 1
    guest.setDevPasid?.(device, last, undefined)
    const { outcome, steps } = machine.walk(read(0x10_0000n, { pasid: last }))
    expect(outcome).toMatchObject({ address: 0x90_0000n })
    expect(steps.filter(({ entry }) => entry === 'amd.gcr3')).toHaveLength(levels)
    expect(() => guest.setDevPasid?.(device, last + 1, undefined)).toThrow('EINVAL: the PASID is beyond')
  })
  test('a process that has exited leaves nothing that answers, and says so in the manifest', () => {
    const { machine, driver } = made()
    const cpu = createCpuAddressSpace(machine.memory, 'process', cpuTables(48))
    cpu.map(0x10_0000n, 0x90_0000n)
    const domain = driver.domainAllocSva?.(device, cpu.space) as SvaDomain
    domain.setDevPasid(device, 7, undefined)
    expect(machine.dma(read(0x10_0000n, { pasid: 7 }))).toMatchObject({ address: 0x90_0000n, tag: 'domain 2 PASID 7' })
    cpu.end()
    expect(code(machine, read(0x10_0000n, { pasid: 7 }))).toBe(EVENT_CODES.ioPageFault)
    expect(driver.manifest.limits['silent exit']).toBeDefined()
  })
  test.each([
    [{ guest: false }, 'EOPNOTSUPP: the unit has no guest tables on PASIDs'],
    [{ notPresentCache: true }, 'EOPNOTSUPP: the unit keeps absent entries until they are flushed'],
  ])('SVA is refused on %j', (profile, why) => {
    const { machine, driver } = made(profile)
    const { space } = createCpuAddressSpace(machine.memory, 'process', cpuTables(48))
    expect(() => driver.domainAllocSva?.(device, space)).toThrow(why)
    expect(driver.manifest.sva).toEqual({ rid: false, pasid: false })
  })
})

describe('host tables', () => {
  test('grow while a device uses them, and what was mapped goes on', () => {
    const { machine, driver } = made()
    const domain = paging(driver, 'v1')
    domain.attachDev(device, undefined)
    const mode = (): number => {
      const at = entryAt(machine, read(0n), 'amd.dte')
      return decode(deviceTableEntry, Array.from({ length: 4 }, (_, index) => machine.memory.load64(at + BigInt(index * 8)))).Mode
    }
    expect(mode()).toBe(3)
    const seen = new Set<string>()
    for (const [address, levels] of [[1n << 39n, 4], [1n << 48n, 5], [(1n << 63n) + 0x1000n, 6]] as const) {
      const stop = machine.observe(() => seen.add(JSON.stringify(machine.outcomes(read(0x10_0000n)).map((each) => (each.result === 'translated' ? each.address.toString(16) : 'blocked')))))
      domain.mapPages(address, 0xa0_0000n, 0x1000n, 1, { read: true, write: true })
      stop()
      expect(mode()).toBe(levels)
      expect(machine.dma(read(address))).toMatchObject({ address: 0xa0_0000n })
    }
    expect([...seen]).toEqual(['["800000"]'])
  })
  test('leaves of every size but 512 GiB, and none is split', () => {
    const { machine, driver } = made()
    const domain = driver.domainAllocPaging?.(device, { format: 'v1' }) as PagingDomain
    domain.attachDev(device, undefined)
    for (const shift of [12, 13, 16, 20, 21, 22, 29, 30, 31, 38, 40, 47]) {
      const size = 1n << BigInt(shift)
      const at = 1n << 50n
      expect(domain.mapPages(at, size === 1n << 47n ? 0n : size, size, 1, { read: true, write: true }).error).toBeUndefined()
      expect(machine.dma(read(at + size - 8n))).toMatchObject({ address: (size === 1n << 47n ? 0n : size) + size - 8n, pageSize: size })
      expect(domain.unmapPages(at, size, 1, { start: 1n, end: 0n, pageSize: 0n, freed: [], queued: false })).toBe(size)
      domain.flushIotlbAll?.()
      expect(code(machine, read(at))).toBe(EVENT_CODES.ioPageFault)
    }
    expect(domain.pageSizes & (1n << 39n)).toBe(0n)
  })
})

describe('the event log', () => {
  test('says who, where and why, and starts again after an overflow', () => {
    const { machine, driver } = made({}, { ...device, ats: false })
    machine.dma(read(0x9000n, { access: 'write' }))
    machine.dma(read(0x9000n, { pasid: 0x12345 }))
    const { faults, overflow } = driver.readFaults()
    expect(faults).toMatchObject([
      { source: 0x20, address: 0x9000n, access: 'write', code: EVENT_CODES.ioPageFault },
      { source: 0x20, address: 0x9000n, access: 'read', code: 2, pasid: 0x12345 },
    ])
    expect(overflow).toBe(false)
    for (let n = 0; n < 300; n++) machine.dma(read(BigInt(n) * 0x1000n))
    const full = driver.readFaults()
    expect([full.faults.length, full.overflow]).toEqual([255, true])
    machine.dma(read(0x7000n))
    expect(driver.readFaults()).toMatchObject({ faults: [{ address: 0x7000n }], overflow: false })
  })
  test('is silent where SA asks for it, and still blocks', () => {
    const { machine, driver } = made()
    paging(driver, 'v1').attachDev(device, undefined)
    poke(machine, entryAt(machine, read(0x10_0000n), 'amd.dte') + 8n, (word) => word | (1n << 34n))
    expect(machine.dma(read(0x9000n))).toMatchObject({ result: 'blocked', fault: { code: 2, recorded: false } })
    expect(driver.readFaults().faults).toEqual([])
  })
})

const { illegalDevTableEntry: ILLEGAL, ioPageFault: FAULT, pageTabHardwareError: UNREADABLE } = EVENT_CODES

/** A case: which entry is changed and how, the code that a read then meets, and the flags of its event. */
type Wrong = readonly [what: string, layout: string, word: bigint, change: (word: bigint) => bigint, reads: number, flags?: Record<string, number>]

const wrong = (profile: Partial<Profile>, format: string | undefined, cases: readonly Wrong[]): void => {
  test.each(cases.map((each) => ({ name: each[0], each })))('$name', ({ each: [, layout, word, change, reads, flags] }) => {
    const plain = { ...device, ats: false }
    const { machine, driver } = made(profile, plain)
    if (format === undefined) driver.identityDomain?.attachDev(plain, undefined)
    else paging(driver, format, plain).attachDev(plain, undefined)
    expect(code(machine, read(0x10_0000n))).toBe('translated')
    poke(machine, entryAt(machine, read(0x10_0000n), layout) + word * 8n, change)
    expect(code(machine, read(0x10_0000n))).toBe(reads)
    if (flags === undefined) return
    const [event] = driver.readFaults().faults
    const logged: Entry = reads === ILLEGAL ? illegalDevTableEntryEvent : ioPageFaultEvent
    expect(decode(logged, event?.words ?? [])).toMatchObject(flags)
  })
}

describe('device table entries that are wrong', () => {
  // Reserved bits are checked by QEMU; that Mode 7 is illegal a header after revision 3.05 says. What else is illegal nothing outside confirms.
  wrong({ guest: false }, 'v1', [
    ['a reserved bit', 'amd.dte', 0n, (word) => word | 4n, ILLEGAL, { RZ: 1, RW: 0 }],
    ['bit 63', 'amd.dte', 0n, (word) => word | (1n << 63n), ILLEGAL, { RZ: 1 }],
    ['Mode 7', 'amd.dte', 0n, (word) => word | (7n << 9n), ILLEGAL, { RZ: 0 }],
    ['TV is 0', 'amd.dte', 0n, (word) => word & ~2n, FAULT, { PR: 0 }],
    ['IR is 0', 'amd.dte', 0n, (word) => word & ~(1n << 61n), FAULT, { PR: 1, PE: 1 }],
    ['HAD is 2', 'amd.dte', 0n, (word) => word | (2n << 7n), ILLEGAL],
    ['GV without guest tables', 'amd.dte', 0n, (word) => (word & ~0xe00n) | (1n << 55n), ILLEGAL],
    ['a root beyond the physical width', 'amd.dte', 0n, (word) => word | (1n << 50n), ILLEGAL],
  ])
  wrong({}, 'v2-4', [
    ['GLX is 3', 'amd.dte', 0n, (word) => word | (3n << 56n), ILLEGAL],
    ['a GuestPagingMode that there is not', 'amd.dte', 2n, (word) => word | (2n << 54n), ILLEGAL],
    ['GCR3[0] absent', 'amd.gcr3', 0n, () => 0n, FAULT, { GN: 1, PR: 0 }],
    ['GCR3[0] with a reserved bit', 'amd.gcr3', 0n, (word) => word | 2n, FAULT, { GN: 1, PR: 1, RZ: 1 }],
    ['guest leaf absent', 'amd.v2', 0n, () => 0n, FAULT, { GN: 1, PR: 0 }],
    ['guest leaf for supervisors', 'amd.v2', 0n, (word) => word & ~4n, FAULT, { GN: 1, PR: 1, PE: 1 }],
    ['guest leaf beyond the physical width', 'amd.v2', 0n, (word) => word | (1n << 50n), FAULT, { GN: 1, PR: 1, RZ: 1 }],
  ])
})

describe('host tables that are wrong', () => {
  wrong({ guest: false }, 'v1', [
    ['leaf absent', 'amd.v1', 0n, () => 0n, FAULT, { GN: 0, PR: 0, DomainID: 2 }],
    ['leaf without IR', 'amd.v1', 0n, (word) => word & ~(1n << 61n), FAULT, { PR: 1, PE: 1 }],
    ['a reserved bit', 'amd.v1', 0n, (word) => word | (1n << 58n), FAULT, { PR: 1, RZ: 1 }],
    ['NextLevel as high as its own level', 'amd.v1', 0n, (word) => word | (1n << 9n), FAULT, { PR: 1, RZ: 1 }],
    ['an address beyond the physical width', 'amd.v1', 0n, (word) => word | (1n << 50n), FAULT, { PR: 1, RZ: 1 }],
    ['root that is not memory', 'amd.dte', 0n, (word) => (word & ~0xffff_ffff_f000n) | 0x7000_0000_0000n, UNREADABLE],
  ])
  test('read-only pages, addresses too wide, requests with PASID, interrupts', () => {
    const { machine, driver } = made({ guest: false })
    paging(driver, 'v1').attachDev(device, undefined)
    expect([
      code(machine, read(0x10_0000n, { access: 'write' })), code(machine, read(1n << 39n)), code(machine, read(0x10_0000n, { pasid: 1 })),
      code(machine, read(0xfee0_0000n)), code(machine, read(0x10_0000n, { source: 0x400 })),
    ]).toEqual([FAULT, FAULT, FAULT, EVENT_CODES.invalidDeviceRequest, ILLEGAL])
  })
  test('V=0 passes everything through: that is no block', () => {
    const { machine, driver } = made({ guest: false })
    paging(driver, 'v1').attachDev(device, undefined)
    poke(machine, entryAt(machine, read(0x10_0000n), 'amd.dte'), (word) => word & ~1n)
    expect(machine.dma(read(0x1234_5000n, { access: 'write' }))).toMatchObject({ address: 0x1234_5000n })
  })
})

describe('ATS', () => {
  test('a translation that the device keeps is gone once its page is unmapped', () => {
    const { machine, driver } = made()
    for (const format of ['v1', 'v2-4']) {
      const domain = paging(driver, format)
      domain.attachDev(device, undefined)
      expect(machine.dma(read(0x10_0000n, { kind: 'translate' }))).toMatchObject({ address: 0x80_0000n })
      expect(machine.outcomes(read(0x10_0000n, { kind: 'translate' }))).toHaveLength(2)
      driver.blockedDomain?.attachDev(device, domain)
      expect(machine.outcomes(read(0x10_0000n, { kind: 'translate' }))).toMatchObject([{ result: 'blocked' }])
    }
  })
  test('is not served for a device that does not have it', () => {
    const plain: Device = { name: 'plain', requesterId: 0x20 }
    const { machine, driver } = made({}, plain)
    driver.identityDomain?.attachDev(plain, undefined)
    expect(code(machine, read(0x1000n, { kind: 'translate' }))).toBe(EVENT_CODES.invalidDeviceRequest)
    expect(code(machine, read(0x1000n, { kind: 'translated' }))).toBe(EVENT_CODES.invalidDeviceRequest)
    expect(machine.endpoint(0x20).config.enabled).toEqual({ pasid: true, ats: false, pri: false })
  })
})
