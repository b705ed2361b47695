// The driver against a unit that misbehaves: what is said, and that nothing is left half done.
import { describe, expect, test } from 'vitest'
import { decode } from '@iommu/bits'
import { probesWithoutMemory, silentDeviceIsBlocked, switchIsNoHang } from '../../../tools/driver-tests/statements.js'
import { EVENT_CODES, OFFSETS, status } from '../src/tables/index.js'
import { ats, made, read } from './scene.js'

describe('a unit that misbehaves', () => {
  test('a refused command is recovered from, and the old domain is back', () => {
    const { machine, driver, readable } = made()
    const [one, two] = [readable('v2-4'), readable('v1')]
    one.attachDev(ats, undefined)
    let refused = 0
    for (let n = 1; n <= 12; n++) {
      machine.fail.queueError(n)
      try {
        two.attachDev(ats, one)
        one.attachDev(ats, two)
      } catch (error) {
        expect(String(error)).toContain('ENODEV: the unit refused a command')
        refused++
        const outcome = machine.dma(read(0x10_0000n))
        expect(outcome.result === 'translated' ? outcome.attributes['stage'] : outcome).toMatch(/^(guest|host)$/)
        expect(decode(status, [machine.registers.read64(OFFSETS.STATUS)]).CmdRun).toBe(1)
        machine.fail.queueError(undefined)
        one.attachDev(ats, undefined)
      }
      machine.fail.queueError(undefined)
    }
    expect(refused).toBeGreaterThan(6)
    expect(driver.readFaults().faults.every((each) => each.code === EVENT_CODES.illegalCommandError)).toBe(true)
    two.attachDev(ats, one)
    expect(machine.dma(read(0x10_0000n))).toMatchObject({ result: 'translated', attributes: { stage: 'host' } })
  })
  test('a completion that never comes is ENODEV, and not a hang; a late one is not taken for the next', () =>
    switchIsNoHang(made(), ats, ['v2-4', 'v1'], 'ENODEV: the unit does not complete commands'))
  test('a device TLB that does not answer is ENODEV with its source, and blocked all the same', () => {
    const all = made()
    silentDeviceIsBlocked(all, ats, 'v1', 'a device did not answer the invalidation of its TLB (source 0x20)')
    const { faults } = all.driver.readFaults()
    expect(faults.map((each) => [each.code, each.source])).toEqual(faults.map(() => [EVENT_CODES.iotlbInvTimeout, 0x20]))
    expect(faults).toHaveLength(3)
  })
  test('without memory nothing is left behind', () => {
    const all = made({}, { devices: [] })
    const { machine, driver } = all
    const before = [machine.memory.pages.live, driver.domainIdsInUse()]
    // Three levels of a GCR3 table, then nothing more.
    for (const [n, answer] of [[1, 'ENOMEM'], [2, 'ENOMEM'], [3, 'ENOMEM'], [4, 'ok']] as const) {
      expect(probesWithoutMemory(all, ats, [n])).toEqual([answer])
      expect([machine.memory.pages.live, driver.domainIdsInUse()]).toEqual(before)
    }
  })
  test('a unit that cannot invalidate everything, and a source beyond the table, are refused', () => {
    expect(() => made({ invalidateAll: false })).toThrow('ENODEV: the unit has no INVALIDATE_IOMMU_ALL')
    expect(() => made({}, { devices: [{ name: 'far', requesterId: 0x200 }] })).toThrow('ENODEV: the device table has no entry for the source')
  })
})
