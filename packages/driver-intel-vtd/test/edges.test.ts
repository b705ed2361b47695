// The driver at the edges of what ids can be, and on a unit whose registers say the least that they may.
import { describe, expect, test } from 'vitest'
import { expectIdsEnd, expectPasidsEnd } from '../../../tools/driver-tests/edges.js'
import { createIntelVtd } from '../src/index.js'
import { capabilityWords, createVtdMachine, defaultProfile } from '../src/model/index.js'
import { readCapabilities } from '../src/tables/index.js'
import { ats, made, read } from './scene.js'

describe('ids at their edges', () => {
  test.each([['scalable', true], ['legacy', false]] as const)('a requester id of more than 16 bits is refused in %s mode, and nothing is stored', (_mode, scalable) => {
    const { machine, driver } = made({ scalable }, { devices: [] })
    const stores: unknown[] = []
    machine.observe((event) => { if (event.kind === 'store') stores.push(event) })
    for (const requesterId of [0x1_0000, -1]) {
      expect(() => driver.probeDevice({ name: 'far', requesterId })).toThrow('EINVAL: a requester id has 16 bits')
    }
    expect(stores).toEqual([])
    expect(() => driver.probeDevice({ ...ats, aliases: [0x1_0000] })).toThrow('EINVAL: a requester id has 16 bits')
  })
  test('the highest requester id is one like any other', () => {
    const { driver } = made({}, { devices: [] })
    driver.probeDevice({ name: 'last', requesterId: 0xffff })
  })
  test('domain ids run out as ENOSPC, and are used again', () => {
    const scene = made({ domainIdClass: 0 })
    // 16 ids less those of absent entries and of identity.
    expectIdsEnd(scene, ats, 14, 'ENOSPC: no domain id is left')
    expect(scene.driver.domainIdsInUse()).toBe(14)
  })
  test('PASIDs: the last one fits, the next one is refused', () =>
    expectPasidsEnd(made(), ats, 'EINVAL: the PASID is beyond what device and unit have'))
})

describe('registers that say little', () => {
  test('without any second-stage width a unit has first stages of 4 levels, told as such (Linux, __iommu_calculate_sagaw)', () => {
    const { machine, driver, readable } = made({ levels: [], secondStage: false, fiveLevelFirstStage: false })
    readable('first-stage-4').attachDev(ats, undefined)
    expect(machine.dma(read(0x10_0000n))).toMatchObject({ result: 'translated' })
    driver.identityDomain?.attachDev(ats, undefined)
    expect(machine.dma(read(0x10_0000n))).toMatchObject({ result: 'translated', address: 0x10_0000n })
  })
  test('without any width a unit cannot be used', () => {
    for (const profile of [{ levels: [], scalable: false }, { levels: [], firstStage: false }]) {
      expect(() => createIntelVtd(createVtdMachine({ profile }), { hostAddressBits: 46 })).toThrow('ENODEV: the unit has tables of no width')
    }
  })
  test('ND has a reserved value, and domain ids have 16 bits', () => {
    const { cap, ecap } = capabilityWords({ ...defaultProfile, domainIdClass: 7 })
    expect(readCapabilities(cap, ecap).domainIds).toBe(0x1_0000)
  })
})

describe('what a block leaves of ATS', () => {
  test('a request that a device calls translated passes in scalable mode, by DTE; in legacy mode it does not', () => {
    const translated = { ...read(0x10_0000n), kind: 'translated' } as const
    expect(made().machine.dma(translated)).toMatchObject({ result: 'translated', attributes: { stage: 'ats' } })
    expect(made({ scalable: false }).machine.dma(translated)).toMatchObject({ result: 'blocked' })
    expect(made().machine.dma(read(0x10_0000n))).toMatchObject({ result: 'blocked' })
  })
})
