// The driver at the edges of what ids can be, and on an SMMU whose registers say the least that they may.
import { describe, expect, test } from 'vitest'
import { expectIdsEnd, expectPasidsEnd, expectRequestersEnd } from '../../../tools/driver-tests/edges.js'
import { map, unmap } from '../../../tools/driver-tests/scene.js'
import { createArmSmmuv3 } from '../src/index.js'
import { createSmmuMachine } from '../src/model/index.js'
import { ats, made, read } from './scene.js'

describe('ids at their edges', () => {
  test.each([true, false])('StreamIDs: the last one is one like any other, the next one and negative ones are refused (2-level: %s)', (twoLevelStreams) => {
    expectRequestersEnd(made({ streamBits: 10, twoLevelStreams }, { devices: [] }), { requesterId: 0x400, says: 'EINVAL: the StreamID is beyond what the SMMU has' })
  })
  test('ASIDs run out as ENOSPC, and are used again', () => {
    const scene = made({ wideAsids: false })
    // 256 less that of nobody.
    expectIdsEnd(scene, ats, 255, 'ENOSPC: no ASID is left')
    expect(scene.driver.idsInUse()).toBe(255)
  })
  test('PASIDs: the last one fits, the next one is refused', () =>
    expectPasidsEnd(made(), ats, 'EINVAL: the PASID is beyond what device and SMMU have'))
})

describe('registers that say little', () => {
  test.each([1, 2, 5])('a command queue of 2^%i entries takes every submission in parts', (commandQueue) => {
    const { machine, paging, warnings } = made({ commandQueue, rangeInvalidation: false })
    const domain = paging('stage-1-4k')
    domain.attachDev(ats, undefined)
    const pages = 100
    map(domain, 0x10_0000n, pages)
    expect(machine.dma(read(0x16_3000n))).toMatchObject({ result: 'translated' })
    unmap(domain, 0x10_0000n, pages)
    expect(machine.dma(read(0x16_3000n))).toMatchObject({ result: 'blocked' })
    expect(warnings).toEqual([])
  })
  test('a command queue of one entry has no room for a command and its SYNC', () => {
    expect(() => createArmSmmuv3(createSmmuMachine({ profile: { commandQueue: 0 } })))
      .toThrow('ENODEV: the SMMU cannot be used: its command queue has one entry')
  })
  test('one stage, one granule, no SSIDs, no ATS, linear tables, an event queue of one entry', () => {
    const { machine, driver, readable } = made({
      stage2: false, granules: [16], substreamBits: 0, ats: false, twoLevelStreams: false, twoLevelContexts: false, streamBits: 6, eventQueue: 0,
      outputBits: 32, rangeInvalidation: false, breakBeforeMakeLevel: 0, wideAsids: false, wideVmids: false,
      attributeOverride: false, abortOnly: false,
    })
    expect(driver.maxPasids?.(ats)).toBe(0)
    readable('stage-1-64k').attachDev(ats, undefined)
    expect(machine.dma(read(0x10_0000n))).toMatchObject({ result: 'translated' })
  })
})

describe('what a block leaves of ATS', () => {
  test('a request that a device calls translated passes beside live PASIDs, by EATS; without them it does not', () => {
    const translated = { ...read(0x10_0000n), kind: 'translated' } as const
    const { machine, paging } = made()
    expect(machine.dma(translated)).toEqual({ result: 'blocked' })
    paging().setDevPasid?.(ats, 7, undefined)
    expect(machine.dma(translated)).toMatchObject({ result: 'translated', attributes: { stage: 'ats' } })
    expect(machine.dma(read(0x10_0000n))).toMatchObject({ result: 'blocked', fault: { name: 'F_STREAM_DISABLED' } })
  })
})
