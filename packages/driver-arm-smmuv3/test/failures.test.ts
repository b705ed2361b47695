// The driver against an SMMU that misbehaves: what is said, and that nothing is left half done.
import { describe, expect, test } from 'vitest'
import { deafAt } from '../../../tools/driver-tests/machines.js'
import { probesWithoutMemory, silentDeviceIsBlocked, switchIsNoHang } from '../../../tools/driver-tests/statements.js'
import { createArmSmmuv3 } from '../src/index.js'
import { createSmmuMachine } from '../src/model/index.js'
import { OFFSETS } from '../src/tables/index.js'
import { ats, made, read } from './scene.js'

describe('an SMMU that misbehaves', () => {
  test('a refused command is recovered from, and the old domain is back', () => {
    const { machine, readable } = made()
    const [one, two] = [readable('stage-1-4k'), readable('stage-2-4k')]
    one.attachDev(ats, undefined)
    let refused = 0
    for (let n = 1; n <= 6; n++) {
      machine.fail.queueError(n)
      try {
        two.attachDev(ats, one)
      } catch (error) {
        refused++
        expect(String(error)).toContain('ENODEV: the SMMU refused a command as illegal')
        expect(machine.dma(read(0x10_0000n))).toMatchObject({ result: 'translated', attributes: { stage: 1 } })
      }
      machine.fail.queueError(undefined)
      expect(machine.registers.read32(OFFSETS.GERROR)).toBe(machine.registers.read32(OFFSETS.GERRORN))
      one.attachDev(ats, two)
    }
    expect(refused).toBe(6)
    two.attachDev(ats, one)
    expect(machine.dma(read(0x10_0000n))).toMatchObject({ result: 'translated', attributes: { stage: 2 } })
  })
  test('a completion that never comes is ENODEV, and not a hang', () =>
    switchIsNoHang(made(), ats, ['stage-1-4k', 'stage-2-4k'], 'ENODEV: the SMMU does not complete commands'))
  test('a device that does not answer is ENODEV, and blocked all the same', () =>
    silentDeviceIsBlocked(made(), ats, 'stage-1-4k', 'ENODEV: a device did not answer the invalidation of its TLB'))
  test('an SMMU without a stage, or whose registers never acknowledge, is an error at creation', () => {
    expect(() => createArmSmmuv3(createSmmuMachine({ profile: { stage1: false, stage2: false } }))).toThrow('ENODEV: the SMMU cannot be used: it has no translation stage')
    expect(() => createArmSmmuv3(deafAt(createSmmuMachine(), OFFSETS.CR0ACK))).toThrow('ENODEV: the SMMU does not acknowledge CR0')
  })
  test('without memory nothing is left behind', () => {
    const all = made({}, { devices: [] })
    const before = all.machine.memory.pages.live
    // The level 2 stream table, then the CD table, then its first leaf, then nothing.
    expect(probesWithoutMemory(all, ats, [1, 2, 2, 4])).toEqual(['ENOMEM', 'ENOMEM', 'ENOMEM', 'ok'])
    // The level 2 stream table stays: it is of 256 streams, 16 KiB.
    expect(all.machine.memory.pages.live - before).toBe(4)
  })
  test('a StreamID that the SMMU does not have is refused', () => {
    const machine = createSmmuMachine({ profile: { streamBits: 8, twoLevelStreams: false } })
    expect(() => createArmSmmuv3(machine).probeDevice({ name: 'far', requesterId: 0x100 })).toThrow('EINVAL: the StreamID is beyond what the SMMU has')
  })
})
