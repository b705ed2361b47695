// What domains tell the hardware when their pages change, as literal descriptors, and what they say and refuse.
import { describe, expect, test } from 'vitest'
import { errorCode } from '@iommu/core'
import type { HardwareEvent } from '@iommu/hardware'
import { requestsOf } from '../../../tools/driver-tests/dma.js'
import { map, placed, processOn, unmap } from '../../../tools/driver-tests/scene.js'
import { during, hex } from '../../../tools/driver-tests/spell.js'
import { passesAndIsLeft, unmapIsWarnedOf, unmappedByCpu } from '../../../tools/driver-tests/statements.js'
import { cpuTables } from '../src/backends.js'
import type { Profile } from '../src/model/index.js'
import { OFFSETS, waitDescriptor } from '../src/tables/index.js'
import { ats, far, LEGACY, made, plain, read } from './scene.js'
import type { Made } from './scene.js'

const spell = (event: HardwareEvent): string | undefined => {
  if (event.kind === 'register') return event.offset === OFFSETS.GCMD ? `GCMD ${hex(event.value)}` : undefined
  if (event.kind !== 'command') return undefined
  return event.name === waitDescriptor.name ? 'wait' : hex(...event.words.slice(0, 2))
}
/** The descriptors that hardware takes meanwhile, waits as such. */
const told = ({ machine }: Made, act: () => void): string[] => during(machine, spell, act)

describe('a second stage', () => {
  test('an unmap is told by the domain id, then to the device\'s TLB on each PASID, each waited for', () => {
    const all = made()
    const domain = placed(all, 'second-stage-4', [ats, plain], 3)
    domain.setDevPasid?.(ats, 7, undefined)
    expect(told(all, () => unmap(domain, 0x10_0000n, 1))).toEqual([
      '0x200f2 0x100040', 'wait', '0x20001f0003 0x100000', '0x7002001f8 0x100000', 'wait',
    ])
    expect(told(all, () => domain.flushIotlbAll?.())).toEqual([
      '0x200e2 0x0', 'wait', '0x20001f0003 0x7ffffffffffff001', '0x7002001f8 0x7ffffffffffff800', 'wait',
    ])
  })
  test('can be enforced to snoop before the first page, where the unit has the bit', () => {
    const { paging } = made()
    const domain = paging('second-stage-4')
    expect(domain.enforceCacheCoherency?.()).toBe(true)
    const late = paging('second-stage-4')
    map(late, 0n, 1)
    expect(late.enforceCacheCoherency?.()).toBe(false)
    expect(made({ snoopControl: false }).paging('second-stage-4').enforceCacheCoherency?.()).toBe(false)
  })
  test('takes write-only pages, up to the unit\'s guest width', () => {
    const domain = made({ ...LEGACY, guestAddressBits: 39 }).paging('second-stage-4', plain)
    expect([domain.kind, domain.aperture]).toEqual(['paging', { start: 0n, end: (1n << 39n) - 1n }])
    const writable = { read: false, write: true }
    expect(domain.mapPages((1n << 39n) - 0x1000n, 0n, 0x1000n, 1, writable)).toEqual({ mapped: 0x1000n })
    const beyond = domain.mapPages((1n << 39n) - 0x1000n, 0n, 0x1000n, 2, writable)
    expect([beyond.mapped, beyond.error?.message]).toEqual([
      0n, 'ERANGE: the device address is wider than the unit takes (iova 0x7ffffff000, end 0x8000000fff)',
    ])
    expect(errorCode(domain.mapPages(1n << 39n, 0n, 0x1000n, 1, writable).error)).toBe('ERANGE')
  })
  test('of 3 levels ends where its tables do', () => {
    expect(made().paging('second-stage-3').aperture).toEqual({ start: 0n, end: (1n << 39n) - 1n })
  })
})

describe('a domain id', () => {
  test.each(['first-stage-4', 'second-stage-4'])('of %s is taken where it is set, and given back when the last point has left', (format) => {
    const { driver, paging } = made()
    const domain = paging(format)
    expect(driver.domainIdsInUse()).toBe(0)
    domain.attachDev(ats, undefined)
    domain.attachDev(plain, undefined)
    expect(driver.domainIdsInUse()).toBe(1)
    for (const device of [ats, plain]) driver.blockedDomain?.attachDev(device, domain)
    expect(driver.domainIdsInUse()).toBe(0)
  })
})

describe('a first stage', () => {
  test('an unmap is told for each PASID that the domain is on, and one is told once', () => {
    const all = made()
    const domain = placed(all, 'first-stage-4', [ats, plain], 3)
    domain.setDevPasid?.(ats, 7, undefined)
    expect(told(all, () => unmap(domain, 0x10_0000n, 1))).toEqual([
      '0x20036 0x100040', '0x700020036 0x100040', 'wait', '0x20001f0003 0x100000', '0x7002001f8 0x100000', 'wait',
    ])
    expect(told(all, () => domain.flushIotlbAll?.())).toEqual([
      '0x20026 0x0', '0x700020026 0x0', 'wait', '0x20001f0003 0x7ffffffffffff001', '0x7002001f8 0x7ffffffffffff800', 'wait',
    ])
  })
  test('an unmap that puts a table out of use takes what leads to it along', () => {
    const all = made()
    const domain = all.paging('first-stage-4', plain)
    domain.attachDev(plain, undefined)
    map(domain, 0n, 512)
    expect(told(all, () => unmap(domain, 0n, 512))).toEqual(['0x20036 0x9', 'wait'])
  })
  test('is made to snoop in the entries of the points that it is on and of those to come', () => {
    const all = made()
    const domain = placed(all, 'first-stage-4', [ats], 1)
    const snoops = (requesterId: number): boolean => all.machine.walk(requestsOf(requesterId)(0x10_0000n))
      .steps.some(({ entry, words }) => entry === 'vtd.pasid' && ((words[1] as bigint) >> 24n & 1n) === 1n)
    expect([snoops(0x20), domain.enforceCacheCoherency?.(), snoops(0x20)]).toEqual([false, true, true])
    domain.attachDev(plain, undefined)
    expect(snoops(0x38)).toBe(true)
    expect(made({ snoopControl: false }).paging('first-stage-4').enforceCacheCoherency?.()).toBe(false)
  })
  test('ends where its tables do, whatever the unit says of guest addresses', () => {
    const domain = made({ guestAddressBits: 39 }).paging('first-stage-4')
    expect(domain.aperture).toEqual({ start: 0n, end: (1n << 47n) - 1n })
    expect(domain.mapPages(1n << 40n, 0n, 0x1000n, 1, { read: true, write: true })).toEqual({ mapped: 0x1000n })
  })
  test('refuses write-only pages', () => {
    const domain = made().paging('first-stage-4')
    expect(errorCode(domain.mapPages(0n, 0n, 0x1000n, 1, { read: false, write: true }).error)).toBe('EINVAL')
    expect(domain.pasidCapable).toBe(true)
  })
})

describe('a map', () => {
  const mapped = (profile: Partial<Profile>, format: string, size = 0x2000n): string[] => {
    const all = made(profile)
    const domain = placed(all, format, [plain], 2)
    return told(all, () => domain.iotlbSyncMap?.(0x10_0000n, size))
  }
  test('is told in caching mode, of a second stage, tables on the way included', () => {
    expect(mapped({ cachingMode: true }, 'second-stage-4')).toEqual(['0x200f2 0x100001', 'wait'])
    expect(mapped({ cachingMode: true }, 'first-stage-4')).toEqual([])
  })
  test('flushes the write buffer where the unit needs it', () => {
    expect(mapped({ writeBufferFlush: true }, 'second-stage-4')).toEqual(['GCMD 0x8c000000'])
    expect(mapped({ writeBufferFlush: true, cachingMode: true }, 'second-stage-4')).toEqual(['0x200f2 0x100001', 'wait'])
    expect(mapped({}, 'second-stage-4')).toEqual([])
  })
  test('of nothing is nothing', () => {
    expect(mapped({ cachingMode: true }, 'second-stage-4', 0n)).toEqual([])
    expect(mapped({ writeBufferFlush: true }, 'second-stage-4', 0n)).toEqual([])
  })
})

describe('what is said', () => {
  test('of an unmap that hardware has not completed', () => {
    unmapIsWarnedOf(made(), ats, 'first-stage-4', /^domain 2: an unmap may not have reached the hardware: ENODEV: the unit does not complete invalidations/)
  })
  test('of a domain that does not fit: EINVAL with the device, and nothing is told', () => {
    const all = made({}, { second: { levels: [3, 4] } })
    all.driver.probeDevice(far)
    const domain = all.paging('second-stage-5')
    expect(told(all, () => expect(() => domain.attachDev(far, undefined)).toThrow('EINVAL: the unit has no second-stage-5 (device far)'))).toEqual([])
  })
})

describe('identity', () => {
  const dma = requestsOf(0x38)(0x1234_5000n, { access: 'write' })
  test('passes through where the unit can, on PASIDs too, and can be left', () => {
    const all = made()
    all.driver.identityDomain?.setDevPasid?.(ats, 7, undefined)
    expect(all.machine.dma(read(0x1234_5000n, { pasid: 7 }))).toMatchObject({ address: 0x1234_5000n })
    passesAndIsLeft(all, plain, 'first-stage-4')
  })
  test('is a table of the largest pages where it cannot, one for each unit', () => {
    const { driver, machine } = made({ passThrough: false, hostAddressBits: 39 })
    const before = machine.memory.pages.live
    driver.identityDomain?.attachDev(plain, undefined)
    const after = machine.memory.pages.live
    // A root, and one table of 512 times 1 GiB.
    expect(after - before).toBe(2)
    driver.identityDomain?.attachDev(ats, undefined)
    expect(machine.memory.pages.live).toBe(after)
    for (const address of [0n, 0x1234_5000n, (1n << 39n) - 0x1000n]) expect(machine.dma({ ...dma, address })).toMatchObject({ address })
    expect(machine.dma({ ...dma, address: 1n << 39n }).result).toBe('blocked')
  })
  test('leaves nothing behind where memory does not reach', () => {
    const { driver, machine } = made({ passThrough: false, hostAddressBits: 39 })
    const before = machine.memory.pages.live
    machine.fail.allocation(2)
    expect(() => driver.identityDomain?.attachDev(plain, undefined)).toThrow('ENOMEM')
    expect(machine.memory.pages.live).toBe(before)
    driver.identityDomain?.attachDev(plain, undefined)
    expect(machine.dma(dma)).toMatchObject({ address: 0x1234_5000n })
  })
  test('is refused where that would be too many', () => {
    const { driver } = made({ ...LEGACY, passThrough: false, largePages: false, hugePages: false })
    expect(() => driver.identityDomain?.attachDev(plain, undefined))
      .toThrow('EINVAL: the unit cannot pass through, and its pages are too small for 1:1 tables')
  })
})

describe('a process', () => {
  const dma = read(0x10_0000n, { pasid: 7 })
  const bound = () => processOn(made(), cpuTables(46), ats, 7)
  test('what its CPU unmaps is told with the tables on the way', () => {
    expect(unmappedByCpu(bound(), dma, told)).toEqual(['0x700010036 0x100000', 'wait', '0x7002001f8 0x100000', 'wait'])
  })
  test('takes no domain id, and ends for good', () => {
    const all = bound()
    expect(all.driver.domainIdsInUse()).toBe(0)
    all.cpu.end()
    expect(() => all.domain.setDevPasid(ats, 8, undefined)).toThrow('EINVAL: the address space has ended (device ats)')
    expect(all.machine.dma(dma)).toMatchObject({ result: 'blocked', fault: { recorded: false } })
  })
})
