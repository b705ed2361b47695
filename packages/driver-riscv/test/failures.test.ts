// The driver against a unit that misbehaves: what is said, and that nothing is left half done.
import { describe, expect, test } from 'vitest'
import { deafAt } from '../../../tools/driver-tests/machines.js'
import { silentDeviceIsBlocked, switchIsNoHang } from '../../../tools/driver-tests/statements.js'
import { createRiscv } from '../src/index.js'
import { createRiscvMachine } from '../src/model/index.js'
import { OFFSETS } from '../src/tables/index.js'
import { ats, made, read } from './scene.js'

describe('a unit that misbehaves', () => {
  test('a refused command is recovered from, and the old domain is back', () => {
    const { machine, readable } = made()
    const [one, two] = [readable('sv39'), readable('sv48')]
    one.attachDev(ats, undefined)
    const tag = machine.dma(read(0x10_0000n))
    for (let n = 1; n <= 3; n++) {
      machine.fail.queueError(n)
      expect(() => two.attachDev(ats, one)).toThrow('ENODEV: the unit refused a command')
      expect(machine.dma(read(0x10_0000n))).toEqual(tag)
      expect(machine.registers.read32(OFFSETS.cqcsr) & 0x700).toBe(0)
    }
    machine.fail.queueError(undefined)
    two.attachDev(ats, one)
    expect(machine.dma(read(0x10_0000n))).toMatchObject({ result: 'translated', address: 0x80_0000n })
  })
  test('a fence that never completes is ENODEV, and not a hang', () =>
    switchIsNoHang(made(), ats, ['sv39', 'sv48'], 'ENODEV: the unit does not complete commands'))
  test('a device TLB that does not answer stops the fence, and the device is blocked all the same', () =>
    silentDeviceIsBlocked(made(), ats, 'sv39', 'a device did not answer the invalidation of its TLB'))
  test('an identifier that could not be flushed is not used again', () => {
    const { machine, driver, warnings, paging } = made({ ats: false })
    const one = paging('sv39')
    one.attachDev(ats, undefined)
    const before = driver.identifiersInUse()
    machine.fail.completions('never')
    driver.blockedDomain?.attachDev(ats, one)
    machine.fail.completions('prompt')
    expect(driver.identifiersInUse()).toBe(before)
    expect(warnings.at(-1)).toContain('identifier 1 is not used again')
  })
  test('a directory that the unit does not take is stepped down from, and a device beyond it refused', () => {
    expect(() => made({ directoryLevels: 1 }, { devices: [ats] }))
      .toThrow('EINVAL: the requester id is beyond the device directory (source 0x110, limit 0x40)')
  })
  test('registers that never acknowledge are an error at creation', () => {
    expect(() => createRiscv(deafAt(createRiscvMachine(), OFFSETS.cqcsr))).toThrow('ENODEV: the unit does not acknowledge: cqcsr.cqon stays 0')
  })
})
