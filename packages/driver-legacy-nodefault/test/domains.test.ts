// What domains tell the hardware when their pages change, as literal writes, and what they say and refuse.
import { describe, expect, test } from 'vitest'
import type { PagingDomain } from '@iommu/core'
import type { HardwareEvent } from '@iommu/hardware'
import { requestsOf } from '../../../tools/driver-tests/dma.js'
import { map, unmap } from '../../../tools/driver-tests/scene.js'
import { during, hex } from '../../../tools/driver-tests/spell.js'
import { passesAndIsLeft, unmapIsWarnedOf } from '../../../tools/driver-tests/statements.js'
import { kinds } from '../src/backends.js'
import { createDriver } from '../src/kinds.js'
import type { KindName } from '../src/kinds.js'
import { made, one, two } from './scene.js'
import type { Made } from './scene.js'

/** A domain that the first device is on. */
const attached = (all: Made): PagingDomain => {
  const domain = all.paging()
  domain.attachDev(one, undefined)
  return domain
}

const spell = (event: HardwareEvent): string | undefined => {
  switch (event.kind) {
    case 'register': return `${hex(event.offset)}: ${hex(event.value)}`
    case 'command': return `${event.name} ${hex(...event.words)}`
    default: return undefined
  }
}
/** The register writes and instructions meanwhile. */
const told = ({ machine }: Pick<Made, 'machine'>, act: () => void): string[] => during(machine, spell, act)

describe('an unmap', () => {
  test('is told by pages, of every stream that is on the domain', () => {
    const all = made('omap')
    const domain = attached(all)
    map(domain, 0x10_0000n, 3)
    expect(told(all, () => { unmap(domain, 0x10_0000n, 1) })).toEqual(['0x2058: 0x100006', '0x2064: 0x1'])
    domain.attachDev(two, undefined)
    expect(told(all, () => { unmap(domain, 0x10_1000n, 2) })).toEqual([
      '0x2058: 0x101006', '0x2064: 0x1', '0x2058: 0x102006', '0x2064: 0x1', '0x2158: 0x101006', '0x2164: 0x1', '0x2158: 0x102006', '0x2164: 0x1',
    ])
  })
  test('of more than 64 pages is told as a whole', () => {
    const all = made('msm')
    const domain = attached(all)
    map(domain, 0x10_0000n, 200)
    expect(told(all, () => { unmap(domain, 0x10_0000n, 64) })).toHaveLength(64)
    expect(told(all, () => { unmap(domain, 0x14_0000n, 65) })).toEqual(['0x2800: 0x0'])
    expect(told(all, () => domain.flushIotlbAll?.())).toEqual(['0x2800: 0x0'])
  })
  test('names the lines of its entries, or all of them where a table went', () => {
    const all = made('tegra-smmu')
    const domain = attached(all)
    map(domain, 0x10_0000n, 1)
    map(domain, 0x40_0000n, 1024)
    // A line of the directory and one of the table, by address (bit 0); then the group of pages.
    const line = expect.stringMatching(/^0x34: 0x[0-9a-f]+1$/) as string
    expect(told(all, () => { unmap(domain, 0x40_0000n, 1) })).toEqual([line, line, '0x30: 0xa0000403'])
    // All lines, then everything, since the range is too long to name.
    expect(told(all, () => { unmap(domain, 0x40_1000n, 1023) })).toEqual(['0x34: 0x0', '0x30: 0xa0000000'])
  })
  test('of a domain that nobody is on is told nobody, and its tables go back', () => {
    const all = made('msm')
    const domain = all.paging()
    const before = all.machine.memory.pages.live
    map(domain, 0x10_0000n, 2)
    expect(told(all, () => {
      unmap(domain, 0x10_0000n, 2)
      domain.flushIotlbAll?.()
    })).toEqual([])
    expect(all.machine.memory.pages.live).toBe(before)
  })
  test('that the hardware refuses is said', () => {
    unmapIsWarnedOf(made('s390'), one, undefined, /^a flush did not complete: ENODEV: RPCIT is refused/)
  })
})

describe('a map', () => {
  test('is told where absent entries are kept, and where there is something', () => {
    const all = made('s390-guest')
    const domain = attached(all)
    map(domain, 0x10_0000n, 2)
    expect(told(all, () => { domain.iotlbSyncMap?.(0x10_0000n, 0x2000n) })).toEqual([expect.stringMatching(/^RPCIT .* 0x100000 0x2000$/)])
    expect(told(all, () => { domain.iotlbSyncMap?.(0x10_0000n, 0n) })).toEqual([])
  })
  test('is told Tegra30\'s SMMU too, by its lines and its group of pages', () => {
    const all = made('tegra-smmu')
    const domain = attached(all)
    map(domain, 0x10_0000n, 1)
    const line = expect.stringMatching(/^0x34: 0x[0-9a-f]+1$/) as string
    expect(told(all, () => { domain.iotlbSyncMap?.(0x10_0000n, 0x1000n) })).toEqual([line, line, '0x30: 0xa0000103'])
  })
  test('is told nobody otherwise', () => {
    const all = made('s390')
    const domain = attached(all)
    map(domain, 0x10_0000n, 2)
    expect(told(all, () => { domain.iotlbSyncMap?.(0x10_0000n, 0x2000n) })).toEqual([])
  })
})

describe('domains', () => {
  test('take an id where they are set, and give it back when the last device has left', () => {
    const { driver, paging } = made('msm')
    const domain = paging()
    const before = driver.idsInUse()
    domain.attachDev(one, undefined)
    domain.attachDev(two, undefined)
    expect(driver.idsInUse()).toBe(before + 1)
    for (const device of [one, two]) driver.blockedDomain?.attachDev(device, domain)
    expect(driver.idsInUse()).toBe(before)
  })
  test('are for requester ids alone', () => {
    const { driver: { identityDomain }, paging } = made('msm')
    const domain = paging()
    expect([domain.kind, domain.pasidCapable, domain.setDevPasid]).toEqual(['paging', false, undefined])
    expect([identityDomain?.kind, Object.isFrozen(identityDomain)]).toEqual(['identity', true])
  })
  test('whether pages can be write-only is their entries\' to say', () => {
    const mapped = (kind: KindName): bigint => made(kind).paging().mapPages(0n, 0n, 0x1000n, 1, { read: false, write: true }).mapped
    expect([mapped('tegra-smmu'), mapped('msm')]).toEqual([0x1000n, 0n])
  })
  test('identity passes, and can be left', () => passesAndIsLeft(made('msm'), one))
  test('identity is EINVAL where the hardware cannot pass', () => {
    const { driver } = made('s390-guest')
    expect(() => driver.identityDomain?.attachDev(one, undefined))
      .toThrow('EINVAL: the hardware cannot pass requests through (device one)')
  })
  test('there are none where there are no tables', () => {
    expect(() => made('fsl-pamu').paging()).toThrow('EOPNOTSUPP')
  })
})

describe('tegra-gart', () => {
  const START = 0x5800_0000n
  const read = requestsOf(0x20)
  const [before, inside] = [read(0x1000n), read(START + 0x1000n)]
  const ENTRIES = 8192
  test('begins with every page as itself, then is switched on and read', () => {
    const machine = kinds['tegra-gart'].createMachine({})
    const did = told({ machine }, () => { createDriver('tegra-gart', machine) })
    expect([did.length, did.slice(0, 4), did.slice(-3)]).toEqual([
      ENTRIES * 2 + 1, ['0x28: 0x58000000', '0x2c: 0xd8000000', '0x28: 0x58001000', '0x2c: 0xd8001000'], ['0x28: 0x59fff000', '0x2c: 0xd9fff000', '0x24: 0x1'],
    ])
    for (const request of [before, inside]) expect(machine.dma(request)).toMatchObject({ address: request.address })
  })
  test('a domain that is live reaches the chip with each store, and one that is not with a switch', () => {
    const all = made('tegra-gart')
    const [first, second] = [all.paging(), all.paging()] as const
    expect(told(all, () => { map(first, START + 0x1000n, 1) })).toEqual([])
    expect(told(all, () => { first.attachDev(one, undefined) })).toHaveLength(ENTRIES * 2)
    expect(told(all, () => { map(first, START + 0x2000n, 1) })).toEqual(['0x28: 0x58002000', '0x2c: 0xd8802000'])
    map(second, START + 0x1000n, 1)
    // Both have the first page alike: what differs is the second one.
    expect(told(all, () => { second.attachDev(two, undefined) })).toEqual(['0x28: 0x58002000', '0x2c: 0x0'])
    expect(told(all, () => { map(first, START + 0x3000n, 1) })).toEqual([])
    expect(told(all, () => { unmap(second, START + 0x1000n, 1) })).toEqual(['0x28: 0x58001000', '0x2c: 0x0'])
  })
  test('who leaves takes the other\'s tables along only if nobody is left', () => {
    const all = made('tegra-gart')
    const [first, second] = [all.paging(), all.paging()] as const
    map(first, START + 0x1000n, 1)
    first.attachDev(one, undefined)
    second.attachDev(two, undefined)
    // The first domain is live again, whose device is still on it.
    expect(told(all, () => all.driver.identityDomain?.attachDev(two, second))).toEqual(['0x28: 0x58001000', '0x2c: 0xd8801000'])
    expect(told(all, () => all.driver.identityDomain?.attachDev(one, first))).toHaveLength(ENTRIES * 2)
    expect(all.machine.dma(inside)).toMatchObject({ address: START + 0x1000n })
  })
  test('who was on a domain before and takes another one decides, whoever else is on one', () => {
    const all = made('tegra-gart')
    const [first, second, third] = [all.paging(), all.paging(), all.paging()] as const
    map(third, START + 0x1000n, 1)
    first.attachDev(one, undefined)
    second.attachDev(two, undefined)
    expect(told(all, () => { third.attachDev(one, first) })).toEqual(['0x28: 0x58001000', '0x2c: 0xd8801000'])
  })
  test('a fault has a direction', () => {
    const all = made('tegra-gart')
    all.paging().attachDev(one, undefined)
    for (const access of ['read', 'write'] as const) {
      all.machine.dma(read(START + 0x5000n, { access }))
      expect(told(all, () => {
        expect(all.driver.readFaults()).toEqual([{ code: 0x80, address: START + 0x5000n, access, meaning: 'invalid aperture entry' }])
      })).toEqual(['0x0: 0x80'])
    }
    expect(told(all, () => { expect(all.driver.readFaults()).toEqual([]) })).toEqual([])
  })
})
