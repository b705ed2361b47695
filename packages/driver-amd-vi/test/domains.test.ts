// What domains tell the hardware when their pages change, as literal commands, and what they say and refuse.
import { describe, expect, test } from 'vitest'
import { decode } from '@iommu/bits'
import { errorCode } from '@iommu/core'
import { entryAt, requestsOf, wordsAt } from '../../../tools/driver-tests/dma.js'
import { map, placed, processOn, unmap } from '../../../tools/driver-tests/scene.js'
import { during, hex } from '../../../tools/driver-tests/spell.js'
import { passesAndIsLeft, unmapIsWarnedOf, unmappedByCpu } from '../../../tools/driver-tests/statements.js'
import { cpuTables } from '../src/backends.js'
import { completionWait, deviceTableEntry, EVENT_CODES } from '../src/tables/index.js'
import { ats, code, far, made, plain, read } from './scene.js'
import type { Made } from './scene.js'

/** The commands that hardware takes meanwhile, waits as such. */
const told = ({ machine }: Made, act: () => void): string[] => during(machine, (event) =>
  (event.kind !== 'command' ? undefined : event.name === completionWait.name ? 'wait' : hex(...event.words)), act)

const ofPlain = requestsOf(0x38)

describe('host tables', () => {
  test('an unmap is told by the domain\'s own id, then to the device\'s TLB, each waited for', () => {
    const all = made()
    const domain = placed(all, 'v1', [ats, plain], 3)
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
    const domain = all.paging('v1', plain)
    domain.attachDev(plain, undefined)
    map(domain, 0n, 512)
    // PDE and S over 2 MiB.
    expect(told(all, () => unmap(domain, 0n, 512))[0]).toMatch(/^0x3000000.00000000 0xff003$/)
  })
  test('begin with three levels; with a fourth every device is pointed to the new root, and no translation is flushed', () => {
    const all = made()
    const domain = all.paging('v1', plain)
    domain.attachDev(plain, undefined)
    map(domain, 0n, 1)
    const dte = (): bigint => all.machine.walk(ofPlain(0n)).steps[0]?.words[0] as bigint
    expect((dte() >> 9n) & 7n).toBe(3n)
    expect(told(all, () => map(domain, 1n << 40n, 1))).toEqual(['0x2000000000000038 0x0', 'wait', expect.stringMatching(/^0x3000000.00000000 0x7f/), 'wait'])
    expect((dte() >> 9n) & 7n).toBe(4n)
    expect(all.machine.dma(ofPlain(1n << 40n, { access: 'write' }))).toMatchObject({ result: 'translated' })
  })
  test('take a domain id where they are set, and give it back when the last point has left', () => {
    const { driver, paging } = made()
    const before = driver.domainIdsInUse()
    const domain = paging('v1', plain)
    expect(driver.domainIdsInUse()).toBe(before)
    domain.attachDev(plain, undefined)
    expect(driver.domainIdsInUse()).toBe(before + 1)
    driver.blockedDomain?.attachDev(plain, domain)
    expect(driver.domainIdsInUse()).toBe(before)
  })
  test('refuse nothing that can be written, enforce coherency from the beginning, and are for requester ids alone', () => {
    const domain = made().paging('v1')
    expect(domain.mapPages(0n, 0n, 0x1000n, 1, { read: false, write: true })).toEqual({ mapped: 0x1000n })
    expect([domain.kind, domain.enforceCacheCoherency?.(), domain.pasidCapable, domain.setDevPasid]).toEqual(['paging', true, false, undefined])
  })
  test('grow while a device uses them, and what was mapped goes on', () => {
    const { machine, readable } = made()
    const domain = readable('v1')
    domain.attachDev(ats, undefined)
    const mode = (): number => decode(deviceTableEntry, wordsAt(machine, entryAt(machine, read(0n), 'amd.dte'), 4)).Mode
    expect(mode()).toBe(3)
    const seen = new Set<string>()
    for (const [address, levels] of [[1n << 39n, 4], [1n << 48n, 5], [(1n << 63n) + 0x1000n, 6]] as const) {
      const stop = machine.observe(() => seen.add(JSON.stringify(machine.outcomes(read(0x10_0000n)).map((each) => (each.result === 'translated' ? each.address.toString(16) : 'blocked')))))
      map(domain, address, 1, 0xa0_0000n)
      stop()
      expect(mode()).toBe(levels)
      expect(machine.dma(read(address))).toMatchObject({ address: 0xa0_0000n })
    }
    expect([...seen]).toEqual(['["800000"]'])
  })
  test('leaves of every size but 512 GiB, and none is split', () => {
    const { machine, paging } = made()
    const domain = paging('v1')
    domain.attachDev(ats, undefined)
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

describe('guest tables', () => {
  test('an unmap is told for each point that the domain is on, by the device\'s id and its PASID', () => {
    const all = made()
    const domain = placed(all, 'v2-4', [ats], 3)
    domain.setDevPasid?.(ats, 7, undefined)
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
    const { paging } = made()
    const domain = paging('v2-4')
    expect(errorCode(domain.mapPages(0n, 0n, 0x1000n, 1, { read: false, write: true }).error)).toBe('EINVAL')
    expect([domain.enforceCacheCoherency, domain.pasidCapable]).toEqual([undefined, true])
    expect(paging('v2-5').pasidCapable).toBe(false)
  })
})

describe('a map', () => {
  test('is told only where absent entries are kept, and only where there is one', () => {
    const all = made({ notPresentCache: true })
    const domain = placed(all, 'v1', [plain], 2)
    expect(told(all, () => domain.iotlbSyncMap?.(0x10_0000n, 0x2000n))).toEqual([expect.stringMatching(/^0x3000000.00000000 0x100003$/), 'wait'])
    expect(told(all, () => domain.iotlbSyncMap?.(0x10_0000n, 0n))).toEqual([])
    const other = made()
    const silent = other.paging('v1', plain)
    silent.attachDev(plain, undefined)
    expect(told(other, () => silent.iotlbSyncMap?.(0x10_0000n, 0x2000n))).toEqual([])
  })
})

describe('what is said', () => {
  test('of an unmap that hardware has not completed', () => {
    unmapIsWarnedOf(made(), ats, 'v1', /^an unmap may not have reached the hardware: ENODEV: the unit does not complete commands/)
  })
  test('of a domain that does not fit: EINVAL with the device, and nothing is told', () => {
    const all = made({}, { second: { hostLevels: 4 } })
    all.driver.probeDevice(far)
    const domain = all.paging('v1')
    expect(told(all, () => expect(() => domain.attachDev(far, undefined)).toThrow('EINVAL: the unit has host tables of fewer levels (device far)'))).toEqual([])
  })
})

describe('identity', () => {
  test('is one object for requester ids, and can be left', () => {
    const all = made()
    passesAndIsLeft(all, plain, 'v1')
    expect(all.driver.identityDomain?.setDevPasid).toBeUndefined()
  })
})

describe('a process', () => {
  const bound = () => processOn(made(), cpuTables(48), ats, 7)
  const dma = read(0x10_0000n, { pasid: 7 })
  test('what its CPU unmaps is told with the tables on the way', () => {
    expect(unmappedByCpu(bound(), dma, told)).toEqual(['0x3000000200000007 0x100006', 'wait', '0x400700201f000020 0x100004', 'wait'])
  })
  test('when it ends its PASID is blocked, and can be set again', () => {
    const all = bound()
    all.cpu.map(0x10_0000n, 0x90_0000n)
    all.cpu.end()
    expect(all.machine.dma(dma).result).toBe('blocked')
    expect(() => all.domain.setDevPasid(ats, 8, undefined)).toThrow('EINVAL: the address space has ended (device ats)')
    const domain = all.paging('v2-4')
    map(domain, 0x10_0000n, 1)
    domain.setDevPasid?.(ats, 7, all.domain)
    expect(all.machine.dma(dma)).toMatchObject({ address: 0x90_0000n })
  })
})
