// What domains tell the hardware when their pages change, as literal commands, and what they say and refuse.
import { describe, expect, test } from 'vitest'
import { errorCode } from '@iommu/core'
import { placed, processOn, unmap } from '../../../tools/driver-tests/scene.js'
import { during, hex } from '../../../tools/driver-tests/spell.js'
import { passesAndIsLeft, unmapIsWarnedOf, unmappedByCpu } from '../../../tools/driver-tests/statements.js'
import { cpuTables } from '../src/backends.js'
import { defaultProfile } from '../src/model/index.js'
import { fence } from '../src/tables/index.js'
import { ats, far, made, NO_PASIDS, plain, read } from './scene.js'
import type { Made } from './scene.js'

/** The commands that hardware takes meanwhile, fences as such. */
const told = ({ machine }: Made, act: () => void): string[] => during(machine, (event) =>
  (event.kind !== 'command' ? undefined : event.name === fence.name ? 'fence' : hex(...event.words)), act)

describe('a first stage', () => {
  test('an unmap is told by the PSCID, then to the device\'s TLB on each PASID, each waited for', () => {
    const all = made()
    const domain = placed(all, 'sv48', [ats, plain], 3)
    domain.setDevPasid?.(ats, 7, undefined)
    expect(told(all, () => { unmap(domain, 0x10_0000n, 1) })).toEqual([
      '0x100001401 0x40000', 'fence', '0x1100000000004 0x100000', '0x1100100007004 0x100000', 'fence',
    ])
    expect(told(all, () => { domain.flushIotlbAll?.() })).toEqual([
      '0x100001001 0x0', 'fence', '0x1100000000004 0x7ffffffffffff800', '0x1100100007004 0x7ffffffffffff800', 'fence',
    ])
  })
  test('refuses write-only pages, is for PASIDs too, and says nothing new of coherency', () => {
    const domain = made().paging('sv48')
    expect(errorCode(domain.mapPages(0n, 0n, 0x1000n, 1, { read: false, write: true }).error)).toBe('EINVAL')
    expect([domain.kind, domain.pasidCapable, domain.enforceCacheCoherency?.()]).toEqual(['paging', true, false])
  })
})

describe('a second stage', () => {
  test('an unmap is told by the GSCID', () => {
    const all = made(NO_PASIDS)
    const domain = placed(all, 'sv48x4', [plain], 3)
    expect(told(all, () => { unmap(domain, 0x10_0000n, 1) })).toEqual(['0x100200000481 0x40000', 'fence'])
    expect(told(all, () => { domain.flushIotlbAll?.() })).toEqual(['0x100200000081 0x0', 'fence'])
    expect([domain.pasidCapable, domain.setDevPasid]).toEqual([false, undefined])
  })
})

describe('an identifier', () => {
  test.each([['sv48', '0x100001001 0x0'], ['sv48x4', '0x100200000081 0x0']])('of %s is given back once nothing is cached under it', (format, flush) => {
    const all = made(NO_PASIDS)
    const domain = all.paging(format, plain)
    const before = all.driver.identifiersInUse()
    domain.attachDev(plain, undefined)
    expect(all.driver.identifiersInUse()).toBe(before + 1)
    expect(told(all, () => { all.driver.blockedDomain?.attachDev(plain, domain) }).slice(-2)).toEqual([flush, 'fence'])
    expect(all.driver.identifiersInUse()).toBe(before)
  })
  test('is not given up for an error that is none of the hardware\'s', () => {
    const { driver, machine, paging } = made(NO_PASIDS)
    const domain = paging('sv48', plain)
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
    const domain = all.paging('sv48')
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
    unmapIsWarnedOf(made(), ats, 'sv48', /^identifier 1: an unmap may not have reached the hardware: ENODEV: the unit does not complete commands/)
  })
  test('of a domain that does not fit: EINVAL with the device, and nothing is told', () => {
    const all = made({}, { second: { firstStage: [3] } })
    all.driver.probeDevice(far)
    const domain = all.paging('sv48')
    expect(told(all, () => { expect(() => { domain.attachDev(far, undefined) }).toThrow('EINVAL: the unit has no sv48 (device far)') })).toEqual([])
  })
})

describe('identity', () => {
  test('passes through on requester ids and PASIDs, and can be left', () => {
    const all = made()
    all.driver.identityDomain?.setDevPasid?.(ats, 7, undefined)
    expect(all.machine.dma(read(0x1234_5000n, { pasid: 7 }))).toMatchObject({ address: 0x1234_5000n })
    passesAndIsLeft(all, plain, 'sv48')
  })
})

describe('a process', () => {
  const dma = read(0x10_0000n, { pasid: 7 })
  const bound = () => processOn(made(), cpuTables(defaultProfile), ats, 7)
  test('what its CPU unmaps takes the tables on the way along: everything under its PSCID', () => {
    expect(unmappedByCpu(bound(), dma, told)).toEqual(['0x100001001 0x0', 'fence', '0x1100100007004 0x100000', 'fence'])
  })
  test('is refused behind a unit that could not walk its tables', () => {
    const all = made({}, { second: { firstStage: [3] } })
    all.driver.probeDevice(far)
    const { domain } = all.process(cpuTables(defaultProfile))
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
