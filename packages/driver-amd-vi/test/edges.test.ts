// The driver at the edges of what ids can be, and on a unit whose registers say the least that they may.
import { describe, expect, test } from 'vitest'
import { expectPasidsEnd, expectRequestersEnd } from '../../../tools/driver-tests/edges.js'
import { createAmdVi } from '../src/index.js'
import { createAmdMachine } from '../src/model/index.js'
import { ats, made, read } from './scene.js'

const readFrom = (source: number): ReturnType<typeof read> => ({ ...read(0x10_0000n), source })

describe('ids at their edges', () => {
  test('sources behind the last device id abort too, as far as the table goes in whole pages', () => {
    const { machine } = made({}, { devices: [], options: { lastDeviceId: 0x20 } })
    for (const source of [0, 0x20, 0x21, 0x7f]) expect(machine.dma(readFrom(source))).toMatchObject({ result: 'blocked', fault: { name: 'IO_PAGE_FAULT' } })
    expect(machine.dma(readFrom(0x80))).toMatchObject({ result: 'blocked', fault: { name: 'ILLEGAL_DEV_TABLE_ENTRY' } })
  })
  test('a source beyond the table, or before it, is refused', () =>
    expectRequestersEnd(made({}, { devices: [] }), { requesterId: 0x200, says: 'ENODEV: the device table has no entry for the source' }))
  test('device ids have 16 bits', () => {
    const machine = createAmdMachine()
    const options = { hostAddressBits: 48, capabilityHeader: machine.capabilityHeader }
    for (const lastDeviceId of [0x1_0000, -1]) expect(() => createAmdVi(machine, { ...options, lastDeviceId })).toThrow('EINVAL: a device id has 16 bits')
  })
  test('PASIDs: the last one fits, the next one is refused', () =>
    expectPasidsEnd(made(), ats, 'EINVAL: the PASID is beyond what device and unit have'))
  test('more PASIDs than the command buffer has entries go with their device, and nothing is left in its TLB', () => {
    const warnings: string[] = []
    // Without GIoV a blocked entry leaves no room for PASIDs.
    const { driver, paging } = made({ guestIo: false }, { options: { warn: (sentence) => warnings.push(sentence) } })
    driver.identityDomain?.attachDev(ats, undefined)
    const domain = paging('v2-4')
    for (let pasid = 1; pasid <= 300; pasid++) domain.setDevPasid?.(ats, pasid, undefined)
    driver.blockedDomain?.attachDev(ats, undefined)
    expect(warnings).toEqual([])
  })
})

describe('registers that say little', () => {
  test('a unit of host tables alone, without ATS', () => {
    const { machine, driver, readable } = made({ guest: false, guestIo: false, deviceTlb: false, noExecute: false, hostDirty: false, hostLevels: 4 })
    expect(driver.manifest.formats).toEqual(['v1'])
    expect(driver.maxPasids?.(ats)).toBe(0)
    readable('v1').attachDev(ats, undefined)
    expect(machine.dma(read(0x10_0000n))).toMatchObject({ result: 'translated' })
  })
  test('a unit without any tables passes and blocks', () => {
    const { machine, driver, paging } = made({ guest: false, guestIo: false, hostLevels: 0 })
    expect(driver.manifest.formats).toEqual([])
    expect(() => paging()).toThrow('EOPNOTSUPP')
    driver.identityDomain?.attachDev(ats, undefined)
    expect(machine.dma(read(0x10_0000n))).toMatchObject({ result: 'translated', address: 0x10_0000n })
  })
})

describe('what a block leaves of ATS', () => {
  test('a request that a device calls translated passes where it has PASIDs, by I; without them it does not', () => {
    const translated = { ...read(0x10_0000n), kind: 'translated' } as const
    expect(made().machine.dma(translated)).toMatchObject({ result: 'translated', attributes: { stage: 'ats' } })
    expect(made({ pasidBits: 20, guest: false }).machine.dma(translated)).toMatchObject({ result: 'blocked', fault: { name: 'INVALID_DEVICE_REQUEST' } })
    expect(made().machine.dma(read(0x10_0000n))).toMatchObject({ result: 'blocked' })
  })
})
