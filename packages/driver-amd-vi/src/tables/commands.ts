// Command buffer entries, one layout per opcode.
import { address, bit, decodeField, entry, field, split, wide } from '@iommu/bits'
import type { Entry, Words } from '@iommu/bits'

const BOTH = ['linux', 'qemu'] as const
const from = { confirmedBy: BOTH } as const
const LINUX = ['linux'] as const
const linux = { confirmedBy: LINUX } as const
const nobody = { confirmedBy: [] } as const
const opcode = field(63, 60, 'Opcode', undefined, from)
const deviceId = field(15, 0, 'Device Identifier', undefined, from)
const size = bit(64, 'Size: the address says how many pages')
const guest = bit(66, 'Guest/Nested: the PASID counts', linux)
const pages = address(127, 76, 'Address')

/** Values of the Opcode field. */
export const OPCODES = {
  completionWait: 1, invalidateDevtabEntry: 2, invalidateIommuPages: 3, invalidateIotlbPages: 4,
  invalidateInterruptTable: 5, prefetchIommuPages: 6, completePprRequest: 7, invalidateIommuAll: 8,
} as const

export const completionWait = entry('amd.cmd.completion-wait', {
  title: 'COMPLETION_WAIT', bits: 128, section: 'amd:2.4.1?', confirmedBy: BOTH, reserved: [[59, 52]],
}, {
  S: bit(0, 'Store: Data goes to StoreAddress'),
  I: bit(1, 'Interrupt: Status.ComWaitInt is set'),
  F: bit(2, 'Flush queue: commands behind it begin after it', nobody),
  StoreAddress: address(51, 3, 'Store Address', { alias: ['StoreAddr'] }),
  Opcode: opcode,
  Data: wide(127, 64, 'Store Data', { alias: ['StoreData'] }),
})

export const invalidateDevtabEntry = entry('amd.cmd.invalidate-devtab-entry', {
  title: 'INVALIDATE_DEVTAB_ENTRY', bits: 128, section: 'amd:2.4.2?', confirmedBy: BOTH, reserved: [[59, 16], [127, 64]],
}, {
  DeviceID: deviceId,
  Opcode: opcode,
})

export const invalidateIommuPages = entry('amd.cmd.invalidate-iommu-pages', {
  title: 'INVALIDATE_IOMMU_PAGES', bits: 128, section: 'amd:2.4.3?', confirmedBy: BOTH, reserved: [[31, 20], [59, 48], [75, 67]],
}, {
  PASID: field(19, 0, 'PASID, where GN is 1', undefined, linux),
  DomainID: field(47, 32, 'Domain Identifier', undefined, { alias: ['DomID'] }),
  Opcode: opcode,
  S: size,
  PDE: bit(65, 'Page Directory Entries: paging-structure caches too', linux),
  GN: guest,
  ADDR: pages,
})

/**
 * PASID's parts as Linux places them: [15:8] in bits 23:16, [7:0] in bits 55:48. A header after revision 3.05 names
 * these two the other way round. PASID[19:16] is from that header alone: Linux leaves it zero, QEMU ignores all parts.
 */
export const invalidateIotlbPages = entry('amd.cmd.invalidate-iotlb-pages', {
  title: 'INVALIDATE_IOTLB_PAGES', bits: 128, section: 'amd:2.4.4?', confirmedBy: BOTH, reserved: [[65, 65], [67, 67], [75, 70]],
}, {
  DeviceID: deviceId,
  MaxPend: field(31, 24, 'Maximum Pending invalidations', undefined, linux),
  QueueID: field(47, 32, 'Queue Identifier', undefined, linux),
  PASID: split([[59, 56], [23, 16], [55, 48]], 'PASID, where GN is 1', linux),
  Opcode: opcode,
  S: size,
  GN: guest,
  Type: field(69, 68, 'Type', undefined, nobody),
  ADDR: pages,
})

export const invalidateInterruptTable = entry('amd.cmd.invalidate-interrupt-table', {
  title: 'INVALIDATE_INTERRUPT_TABLE', bits: 128, section: 'amd:2.4.5?', confirmedBy: BOTH, reserved: [[59, 16], [127, 64]],
}, {
  DeviceID: field(15, 0, 'Device Identifier', undefined, linux),
  Opcode: opcode,
})

export const prefetchIommuPages = entry('amd.cmd.prefetch-iommu-pages', {
  title: 'PREFETCH_IOMMU_PAGES', bits: 128, section: 'amd:2.4.6?', confirmedBy: [],
  reserved: [[23, 16], [59, 52], [65, 65], [67, 67], [75, 69]],
}, {
  DeviceID: field(15, 0, 'Device Identifier'),
  PFCount: field(31, 24, 'Prefetch Count'),
  PASID: field(51, 32, 'PASID, where GN is 1'),
  Opcode: opcode,
  S: bit(64, 'Size: the address says how many pages'),
  GN: bit(66, 'Guest/Nested'),
  Inval: bit(68, 'Invalidate first'),
  ADDR: address(127, 76, 'Address'),
})

export const completePprRequest = entry('amd.cmd.complete-ppr-request', {
  title: 'COMPLETE_PPR_REQUEST', bits: 128, section: 'amd:2.4.7?', confirmedBy: BOTH,
  reserved: [[31, 16], [59, 52], [65, 64], [95, 67], [107, 106], [127, 112]],
}, {
  DeviceID: field(15, 0, 'Device Identifier', undefined, linux),
  PASID: field(51, 32, 'PASID, where GN is 1', undefined, linux),
  Opcode: opcode,
  GN: guest,
  // Linux's mask leaves the tenth bit out.
  Tag: field(105, 96, 'Completion Tag', undefined, { confirmedBy: LINUX, alias: ['CompletionTag'] }),
  Status: field(111, 108, 'Completion Status', { 0: 'success', 1: 'invalid request', 15: 'failure' }, { confirmedBy: LINUX, alias: ['PPRCode'] }),
})

export const invalidateIommuAll = entry('amd.cmd.invalidate-iommu-all', {
  title: 'INVALIDATE_IOMMU_ALL', bits: 128, section: 'amd:2.4.8?', confirmedBy: BOTH, reserved: [[59, 0], [127, 64]],
}, {
  Opcode: opcode,
})

/** The layout of each opcode. All share the place of Opcode. Made by a pure call, so that whoever needs single ones does not carry all. */
export const commands: Readonly<Record<number, Entry>> = /* @__PURE__ */ (() => ({
  [OPCODES.completionWait]: completionWait,
  [OPCODES.invalidateDevtabEntry]: invalidateDevtabEntry,
  [OPCODES.invalidateIommuPages]: invalidateIommuPages,
  [OPCODES.invalidateIotlbPages]: invalidateIotlbPages,
  [OPCODES.invalidateInterruptTable]: invalidateInterruptTable,
  [OPCODES.prefetchIommuPages]: prefetchIommuPages,
  [OPCODES.completePprRequest]: completePprRequest,
  [OPCODES.invalidateIommuAll]: invalidateIommuAll,
}))()

/** The layout of a command, or undefined for an opcode that there is not. */
export const commandLayout = (words: Words): Entry | undefined => commands[decodeField(completionWait, words, 'Opcode')]
