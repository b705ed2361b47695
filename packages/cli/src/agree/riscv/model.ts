// The RISC-V model as QEMU says that it is: a profile read from its capabilities register.
import { createRiscvMachine, defaultProfile } from '@iommu/driver-riscv/model'
import type { Profile, RiscvMachine } from '@iommu/driver-riscv/model'
import { OFFSETS, readCapabilities } from '@iommu/driver-riscv/registers'
import type { EndpointCapabilities } from '@iommu/hardware'
import type { Board, QemuMachine } from '@iommu/machine-qemu'
import { memoryBeside } from '../ground.js'

/** What QEMU's register says. */
const profileOf = ({ registers }: QemuMachine): Profile => {
  const c = readCapabilities(registers.read64(OFFSETS.capabilities))
  return {
    directoryLevels: defaultProfile.directoryLevels,
    extended: c.extended,
    firstStage: c.firstStageLevels,
    secondStage: c.secondStageLevels,
    processLevels: c.processLevels,
    physicalBits: c.physicalBits,
    ats: c.ats,
    guestAts: c.guestAts,
    accessedDirty: c.accessedDirty,
    memoryTypes: c.memoryTypes,
    softwareBits: c.softwareBits,
    qualityOfService: c.qualityOfService,
    ranges: c.ranges,
    nonLeaf: c.nonLeaf,
  }
}

export const createModel = (qemu: QemuMachine, board: Board, sources: readonly number[]): RiscvMachine => createRiscvMachine({
  profile: profileOf(qemu),
  memory: memoryBeside(board),
  endpoints: new Map(sources.map((source): [number, EndpointCapabilities] => [source, qemu.endpoint(source).config.capabilities])),
})
