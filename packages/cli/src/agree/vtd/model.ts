// The VT-d model as QEMU says that it is: a profile read from its capability registers.
import { createVtdMachine } from '@iommu/driver-intel-vtd/model'
import type { Profile, VtdMachine } from '@iommu/driver-intel-vtd/model'
import { OFFSETS, readCapabilities } from '@iommu/driver-intel-vtd/registers'
import type { Board, QemuMachine } from '@iommu/machine-qemu'
import { memoryBeside } from '../ground.js'

/** QEMU's aw-bits: both its guest and its host address width. */
export const ADDRESS_BITS = 48

/** What QEMU's registers say. */
const profileOf = ({ registers }: QemuMachine): Profile => {
  const c = readCapabilities(registers.read64(OFFSETS.CAP), registers.read64(OFFSETS.ECAP))
  return {
    scalable: c.scalable,
    firstStage: c.firstStage,
    secondStage: c.secondStage,
    passThrough: c.passThrough,
    pasidBits: c.pasidBits,
    levels: c.secondStageLevels,
    fiveLevelFirstStage: c.firstStageLevels.includes(5),
    guestAddressBits: c.guestAddressBits,
    hostAddressBits: ADDRESS_BITS,
    largePages: c.secondStageLeaves.includes(21),
    hugePages: c.secondStageLeaves.includes(30),
    pageSelective: c.pageSelective,
    cachingMode: c.cachingMode,
    coherent: c.coherent,
    writeBufferFlush: c.writeBufferFlush,
    snoopControl: c.snoopControl,
    deviceTlb: c.deviceTlb,
    domainIdClass: Math.log2(c.domainIds) / 2 - 2,
    faultRecords: c.faultRecords,
    rootPointerInvalidates: c.rootPointerInvalidates,
  }
}


export const createModel = (qemu: QemuMachine, board: Board): VtdMachine => {
  const profile = profileOf(qemu)
  return createVtdMachine({ profile, memory: memoryBeside(board, profile.coherent) })
}
