// What an AMD-Vi event means for the person who reads it: what follows from it, and where to look next.
import { EVENT_CODES } from '@iommu/driver-amd-vi/queues'
import type { CodeMembers } from '../vendor.js'

export type Advice = Pick<CodeMembers, 'so' | 'usual' | 'next'>

const LOOK_AT_DEVICE = 'the type and the reserved regions of the device\'s group: /sys/kernel/iommu_groups'
const LOOK_AT_ENTRY = 'the device table entry, as debugfs prints it (iommu/amd/devtbl): iommu decode amd.dte'
const LOOK_AT_TABLES = 'iommu walk SOURCE --rid DEVICE --iova ADDRESS, on a capture, an ELF core or a memory image'

/** IO_PAGE_FAULT says why in its flags. */
export const PAGE_FAULT_ADVICE = {
  absent: {
    so: 'the device has a device table entry that translates, and no page is mapped at the address.',
    usual: ['the buffer was unmapped too early', 'never mapped, or mapped for another device', 'the device ran past its buffer'],
    next: [LOOK_AT_TABLES, LOOK_AT_DEVICE],
  },
  permission: {
    so: 'the page is there, and the tables or the device table entry do not allow this access.',
    usual: ['a buffer mapped in one direction and used in the other', 'IR or IW is 0 in the device table entry: the device is blocked'],
    next: [LOOK_AT_TABLES, LOOK_AT_ENTRY],
  },
  reserved: {
    so: 'hardware refuses a page table entry that software wrote. The device does not matter.',
    usual: ['memory of the tables was overwritten', 'a table that was freed while it was in use'],
    next: [LOOK_AT_TABLES],
  },
  interrupt: {
    so: 'an interrupt was blocked, not a DMA to memory.',
    usual: ['the device sends interrupts under another device id', 'an interrupt that was freed, or set up by firmware'],
    next: ['the interrupt fields of the device table entry: IV, IntCtl, IntTabLen'],
  },
  unsaid: {
    so: 'the access was refused; the flags do not say at which entry.',
    usual: ['no permission in a page table entry, or in the device table entry', 'the device is blocked: TV is 0 in its device table entry'],
    next: [LOOK_AT_ENTRY, LOOK_AT_TABLES],
  },
} as const satisfies Readonly<Record<string, Advice>>

const list: Readonly<Record<number, Advice>> = {
  [EVENT_CODES.illegalDevTableEntry]: {
    so: 'hardware refuses the device table entry that software wrote; no DMA of the device passes.',
    usual: ['a reserved bit is set, or a mode that this IOMMU has not', 'memory of the device table was overwritten',
      'a device id beyond the end of the device table'],
    next: [LOOK_AT_ENTRY],
  },
  [EVENT_CODES.devTabHardwareError]: {
    so: 'the device table could not be read: its base leads to something that is not memory.',
    usual: ['memory that failed', 'a device table that was freed while it was in use'],
    next: ['the device table base register', 'machine checks at the same time'],
  },
  [EVENT_CODES.pageTabHardwareError]: {
    so: 'a page table could not be read: a pointer leads to something that is not memory.',
    usual: ['memory of the tables was overwritten', 'a table that was freed while it was in use'],
    next: [LOOK_AT_TABLES],
  },
  [EVENT_CODES.illegalCommandError]: {
    so: 'the IOMMU stopped at a command that it refuses, and runs no further one: invalidations wait in vain.',
    usual: ['a command that this IOMMU has not', 'memory of the command buffer was overwritten'],
    next: ['the command itself: iommu decode amd.cmd.NAME', 'later lines about commands that time out'],
  },
  [EVENT_CODES.commandHardwareError]: {
    so: 'a command could not be read, and the IOMMU runs no further one.',
    usual: ['memory that failed'],
    next: ['machine checks at the same time'],
  },
  [EVENT_CODES.iotlbInvTimeout]: {
    so: 'the device may still use translations that were taken away: memory is not safe from it.',
    usual: ['the device hangs, was reset or was unplugged', 'a link that went down'],
    next: ['the state of the device and of the link above it (AER lines)'],
  },
  [EVENT_CODES.invalidDeviceRequest]: {
    so: 'the device made a kind of request that its device table entry does not allow.',
    usual: ['ATS enabled in the device before, or without, its device table entry', 'DMA to the interrupt address range'],
    next: ['I of the device table entry', 'the ATS capability of the device: lspci -vvv'],
  },
  [EVENT_CODES.invalidPprRequest]: {
    so: 'the device asked for a page that it may not ask for.',
    usual: ['page requests enabled in the device before, or without, its device table entry'],
    next: ['PPR of the device table entry', 'the PRI capability of the device: lspci -vvv'],
  },
  [EVENT_CODES.rmpPageFault]: {
    so: 'the page belongs to a guest or to the system, and the device may not touch it.',
    usual: ['a device that is not trusted by the guest whose memory it was given'],
    next: ['the owner of the page in the reverse map table'],
  },
}

/** Undefined where the code alone says it all. */
export const adviceFor = (code: number): Advice | undefined => list[code]
