// The AMD model as QEMU says that it is: a profile read from its feature register and its capability header.
import { createAmdMachine } from '@iommu/driver-amd-vi/model'
import type { AmdMachine, Profile } from '@iommu/driver-amd-vi/model'
import { OFFSETS, readCapabilities } from '@iommu/driver-amd-vi/registers'
import { amdCapabilityHeader } from '@iommu/machine-qemu'
import type { Board, QemuMachine } from '@iommu/machine-qemu'
import { memoryBeside } from '../ground.js'

/** Entries hold so many bits of an address, and QEMU looks at all of them. */
export const ADDRESS_BITS = 52

/** What QEMU's registers say. */
const profileOf = (qemu: QemuMachine): Profile => {
  const c = readCapabilities(qemu.registers.read64(OFFSETS.EFR), amdCapabilityHeader(qemu))
  return {
    hostLevels: c.hostLevels,
    guest: c.guest,
    guestIo: c.guestIo,
    fiveLevelGuest: c.guestLevels.includes(5),
    gcr3Levels: c.gcr3Levels,
    pasidBits: c.pasidBits,
    hostAddressBits: ADDRESS_BITS,
    notPresentCache: c.notPresentCache,
    deviceTlb: c.deviceTlb,
    invalidateAll: c.invalidateAll,
    noExecute: c.noExecute,
    hostDirty: c.hostDirty,
  }
}

export const createModel = (qemu: QemuMachine, board: Board): AmdMachine =>
  createAmdMachine({ profile: profileOf(qemu), memory: memoryBeside(board) })
