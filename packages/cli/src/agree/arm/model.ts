// The SMMU model as QEMU says that it is: a profile read from its identification registers.
import { createSmmuMachine } from '@iommu/driver-arm-smmuv3/model'
import type { Profile, SmmuMachine } from '@iommu/driver-arm-smmuv3/model'
import { OFFSETS, readCapabilities } from '@iommu/driver-arm-smmuv3/registers'
import type { Board, QemuMachine } from '@iommu/machine-qemu'
import { memoryBeside } from '../ground.js'

/** What QEMU's registers say. */
const profileOf = ({ registers }: QemuMachine): Profile => {
  const [IDR0, IDR1, IDR3, IDR5] = ([OFFSETS.IDR0, OFFSETS.IDR1, OFFSETS.IDR3, OFFSETS.IDR5] as const).map((each) => registers.read32(each)) as
    [number, number, number, number]
  const c = readCapabilities({ IDR0, IDR1, IDR3, IDR5 })
  return {
    stage1: c.stage1,
    stage2: c.stage2,
    coherent: c.coherent,
    streamBits: c.streamBits,
    twoLevelStreams: c.twoLevelStreams,
    substreamBits: c.substreamBits,
    twoLevelContexts: c.twoLevelContexts,
    granules: c.granules,
    outputBits: c.outputBits as Profile['outputBits'],
    rangeInvalidation: c.rangeInvalidation,
    breakBeforeMakeLevel: c.breakBeforeMakeLevel as Profile['breakBeforeMakeLevel'],
    ats: c.ats,
    wideAsids: c.asidBits === 16,
    wideVmids: c.vmidBits === 16,
    attributeOverride: c.attributeOverride,
    stalls: c.stalls,
    abortOnly: c.abortOnly,
    commandQueue: c.commandQueue,
    eventQueue: c.eventQueue,
  }
}

/** `more`: what the model has and QEMU has not. */
export const createModel = (qemu: QemuMachine, board: Board, more: Partial<Profile> = {}): SmmuMachine => {
  const profile: Profile = { ...profileOf(qemu), ...more }
  return createSmmuMachine({ profile, memory: memoryBeside(board, profile.coherent) })
}
