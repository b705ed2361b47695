// Registers: where they lie, and the fields of those that have fields.
import { address, bit, entry, field } from '@iommu/bits'
import type { Entry, Source } from '@iommu/bits'

/** Byte offsets into the register window. */
export const OFFSETS = {
  DEVTAB_BASE: 0x0000, CMD_BASE: 0x0008, EVT_BASE: 0x0010, CONTROL: 0x0018, EXCL_BASE: 0x0020, EXCL_LIMIT: 0x0028,
  EFR: 0x0030, PPR_BASE: 0x0038, HW_EVENT_UPPER: 0x0040, HW_EVENT_LOWER: 0x0048, HW_EVENT_STATUS: 0x0050,
  GALOG_BASE: 0x00e0, GALOG_TAILADDR: 0x00e8, DEVTAB_SEGMENT_1: 0x0100, EFR2: 0x01a0,
  CMD_HEAD: 0x2000, CMD_TAIL: 0x2008, EVT_HEAD: 0x2010, EVT_TAIL: 0x2018, STATUS: 0x2020,
  PPR_HEAD: 0x2030, PPR_TAIL: 0x2038, GALOG_HEAD: 0x2040, GALOG_TAIL: 0x2048,
} as const

const BOTH = ['linux', 'qemu'] as const
const from = { confirmedBy: BOTH } as const
const CAPTURE = ['linux', 'qemu', 'capture'] as const
const capture = { confirmedBy: CAPTURE } as const
const nobody = { confirmedBy: [] } as const

/** The capability header in PCI configuration space; NpCache is nowhere else. */
export const capabilityHeader = entry('amd.capability-header', {
  title: 'Capability header', bits: 32, wordBits: 32, section: 'amd:3.2.1?', confirmedBy: CAPTURE, reserved: [[31, 29]],
}, {
  CapId: field(7, 0, 'Capability Identifier: 0x0f'),
  CapPtr: field(15, 8, 'Next capability'),
  CapType: field(18, 16, 'Capability Type: 3'),
  CapRev: field(23, 19, 'Capability Revision'),
  IotlbSup: bit(24, 'IOTLB Support: devices may use ATS'),
  HtTunnel: bit(25, 'HyperTransport Tunnel'),
  NpCache: bit(26, 'Not-present Cache: entries that are not present may be cached'),
  EFRSup: bit(27, 'Extended Feature Register Support'),
  CapExt: bit(28, 'Capability Extension'),
})

export const deviceTableBase = entry('amd.devtab-base', {
  title: 'Device table base address register', bits: 64, section: 'amd:3.4.1?', confirmedBy: CAPTURE, reserved: [[11, 9], [63, 52]],
}, {
  Size: field(8, 0, 'Size: (Size+1) * 4 KiB'),
  Base: address(51, 12, 'Device Table Base Address'),
})

const ringParts = {
  Base: address(51, 12, 'Base Address'),
  Len: field(59, 56, 'Length: 2^Len entries, 8 to 15'),
} as const
const ring = /* @__NO_SIDE_EFFECTS__ */ (name: string, title: string, section: string, confirmedBy: readonly Source[]): Entry<typeof ringParts> =>
  entry(name, { title, bits: 64, section, confirmedBy, reserved: [[11, 0], [55, 52], [63, 60]] }, ringParts)

export const commandBufferBase = ring('amd.cmd-base', 'Command buffer base address register', 'amd:3.4.2?', CAPTURE)
export const eventLogBase = ring('amd.evt-base', 'Event log base address register', 'amd:3.4.3?', CAPTURE)
export const pprLogBase = ring('amd.ppr-base', 'PPR log base address register', 'amd:3.4.7?', ['linux'])

export const control = entry('amd.control', {
  title: 'Control register', bits: 64, section: 'amd:3.4.4?', confirmedBy: ['linux'],
  reserved: [[24, 22], [49, 49], [53, 52], [57, 55], [60, 60], [63, 62]],
}, {
  IommuEn: bit(0, 'IOMMU Enable', capture),
  HtTunEn: bit(1, 'HyperTransport Tunnel Enable'),
  EvtLogEn: bit(2, 'Event Log Enable', capture),
  EvtIntEn: bit(3, 'Event Interrupt Enable', capture),
  ComWaitIntEn: bit(4, 'Completion Wait Interrupt Enable', from),
  InvTimeout: field(7, 5, 'Invalidation Time-out'),
  PassPW: bit(8, 'Pass Posted Write'),
  ResPassPW: bit(9, 'Response Pass Posted Write'),
  Coherent: bit(10, 'Coherent: walks of the device table snoop'),
  Isoc: bit(11, 'Isochronous'),
  CmdBufEn: bit(12, 'Command Buffer Enable', capture),
  PPRLogEn: bit(13, 'PPR Log Enable'),
  PPRIntEn: bit(14, 'PPR Interrupt Enable'),
  PPREn: bit(15, 'PPR Enable'),
  GTEn: bit(16, 'Guest Translation Enable'),
  GAEn: bit(17, 'Guest APIC Enable'),
  TLPT: field(21, 18, 'Guest CR3 walk attributes', undefined, nobody),
  GAMode: field(27, 25, 'Guest APIC Mode'),
  GALogEn: bit(28, 'Guest APIC Log Enable'),
  GAIntEn: bit(29, 'Guest APIC Interrupt Enable'),
  DualPPRLogEn: field(31, 30, 'Dual PPR Log Enable', undefined, nobody),
  DualEvtLogEn: field(33, 32, 'Dual Event Log Enable', undefined, nobody),
  DevTblSegEn: field(36, 34, 'Device Table Segment Enable', undefined, nobody),
  PrivAbrtEn: field(38, 37, 'Privilege Abort Enable', undefined, nobody),
  PPRAutoRspEn: bit(39, 'PPR Auto Response Enable', nobody),
  MarcEn: bit(40, 'Memory Address Routing Enable', nobody),
  BlkStopMrkEn: bit(41, 'Block StopMark Enable', nobody),
  PPRAutoRspAon: bit(42, 'PPR Auto Response Always On', nobody),
  NumIntRemapMode: field(44, 43, 'Number of Interrupt Remapping Mode'),
  EPHEn: bit(45, 'Enhanced PPR Handling Enable'),
  HADUpdate: field(47, 46, 'Host Access/Dirty Update'),
  GDUpdateDis: bit(48, 'Guest Dirty Update Disable', nobody),
  XTEn: bit(50, 'x2APIC Enable'),
  IntCapXTEn: bit(51, 'Interrupt Capability x2APIC Enable'),
  GAUpdateDis: bit(54, 'Guest APIC Update Disable', nobody),
  GCR3TRPMode: bit(58, 'GCR3 Table Root Pointer Mode'),
  IRTCacheDis: bit(59, 'Interrupt Remapping Table Cache Disable'),
  SNPAVICEn: bit(61, 'SNP AVIC Enable'),
})

export const extendedFeatures = entry('amd.efr', {
  title: 'Extended feature register', bits: 64, section: 'amd:3.4.7?', confirmedBy: ['linux'],
  reserved: [[5, 5], [20, 16], [27, 26], [31, 30], [45, 41], [47, 47], [53, 53], [60, 55]],
}, {
  PreFSup: bit(0, 'Prefetch Support', from),
  PPRSup: bit(1, 'Peripheral Page Request Support', from),
  XTSup: bit(2, 'x2APIC Support', capture),
  NXSup: bit(3, 'No-execute Support'),
  GTSup: bit(4, 'Guest Translation Support', from),
  IASup: bit(6, 'INVALIDATE_IOMMU_ALL Support', capture),
  GASup: bit(7, 'Guest APIC Support', from),
  HESup: bit(8, 'Hardware Error register Support', from),
  PCSup: bit(9, 'Performance Counter Support'),
  HATS: field(11, 10, 'Host Address Translation Size', { 0: '4 levels', 1: '5 levels', 2: '6 levels', 3: 'none' }, from),
  GATS: field(13, 12, 'Guest Address Translation Size', { 0: '4 levels', 1: '5 levels' }, from),
  GLXSup: field(15, 14, 'Levels of GCR3 tables, less 1'),
  GAMSup: field(23, 21, 'Guest APIC Mode Support'),
  DualPPRLogSup: field(25, 24, 'Dual PPR Log Support', undefined, nobody),
  DualEvtLogSup: field(29, 28, 'Dual Event Log Support', undefined, nobody),
  PASMax: field(36, 32, 'PASID width, less 1'),
  USSup: bit(37, 'User/Supervisor Support', nobody),
  DevTblSegSup: field(39, 38, 'Device Table Segmentation Support', undefined, nobody),
  PPROvrflwEarlySup: bit(40, 'PPR Overflow Early Support', nobody),
  MsiCapMmioSup: bit(46, 'MSI Capability by MMIO', nobody),
  GIOSup: bit(48, 'Guest I/O protection Support: GIoV is legal'),
  HASup: bit(49, 'Host Access Support'),
  EPHSup: bit(50, 'Enhanced PPR Handling Support'),
  AttrFWSup: bit(51, 'Attribute Forward Support', nobody),
  HDSup: bit(52, 'Host Dirty Support'),
  InvIotlbTypeSup: bit(54, 'INVALIDATE_IOTLB_PAGES Type Support', nobody),
  GAUpdateDisSup: bit(61, 'Guest APIC Update Disable Support', nobody),
  ForcePhyDestSup: bit(62, 'Forced Physical Destination Support', nobody),
  SNPSup: bit(63, 'Secure Nested Paging Support'),
})

export const extendedFeatures2 = entry('amd.efr2', {
  title: 'Extended feature register 2', bits: 64, section: 'amd:3.4?', confirmedBy: [],
  reserved: [[10, 10], [12, 12], [63, 14]],
}, {
  SevSnpIoSup: field(1, 0, 'SEV-SNP I/O Support'),
  PageMigrationSup: bit(2, 'Page Migration Support'),
  GCR3TRPMode: bit(3, 'GCR3 table root may be a guest address', { confirmedBy: ['linux'] }),
  GAPPIDisSup: bit(4, 'GAPPI Disable Support'),
  SNPAVICSup: field(7, 5, 'SNP AVIC Support', undefined, { confirmedBy: ['linux'] }),
  NumIntRemapSup: field(9, 8, 'Number of Interrupt Remapping Support'),
  HTRangeIgnore: bit(11, 'HyperTransport Range Ignore'),
  SNPPageMode0: bit(13, 'Mode 0 with SNP'),
})

export const status = entry('amd.status', {
  title: 'Status register', bits: 64, section: 'amd:3.4.18?', confirmedBy: BOTH, reserved: [[63, 11]],
}, {
  EvtOvf: bit(0, 'Event log Overflow'),
  EvtInt: bit(1, 'Event log Interrupt', capture),
  ComWaitInt: bit(2, 'Completion Wait Interrupt'),
  EvtRun: bit(3, 'Event log Running', capture),
  CmdRun: bit(4, 'Command buffer Running', capture),
  PPROvf: bit(5, 'PPR log Overflow', { confirmedBy: ['linux'] }),
  PPRInt: bit(6, 'PPR log Interrupt', { confirmedBy: ['linux'] }),
  PPRRun: bit(7, 'PPR log Running', { confirmedBy: ['linux'] }),
  GARun: bit(8, 'Guest APIC log Running', { confirmedBy: ['linux'] }),
  GAOvf: bit(9, 'Guest APIC log Overflow', { confirmedBy: ['linux'] }),
  GAInt: bit(10, 'Guest APIC log Interrupt', { confirmedBy: ['linux'] }),
})

/** Head and tail of every ring: a byte offset. */
export const ringPointer = entry('amd.ring-pointer', {
  title: 'Ring head or tail register', bits: 64, section: 'amd:3.4.14?', confirmedBy: CAPTURE, reserved: [[3, 0], [63, 19]],
}, {
  Offset: field(18, 4, 'Offset / 16'),
})
