// The driver against a unit that misbehaves: what is said, and that nothing is left half done.
import { describe, expect, test } from 'vitest'
import { deafAt } from '../../../tools/driver-tests/machines.js'
import { probesWithoutMemory, silentDeviceIsBlocked, switchIsNoHang } from '../../../tools/driver-tests/statements.js'
import { createIntelVtd } from '../src/index.js'
import { createVtdMachine } from '../src/model/index.js'
import { OFFSETS } from '../src/tables/index.js'
import { ats, made, read } from './scene.js'

describe('a unit that misbehaves', () => {
  test('a refused descriptor is recovered from, and the old domain is back', () => {
    const { machine, readable } = made()
    const [one, two] = [readable('first-stage-4'), readable('second-stage-4')]
    one.attachDev(ats, undefined)
    for (let n = 1; n <= 6; n++) {
      machine.fail.queueError(n)
      expect(() => two.attachDev(ats, one)).toThrow('ENODEV: the unit refused an invalidation descriptor')
      expect(machine.dma(read(0x10_0000n))).toMatchObject({ result: 'translated', attributes: { stage: 'first' } })
      expect(machine.registers.read32(OFFSETS.FSTS) & 0x10).toBe(0)
    }
    machine.fail.queueError(undefined)
    two.attachDev(ats, one)
    expect(machine.dma(read(0x10_0000n))).toMatchObject({ result: 'translated', attributes: { stage: 'second' } })
  })
  test('a completion that never comes is ENODEV, and not a hang', () =>
    switchIsNoHang(made(), ats, ['first-stage-4', 'second-stage-4'], 'ENODEV: the unit does not complete invalidations'))
  test('a device TLB that does not answer is ENODEV with its source, and blocked all the same', () =>
    silentDeviceIsBlocked(made(), ats, 'first-stage-4', 'a device did not answer the invalidation of its TLB (source 0x20)'))
  test('registers that never acknowledge are an error at creation', () => {
    expect(() => createIntelVtd(deafAt(createVtdMachine(), OFFSETS.GSTS), { hostAddressBits: 46 }))
      .toThrow('ENODEV: the unit does not acknowledge GCMD: GSTS.RTPS stays 0')
  })
  test('without memory nothing is left behind', () => {
    const all = made({}, { devices: [] })
    const before = all.machine.memory.pages.live
    // A context table, then the directory, then (the context table being there) the PASID table, then nothing.
    expect(probesWithoutMemory(all, ats, [1, 2, 2, 4])).toEqual(['ENOMEM', 'ENOMEM', 'ENOMEM', 'ok'])
    // A context table of the bus stays: it belongs to the bus, not to the device.
    expect(all.machine.memory.pages.live - before).toBeLessThanOrEqual(1)
  })
})
