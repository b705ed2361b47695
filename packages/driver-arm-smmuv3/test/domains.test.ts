// What domains tell the hardware when their pages change, as literal commands, and what they say and refuse.
import { describe, expect, test } from 'vitest'
import { errorCode } from '@iommu/core'
import { requestsOf } from '../../../tools/driver-tests/dma.js'
import { map, placed, processOn, unmap } from '../../../tools/driver-tests/scene.js'
import { during, hex } from '../../../tools/driver-tests/spell.js'
import { passesAndIsLeft, unmapIsWarnedOf, unmappedByCpu } from '../../../tools/driver-tests/statements.js'
import { cpuTables } from '../src/backends.js'
import { defaultProfile } from '../src/model/index.js'
import { syncCommand } from '../src/tables/index.js'
import { ats, far, made, plain, read } from './scene.js'
import type { Made } from './scene.js'

/** The commands that hardware takes meanwhile, SYNCs as such. */
const told = ({ machine }: Made, act: () => void): string[] => during(machine, (event) =>
  (event.kind !== 'command' ? undefined : event.name === syncCommand.name ? 'SYNC' : hex(...event.words)), act)

describe('stage 1', () => {
  test('an unmap is told by the ASID, then to the device\'s TLB on each SSID, each waited for', () => {
    const all = made()
    const domain = placed(all, 'stage-1-4k', [ats, plain], 3)
    domain.setDevPasid?.(ats, 7, undefined)
    expect(told(all, () => { unmap(domain, 0x10_0000n, 1) })).toEqual([
      '0x1000000000012 0x100001', 'SYNC', '0x2000000040 0x100000', '0x2000007840 0x100000', 'SYNC',
    ])
    expect(told(all, () => { domain.flushIotlbAll?.() })).toEqual([
      '0x1000000000011 0x0', 'SYNC', '0x2000000040 0x34', '0x2000007840 0x34', 'SYNC',
    ])
  })
  test('refuses write-only pages, and is for PASIDs too', () => {
    const domain = made().paging('stage-1-4k')
    expect(errorCode(domain.mapPages(0n, 0n, 0x1000n, 1, { read: false, write: true }).error)).toBe('EINVAL')
    expect([domain.kind, domain.pasidCapable]).toEqual(['paging', true])
  })
})

describe('stage 2', () => {
  test('an unmap is told by the VMID', () => {
    const all = made()
    const domain = all.paging('stage-2-4k')
    domain.attachDev(plain, undefined)
    map(domain, 0x10_0000n, 3)
    expect(told(all, () => { unmap(domain, 0x10_0000n, 1) })).toEqual(['0x10000002a 0x100001', 'SYNC'])
    expect(told(all, () => { domain.flushIotlbAll?.() })).toEqual(['0x100000028 0x0', 'SYNC'])
  })
  test('takes write-only pages, and is for requester ids alone', () => {
    const domain = made().paging('stage-2-4k')
    expect(domain.mapPages(0n, 0n, 0x1000n, 1, { read: false, write: true })).toEqual({ mapped: 0x1000n })
    expect([domain.pasidCapable, domain.setDevPasid]).toEqual([false, undefined])
  })
})

describe('an id', () => {
  test.each([['stage-1-4k', '0x1000000000011 0x0'], ['stage-2-4k', '0x100000028 0x0']])('of %s is given back once nothing is cached under it', (format, flush) => {
    const all = made()
    const domain = all.paging(format, plain)
    domain.attachDev(plain, undefined)
    expect(all.driver.idsInUse()).toBe(1)
    expect(told(all, () => { all.driver.blockedDomain?.attachDev(plain, domain) }).slice(-2)).toEqual([flush, 'SYNC'])
    expect(all.driver.idsInUse()).toBe(0)
  })
  test.each([['stage-1-4k', 'ASID'], ['stage-2-4k', 'VMID']])('of %s stays taken where that is not known, and it is said', (format, name) => {
    const { driver, machine, warnings, paging } = made()
    const domain = paging(format, plain)
    domain.attachDev(plain, undefined)
    machine.fail.completions('never')
    driver.blockedDomain?.attachDev(plain, domain)
    expect(driver.idsInUse()).toBe(1)
    expect(warnings.at(-1)).toMatch(new RegExp(`^${name} 1 is lost: it could not be flushed: ENODEV: the SMMU does not complete commands`))
  })
  test('is not given up for an error that is none of the hardware\'s', () => {
    const { driver, machine, paging } = made()
    const domain = paging('stage-1-4k', plain)
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
    const domain = all.paging('stage-1-4k', plain)
    domain.attachDev(plain, undefined)
    map(domain, 0x20_0000n, 1)
    const entry = all.machine.walk(requestsOf(0x38)(0x20_0000n)).steps.at(-2)?.address
    unmap(domain, 0x20_0000n, 1)
    return during(all.machine, (event) => {
      if (event.kind === 'command') return hex(...event.words)
      if (event.kind !== 'store' || event.address !== entry) return undefined
      return event.after[0] === 0n ? 'broken' : 'made'
    }, () => domain.mapPages(0x20_0000n, 0x80_0000n, 0x20_0000n, 1, { read: true, write: true }))
  }
  const [flush, sync] = ['0x1000000900012 0x200400', '0x46 0x0']
  test('is done below level 2', () => {
    for (const level of [0, 1] as const) expect(replaced(level)).toEqual(['broken', flush, sync, 'made'])
  })
  test('and not from there on: what led to the table is flushed afterwards', () => expect(replaced(2)).toEqual(['made', flush, sync]))
})

describe('what is said', () => {
  test.each([['stage-1-4k', 'ASID'], ['stage-2-4k', 'VMID']])('of an unmap of %s that hardware has not completed', (format, name) => {
    unmapIsWarnedOf(made(), ats, format, new RegExp(`^${name} 1: an unmap may not have reached the hardware: ENODEV: the SMMU does not complete commands`))
  })
  test('of a domain that does not fit: EINVAL with the device, and nothing is told', () => {
    const all = made({}, { second: { stage2: false } })
    all.driver.probeDevice(far)
    const domain = all.paging('stage-2-4k')
    expect(told(all, () => { expect(() => { domain.attachDev(far, undefined) }).toThrow('EINVAL: the SMMU has no stage-2-4k (device far)') })).toEqual([])
  })
})

describe('identity', () => {
  test('is one object for requester ids, and can be left', () => {
    const all = made()
    passesAndIsLeft(all, plain, 'stage-1-4k')
    expect(all.driver.identityDomain?.setDevPasid).toBeUndefined()
  })
})

describe('a process', () => {
  const dma = read(0x10_0000n, { pasid: 7 })
  const bound = () => {
    const all = made()
    all.driver.identityDomain?.attachDev(ats, undefined)
    return processOn(all, cpuTables(defaultProfile), ats, 7)
  }
  test('what its CPU unmaps is told with the tables on the way', () => {
    expect(unmappedByCpu(bound(), dma, told)).toEqual(['0x1000000000012 0x100000', 'SYNC', '0x2000007840 0x100000', 'SYNC'])
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
