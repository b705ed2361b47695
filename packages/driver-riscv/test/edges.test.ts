// The driver at the edges of what ids can be, and on a unit whose register says the least that it may.
import { describe, expect, test } from 'vitest'
import { expectPasidsEnd, expectRequestersEnd } from '../../../tools/driver-tests/edges.js'
import { ats, made, read } from './scene.js'

describe('ids at their edges', () => {
  test.each([[1, 0x3f], [2, 0x7fff]] as const)('requester ids of a %i-level directory: the last one is one like any other, the next one and negative ones are refused', (directoryLevels, last) => {
    expectRequestersEnd(made({ directoryLevels }, { devices: [] }), { requesterId: last + 1, says: 'EINVAL: the requester id is beyond the device directory' })
  })
  test('PASIDs: the last one fits, the next one is refused', () =>
    expectPasidsEnd(made(), ats, 'EINVAL: the PASID is beyond what device and unit have'))
})

describe('a register that says little', () => {
  test('Sv39 alone, in the base format', () => {
    const { machine, driver, readable } = made({
      extended: false, directoryLevels: 2, firstStage: [3], secondStage: [], processLevels: [], ats: false, memoryTypes: false, physicalBits: 34,
    })
    expect(driver.manifest.formats).toEqual(['sv39'])
    expect(driver.maxPasids?.(ats)).toBe(0)
    readable('sv39').attachDev(ats, undefined)
    expect(machine.dma(read(0x10_0000n))).toMatchObject({ result: 'translated' })
  })
  test('no tables at all: the unit passes and blocks', () => {
    const { machine, driver, paging } = made({ firstStage: [], secondStage: [] })
    expect(driver.manifest.formats).toEqual([])
    expect(() => paging()).toThrow('EOPNOTSUPP')
    driver.identityDomain?.attachDev(ats, undefined)
    expect(machine.dma(read(0x10_0000n))).toMatchObject({ result: 'translated', address: 0x10_0000n })
  })
})

describe('what a block leaves of ATS', () => {
  test('a request that a device calls translated passes where it has PASIDs, by EN_ATS; without them it does not', () => {
    const translated = { ...read(0x10_0000n), kind: 'translated' } as const
    expect(made().machine.dma(translated)).toMatchObject({ result: 'translated', attributes: { stage: 'ats' } })
    expect(made({ processLevels: [] }).machine.dma(translated)).toMatchObject({ result: 'blocked' })
    expect(made().machine.dma(read(0x10_0000n))).toMatchObject({ result: 'blocked' })
  })
})
