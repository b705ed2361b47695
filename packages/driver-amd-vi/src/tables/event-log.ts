// Event log entries, one layout per code, and what the codes mean; page request log entries.
import { address, bit, entry, field, split } from '@iommu/bits'
import type { Entry } from '@iommu/bits'

const BOTH = ['linux', 'qemu'] as const
const from = { confirmedBy: BOTH } as const
const LINUX = ['linux'] as const
const linux = { confirmedBy: LINUX } as const
const nobody = { confirmedBy: [] } as const

const code = field(63, 60, 'Event Code', undefined, from)
const codeOfLinux = field(63, 60, 'Event Code', undefined, linux)
const deviceId = field(15, 0, 'Device Identifier', undefined, { confirmedBy: BOTH, alias: ['DevID'] })
const deviceIdOfLinux = field(15, 0, 'Device Identifier', undefined, { confirmedBy: LINUX, alias: ['DevID'] })
const pasid = split([[19, 16], [47, 32]], 'PASID', linux)
const where = address(127, 64, 'Address', { confirmedBy: BOTH, alias: ['Address'] })
const whereOfLinux = address(127, 64, 'Address', { confirmedBy: LINUX, alias: ['Address'] })
const guest = bit(48, 'Guest/Nested: the fault has a PASID', nobody)
const interrupt = bit(51, 'Interrupt request', linux)
const write = bit(53, 'Read/Write: 1 write', linux)
const reservedBit = bit(55, 'Reserved bit not zero', nobody)
const translation = bit(56, 'Translation request', nobody)
const kind = field(58, 57, 'Type', undefined, nobody)

/** Values of the Code field. */
export const EVENT_CODES = {
  illegalDevTableEntry: 1, ioPageFault: 2, devTabHardwareError: 3, pageTabHardwareError: 4, illegalCommandError: 5,
  commandHardwareError: 6, iotlbInvTimeout: 7, invalidDeviceRequest: 8, invalidPprRequest: 9, rmpPageFault: 13,
  rmpHardwareError: 14,
} as const

export const illegalDevTableEntryEvent = entry('amd.event.illegal-dev-table-entry', {
  title: 'ILLEGAL_DEV_TABLE_ENTRY', bits: 128, section: 'amd:2.5.3?', confirmedBy: BOTH,
  reserved: [[31, 20], [50, 49], [52, 52], [54, 54], [59, 57]],
}, {
  DeviceID: deviceId, PASID: pasid, GN: guest, I: interrupt, RW: write, RZ: reservedBit, TR: translation, Code: code, ADDR: where,
})

export const ioPageFaultEvent = entry('amd.event.io-page-fault', {
  title: 'IO_PAGE_FAULT', bits: 128, section: 'amd:2.5.4?', confirmedBy: BOTH, reserved: [[31, 20], [59, 57]],
}, {
  DeviceID: deviceId,
  PASIDHigh: field(19, 16, 'PASID[19:16], where GN is 1', undefined, { confirmedBy: LINUX, alias: ['PASID[19:16]'] }),
  DomainID: field(47, 32, 'Domain Identifier; PASID[15:0] where GN is 1', undefined, { confirmedBy: LINUX, alias: ['DomID', 'PASID[15:0]'] }),
  GN: guest,
  NX: bit(49, 'No-execute', nobody),
  US: bit(50, 'User request', nobody),
  I: bit(51, 'Interrupt request', from),
  PR: bit(52, 'Present: 0 where nothing is mapped', nobody),
  RW: write,
  PE: bit(54, 'Permission not granted', nobody),
  RZ: reservedBit,
  TR: translation,
  Code: code,
  ADDR: where,
})

export const devTabHardwareErrorEvent = entry('amd.event.dev-tab-hardware-error', {
  title: 'DEV_TAB_HARDWARE_ERROR', bits: 128, section: 'amd:2.5.5?', confirmedBy: BOTH,
  reserved: [[50, 16], [52, 52], [55, 54], [59, 59]],
}, { DeviceID: deviceId, I: interrupt, RW: write, TR: translation, Type: kind, Code: code, ADDR: where })

export const pageTabHardwareErrorEvent = entry('amd.event.page-tab-hardware-error', {
  title: 'PAGE_TAB_HARDWARE_ERROR', bits: 128, section: 'amd:2.5.6?', confirmedBy: BOTH,
  reserved: [[31, 20], [50, 49], [52, 52], [55, 54], [59, 59]],
}, {
  DeviceID: deviceId,
  PASIDHigh: field(19, 16, 'PASID[19:16], where GN is 1', undefined, { confirmedBy: LINUX, alias: ['PASID[19:16]'] }),
  DomainID: field(47, 32, 'Domain Identifier; PASID[15:0] where GN is 1', undefined, { confirmedBy: LINUX, alias: ['DomID', 'PASID[15:0]'] }),
  GN: guest, I: interrupt, RW: write, TR: translation, Type: kind, Code: code, ADDR: where,
})

export const illegalCommandErrorEvent = entry('amd.event.illegal-command-error', {
  title: 'ILLEGAL_COMMAND_ERROR', bits: 128, section: 'amd:2.5.7?', confirmedBy: BOTH, reserved: [[59, 0]],
}, { Code: code, ADDR: address(127, 64, 'Address of the command', { confirmedBy: BOTH, alias: ['Address'] }) })

export const commandHardwareErrorEvent = entry('amd.event.command-hardware-error', {
  title: 'COMMAND_HARDWARE_ERROR', bits: 128, section: 'amd:2.5.8?', confirmedBy: BOTH, reserved: [[56, 0], [59, 59]],
}, { Type: kind, Code: code, ADDR: address(127, 64, 'Address of the command', { confirmedBy: BOTH, alias: ['Address'] }) })

export const iotlbInvTimeoutEvent = entry('amd.event.iotlb-inv-timeout', {
  title: 'IOTLB_INV_TIMEOUT', bits: 128, section: 'amd:2.5.9?', confirmedBy: LINUX, reserved: [[59, 16]],
}, {
  DeviceID: deviceIdOfLinux, Code: codeOfLinux, ADDR: address(127, 64, 'Address of the command', { confirmedBy: LINUX, alias: ['Address'] }),
})

/** What Type says of an invalid request; from a header after revision 3.05, nothing else confirms it. */
export const INVALID_REQUESTS = {
  0: 'read or translation in the interrupt range', 1: 'translated request without ATS', 2: 'port I/O', 3: 'system management',
  4: 'interrupt', 6: 'translation request without ATS',
} as const

export const invalidDeviceRequestEvent = entry('amd.event.invalid-device-request', {
  title: 'INVALID_DEVICE_REQUEST', bits: 128, section: 'amd:2.5.10?', confirmedBy: LINUX, reserved: [[31, 20], [56, 48]],
}, {
  DeviceID: deviceIdOfLinux, PASID: pasid, Type: field(59, 57, 'Type', INVALID_REQUESTS, nobody), Code: codeOfLinux, ADDR: whereOfLinux,
})

export const invalidPprRequestEvent = entry('amd.event.invalid-ppr-request', {
  title: 'INVALID_PPR_REQUEST', bits: 128, section: 'amd:2.5.11?', confirmedBy: LINUX, reserved: [[56, 49], [59, 58]],
}, {
  DeviceID: deviceIdOfLinux,
  PASID: split([[45, 42], [31, 16]], 'PASID', linux),
  Tag: field(41, 32, 'PPR Tag', undefined, linux),
  RX: bit(48, 'Received', linux),
  GN: bit(57, 'Guest/Nested: the request has a PASID', linux),
  Code: codeOfLinux,
  ADDR: whereOfLinux,
  Unknown: field(47, 46, 'not known', undefined, nobody),
})

export const rmpPageFaultEvent = entry('amd.event.rmp-page-fault', {
  title: 'RMP_PAGE_FAULT', bits: 128, section: 'amd:2.5?', confirmedBy: LINUX, reserved: [[31, 24]],
}, {
  DeviceID: deviceIdOfLinux,
  FlagsRMP: field(23, 16, 'RMP Flags', undefined, linux),
  VMGTag: field(47, 32, 'VM Guest Tag', undefined, linux),
  Flags: field(59, 48, 'Flags', undefined, linux),
  Code: codeOfLinux,
  GPA: address(127, 64, 'Guest Physical Address', { confirmedBy: LINUX, alias: ['Address'] }),
})

export const rmpHardwareErrorEvent = entry('amd.event.rmp-hw-error', {
  title: 'RMP_HW_ERROR', bits: 128, section: 'amd:2.5?', confirmedBy: LINUX, reserved: [[31, 16], [66, 64]],
}, {
  DeviceID: deviceIdOfLinux,
  VMGTag: field(47, 32, 'VM Guest Tag', undefined, linux),
  Flags: field(59, 48, 'Flags', undefined, linux),
  Code: codeOfLinux,
  SPA: address(127, 67, 'System Physical Address', { confirmedBy: LINUX, alias: ['Address'] }),
})

/** A page request as hardware logs it (a layout only: nothing here serves page requests yet). */
export const pageRequestEntry = entry('amd.ppr', {
  title: 'Page request log entry', bits: 128, section: 'amd:2.6?', confirmedBy: LINUX,
  reserved: [[48, 46], [52, 51], [59, 57], [75, 64]],
}, {
  DeviceID: deviceIdOfLinux,
  PASID: split([[45, 42], [31, 16]], 'PASID', linux),
  Tag: field(40, 32, 'PPR Tag', undefined, linux),
  Last: bit(41, 'Last of its group', linux),
  Exec: bit(49, 'Execute requested', linux),
  Read: bit(50, 'Read requested', linux),
  Write: bit(53, 'Write requested', linux),
  US: bit(54, 'User request', linux),
  RZ: bit(55, 'Reserved bit not zero', linux),
  GN: bit(56, 'Guest/Nested: the request has a PASID', linux),
  Code: field(63, 60, 'Code: 1', undefined, linux),
  ADDR: address(127, 76, 'Address', nobody),
})

/** Who says that a code means what it says here. */
export type Confirmation = 'linux' | 'qemu' | 'capture'

/** An event code that this project knows. */
export interface EventMeaning {
  readonly code: number
  /** The manual's name. */
  readonly name: string
  /** In our words, short. */
  readonly meaning: string
  readonly layout: Entry
  /** Empty: nothing outside of this project confirms it. */
  readonly confirmedBy: readonly Confirmation[]
}

const event = (layout: Entry, value: number, meaning: string, confirmedBy: readonly Confirmation[] = ['linux']): EventMeaning =>
  ({ code: value, name: layout.title, meaning, layout, confirmedBy })

const list = (): readonly EventMeaning[] => [
  event(illegalDevTableEntryEvent, EVENT_CODES.illegalDevTableEntry, 'the device table entry is programmed wrongly', ['linux', 'qemu']),
  event(ioPageFaultEvent, EVENT_CODES.ioPageFault, 'no permission, nothing mapped, or a page table entry is wrong', ['linux', 'qemu', 'capture']),
  event(devTabHardwareErrorEvent, EVENT_CODES.devTabHardwareError, 'the device table cannot be read', ['linux', 'qemu']),
  event(pageTabHardwareErrorEvent, EVENT_CODES.pageTabHardwareError, 'a page table cannot be read', ['linux', 'qemu']),
  event(illegalCommandErrorEvent, EVENT_CODES.illegalCommandError, 'a command is malformed', ['linux', 'qemu']),
  event(commandHardwareErrorEvent, EVENT_CODES.commandHardwareError, 'a command cannot be read', ['linux', 'qemu']),
  event(iotlbInvTimeoutEvent, EVENT_CODES.iotlbInvTimeout, 'a device did not answer the invalidation of its TLB'),
  event(invalidDeviceRequestEvent, EVENT_CODES.invalidDeviceRequest, 'the device may not make such a request'),
  event(invalidPprRequestEvent, EVENT_CODES.invalidPprRequest, 'the device may not make page requests'),
  event(rmpPageFaultEvent, EVENT_CODES.rmpPageFault, 'the reverse map forbids the access'),
  event(rmpHardwareErrorEvent, EVENT_CODES.rmpHardwareError, 'the reverse map cannot be read'),
]

/** By code. Pure, so that whoever needs no meanings does not carry them. */
const byCode = /* @__NO_SIDE_EFFECTS__ */ (all: () => readonly EventMeaning[]): ReadonlyMap<number, EventMeaning> =>
  new Map(all().map((each) => [each.code, each]))

/** Every event that this project knows, by code. A code that is not here is unknown, not guessed. */
export const events = byCode(list)
