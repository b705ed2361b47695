// Invalidation queue descriptors, one layout per type. 256-bit queues add two words that must be zero.
import { address, bit, decodeField, entry, field, split, wide } from '@iommu/bits'
import type { Entry, Run, Words } from '@iommu/bits'

const TYPE: readonly Run[] = [[11, 9], [3, 0]]
const type = split(TYPE, 'Descriptor Type', { confirmedBy: ['qemu'] })
const BOTH = ['linux', 'qemu'] as const

/** Values of the Type field. */
export const DESCRIPTOR_TYPES = {
  contextCache: 1, iotlb: 2, deviceTlb: 3, interruptEntryCache: 4, wait: 5, pasidIotlb: 6, pasidCache: 7,
  pasidDeviceTlb: 8, pageGroupResponse: 9,
} as const

/** How much an invalidation covers. */
export const GRANULARITY = { global: 1, domain: 2, page: 3, device: 3, pasid: 2 } as const
/** PASID-cache granularities are numbered differently. */
export const PASID_CACHE_GRANULARITY = { domain: 0, pasid: 1, global: 3 } as const

export const contextCacheDescriptor = entry('vtd.qi.context-cache', {
  title: 'Context-cache invalidate', bits: 128, section: 'vtd:6.5.2.1?', confirmedBy: BOTH,
  reserved: [[8, 6], [15, 12], [63, 50], [127, 64]],
}, {
  Type: type,
  G: field(5, 4, 'Granularity', { 1: 'global', 2: 'domain', 3: 'device' }),
  DID: field(31, 16, 'Domain Identifier'),
  SID: field(47, 32, 'Source Identifier'),
  FM: field(49, 48, 'Function Mask'),
})

export const iotlbDescriptor = entry('vtd.qi.iotlb', {
  title: 'IOTLB invalidate', bits: 128, section: 'vtd:6.5.2.3?', confirmedBy: BOTH,
  reserved: [[8, 8], [15, 12], [63, 32], [75, 71]],
}, {
  Type: type,
  G: field(5, 4, 'Granularity', { 1: 'global', 2: 'domain', 3: 'page' }),
  DW: bit(6, 'Drain Writes', { confirmedBy: ['linux'] }),
  DR: bit(7, 'Drain Reads', { confirmedBy: ['linux'] }),
  DID: field(31, 16, 'Domain Identifier'),
  AM: field(69, 64, 'Address Mask: 2^AM pages'),
  IH: bit(70, 'Invalidation Hint: only leaves changed', { confirmedBy: ['linux'] }),
  ADDR: address(127, 76, 'Address'),
})

export const deviceTlbDescriptor = entry('vtd.qi.device-tlb', {
  title: 'Device-TLB invalidate', bits: 128, section: 'vtd:6.5.2.5?', confirmedBy: BOTH,
  reserved: [[8, 4], [31, 21], [51, 48], [75, 65]],
}, {
  Type: type,
  MaxInvsPend: field(20, 16, 'Maximum Invalidations Pending', undefined, { confirmedBy: ['linux'] }),
  SID: field(47, 32, 'Source Identifier'),
  PFSID: split([[63, 52], [15, 12]], 'Physical-function Source Identifier', { confirmedBy: ['linux'] }),
  S: bit(64, 'Size: the address says how many pages'),
  ADDR: address(127, 76, 'Address'),
})

export const interruptEntryCacheDescriptor = entry('vtd.qi.iec', {
  title: 'Interrupt entry cache invalidate', bits: 128, section: 'vtd:6.5.2.7?', confirmedBy: BOTH,
  reserved: [[8, 5], [26, 12], [63, 48], [127, 64]],
}, {
  Type: type,
  G: bit(4, 'Granularity: 1 index-selective'),
  IM: field(31, 27, 'Index Mask'),
  IIDX: field(47, 32, 'Interrupt Index'),
})

export const waitDescriptor = entry('vtd.qi.wait', {
  title: 'Invalidation wait', bits: 128, section: 'vtd:6.5.2.8?', confirmedBy: BOTH,
  reserved: [[8, 8], [31, 12], [65, 64]],
}, {
  Type: type,
  IF: bit(4, 'Interrupt Flag', { confirmedBy: ['qemu'] }),
  SW: bit(5, 'Status Write'),
  FN: bit(6, 'Fence'),
  PD: bit(7, 'Page-request Drain', { confirmedBy: ['linux'] }),
  StatusData: field(63, 32, 'Status Data'),
  StatusAddress: address(127, 66, 'Status Address', { scale: 2, confirmedBy: ['qemu'] }),
})

export const pasidIotlbDescriptor = entry('vtd.qi.pasid-iotlb', {
  title: 'PASID-based IOTLB invalidate', bits: 128, section: 'vtd:6.5.2.4?', confirmedBy: BOTH,
  reserved: [[8, 6], [15, 12], [63, 52], [75, 71]],
}, {
  Type: type,
  G: field(5, 4, 'Granularity', { 2: 'all of the PASID', 3: 'pages of the PASID' }),
  DID: field(31, 16, 'Domain Identifier'),
  PASID: field(51, 32, 'PASID'),
  AM: field(69, 64, 'Address Mask: 2^AM pages'),
  IH: bit(70, 'Invalidation Hint: only leaves changed'),
  ADDR: address(127, 76, 'Address'),
})

export const pasidCacheDescriptor = entry('vtd.qi.pasid-cache', {
  title: 'PASID-cache invalidate', bits: 128, section: 'vtd:6.5.2.2?', confirmedBy: BOTH,
  reserved: [[8, 6], [15, 12], [63, 52], [127, 64]],
}, {
  Type: type,
  G: field(5, 4, 'Granularity', { 0: 'domain', 1: 'PASID', 3: 'global' }),
  DID: field(31, 16, 'Domain Identifier'),
  PASID: field(51, 32, 'PASID'),
})

export const pasidDeviceTlbDescriptor = entry('vtd.qi.pasid-device-tlb', {
  title: 'PASID-based device-TLB invalidate', bits: 128, section: 'vtd:6.5.2.6?', confirmedBy: BOTH,
  reserved: [[74, 65]],
}, {
  Type: split([[11, 9], [3, 0]], 'Descriptor Type', { confirmedBy: ['qemu'] }),
  MaxInvsPend: field(8, 4, 'Maximum Invalidations Pending', undefined, { confirmedBy: ['linux'] }),
  SID: field(31, 16, 'Source Identifier'),
  PASID: field(51, 32, 'PASID'),
  PFSID: split([[63, 52], [15, 12]], 'Physical-function Source Identifier', { confirmedBy: ['linux'] }),
  G: bit(64, 'Global: all PASIDs', { confirmedBy: ['qemu'] }),
  S: bit(75, 'Size: the address says how many pages'),
  ADDR: address(127, 76, 'Address'),
})

export const pageGroupResponseDescriptor = entry('vtd.qi.page-group-response', {
  title: 'Page group response', bits: 128, section: 'vtd:7.7.1?', confirmedBy: BOTH,
  reserved: [[8, 5], [63, 52], [65, 64], [127, 76]],
}, {
  Type: type,
  PP: bit(4, 'PASID Present'),
  RC: field(15, 12, 'Response Code', { 0: 'success', 1: 'invalid request', 15: 'failure' }),
  RID: field(31, 16, 'Requester Identifier'),
  PASID: field(51, 32, 'PASID'),
  LPIG: bit(66, 'Last Page in Group (older revisions)', { confirmedBy: [] }),
  PRGI: field(75, 67, 'Page Request Group Index'),
})

/** A page request as hardware queues it (types only: nothing here serves page requests yet). */
export const pageRequestDescriptor = entry('vtd.page-request', {
  title: 'Page request', bits: 256, section: 'vtd:7.4.1?', confirmedBy: BOTH,
  reserved: [[15, 10], [63, 54]],
}, {
  Type: field(7, 0, 'Request Type', undefined, { confirmedBy: ['linux'] }),
  PP: bit(8, 'PASID Present'),
  PDP: bit(9, 'Private Data Present', { confirmedBy: [] }),
  RID: field(31, 16, 'Requester Identifier'),
  PASID: field(51, 32, 'PASID'),
  EXR: bit(52, 'Execute Requested'),
  PMR: bit(53, 'Privileged Mode Requested'),
  RD: bit(64, 'Read Requested'),
  WR: bit(65, 'Write Requested'),
  LPIG: bit(66, 'Last Page in Group'),
  PRGI: field(75, 67, 'Page Request Group Index'),
  ADDR: address(127, 76, 'Address'),
  PrivateData: wide(255, 128, 'Private Data', { confirmedBy: [] }),
})

/** The layout of each descriptor type. Made by a pure call, so that whoever needs single ones does not carry all. */
export const descriptors = /* @__PURE__ */ (() => ({
  [DESCRIPTOR_TYPES.contextCache]: contextCacheDescriptor,
  [DESCRIPTOR_TYPES.iotlb]: iotlbDescriptor,
  [DESCRIPTOR_TYPES.deviceTlb]: deviceTlbDescriptor,
  [DESCRIPTOR_TYPES.interruptEntryCache]: interruptEntryCacheDescriptor,
  [DESCRIPTOR_TYPES.wait]: waitDescriptor,
  [DESCRIPTOR_TYPES.pasidIotlb]: pasidIotlbDescriptor,
  [DESCRIPTOR_TYPES.pasidCache]: pasidCacheDescriptor,
  [DESCRIPTOR_TYPES.pasidDeviceTlb]: pasidDeviceTlbDescriptor,
  [DESCRIPTOR_TYPES.pageGroupResponse]: pageGroupResponseDescriptor,
} as const))()

/** The layout of a descriptor, by its first two words, or undefined for a type that there is not. All types share the place of Type. */
export const descriptorLayout = (words: Words): Entry | undefined =>
  (descriptors as Readonly<Record<number, Entry>>)[decodeField(waitDescriptor, words, 'Type')]
