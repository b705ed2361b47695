// The AMD model as QEMU says that it is: a profile read from its feature register and its capability header.
import { createAmdMachine } from '@iommu/driver-amd-vi/model'
import type { AmdMachine, Profile } from '@iommu/driver-amd-vi/model'
import { OFFSETS, readCapabilities } from '@iommu/driver-amd-vi/registers'
import { PhysicalMemory } from '@iommu/hardware'
import { amdCapabilityHeader } from '@iommu/machine-qemu'
import type { Board, QemuMachine } from '@iommu/machine-qemu'

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

/** Tables may lie where QEMU's may: the model's memory ends where nothing of QEMU's answers either. */
const MEMORY_BYTES = 0x1_0000_0000n

export const createModel = (qemu: QemuMachine, { tables }: Board): AmdMachine =>
  createAmdMachine({ profile: profileOf(qemu), memory: new PhysicalMemory({ bytes: MEMORY_BYTES, tables }) })
