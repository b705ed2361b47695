// Registers: where they lie, and the fields of those that have fields.
import { address, bit, entry, field } from '@iommu/bits'

/** Byte offsets into the register window. FRCD and IVA/IOTLB lie where CAP.FRO and ECAP.IRO say. */
export const OFFSETS = {
  VER: 0x000, CAP: 0x008, ECAP: 0x010, GCMD: 0x018, GSTS: 0x01c, RTADDR: 0x020, CCMD: 0x028,
  FSTS: 0x034, FECTL: 0x038, FEDATA: 0x03c, FEADDR: 0x040, FEUADDR: 0x044, PMEN: 0x064,
  IQH: 0x080, IQT: 0x088, IQA: 0x090, ICS: 0x09c, IECTL: 0x0a0, IEDATA: 0x0a4, IEADDR: 0x0a8, IEUADDR: 0x0ac,
  IQERCD: 0x0b0, IRTA: 0x0b8, PQH: 0x0c0, PQT: 0x0c8, PQA: 0x0d0, PRS: 0x0dc,
} as const

const from = { confirmedBy: ['linux', 'qemu'] } as const

export const capability = entry('vtd.cap', {
  title: 'Capability register', bits: 64, section: 'vtd:11.4.2?', ...from,
  reserved: [[3, 3], [15, 13], [38, 38], [58, 57]],
}, {
  ND: field(2, 0, 'Number of domains: 2^(4+2*ND)'),
  RWBF: bit(4, 'Required Write-Buffer Flushing'),
  PLMR: bit(5, 'Protected Low-Memory Region'),
  PHMR: bit(6, 'Protected High-Memory Region'),
  CM: bit(7, 'Caching Mode'),
  SAGAW: field(12, 8, 'Supported Adjusted Guest Address Widths, a bit each: 1 3-level, 2 4-level, 3 5-level'),
  MGAW: field(21, 16, 'Maximum Guest Address Width, less 1'),
  ZLR: bit(22, 'Zero Length Read'),
  DEP: bit(23, 'Deprecated (was ISOCH)', { confirmedBy: [] }),
  FRO: field(33, 24, 'Fault-recording Register Offset / 16'),
  SSLPS: field(37, 34, 'Second-stage Large Page Support: bit 0 2 MiB, bit 1 1 GiB'),
  PSI: bit(39, 'Page Selective Invalidation'),
  NFR: field(47, 40, 'Number of Fault-recording Registers, less 1'),
  MAMV: field(53, 48, 'Maximum Address Mask Value'),
  DWD: bit(54, 'Write Draining'),
  DRD: bit(55, 'Read Draining'),
  FS1GP: bit(56, 'First-stage 1-GByte Page Support'),
  PI: bit(59, 'Posted Interrupts'),
  FS5LP: bit(60, 'First-stage 5-level Paging', { alias: ['FL5LP'] }),
  ECMDS: bit(61, 'Enhanced Command Support', { confirmedBy: ['linux'] }),
  ESIRTPS: bit(62, 'Enhanced Set Interrupt Remap Table Pointer', { confirmedBy: ['linux', 'capture'] }),
  ESRTPS: bit(63, 'Enhanced Set Root Table Pointer: SRTP invalidates everything', { confirmedBy: ['linux', 'capture'] }),
})

export const extendedCapability = entry('vtd.ecap', {
  title: 'Extended capability register', bits: 64, section: 'vtd:11.4.3?', ...from,
  reserved: [[5, 5], [19, 18], [24, 24], [28, 27], [32, 32], [44, 44], [50, 50], [63, 52]],
}, {
  C: bit(0, 'Page-walk Coherency'),
  QI: bit(1, 'Queued Invalidation'),
  DT: bit(2, 'Device-TLB'),
  IR: bit(3, 'Interrupt Remapping'),
  EIM: bit(4, 'Extended Interrupt Mode'),
  PT: bit(6, 'Pass-through'),
  SC: bit(7, 'Snoop Control'),
  IRO: field(17, 8, 'IOTLB Register Offset / 16'),
  MHMV: field(23, 20, 'Maximum Handle Mask Value'),
  MTS: bit(25, 'Memory Type Support', { confirmedBy: [] }),
  NEST: bit(26, 'Nested Translation', { confirmedBy: ['linux'] }),
  PRS: bit(29, 'Page Request'),
  ERS: bit(30, 'Execute Request', { confirmedBy: ['linux'] }),
  SRS: bit(31, 'Supervisor Request'),
  NWFS: bit(33, 'No Write Flag', { confirmedBy: ['linux'] }),
  EAFS: bit(34, 'Extended Accessed Flag', { confirmedBy: ['linux'] }),
  PSS: field(39, 35, 'PASID Size, less 1'),
  PASID: bit(40, 'Process Address Space ID'),
  DIT: bit(41, 'Device-TLB Invalidation Throttle', { confirmedBy: ['linux'] }),
  PDS: bit(42, 'Page-request Drain', { confirmedBy: ['linux'] }),
  SMTS: bit(43, 'Scalable Mode Translation'),
  SSADS: bit(45, 'Second-stage Access/Dirty', { alias: ['SLADS'], confirmedBy: ['linux'] }),
  SSTS: bit(46, 'Second-stage Translation', { alias: ['SLTS'] }),
  FSTS: bit(47, 'First-stage Translation', { alias: ['FLTS'] }),
  SMPWC: bit(48, 'Scalable-mode Page-walk Coherency', { confirmedBy: ['linux'] }),
  RPS: bit(49, 'RID_PASID Support', { confirmedBy: ['linux'] }),
  PMS: bit(51, 'Performance Monitoring', { confirmedBy: ['linux'] }),
})

/** GCMD sets, GSTS reports: the same bits under two names. */
export const globalCommand = entry('vtd.gcmd', {
  title: 'Global command register', bits: 32, wordBits: 32, section: 'vtd:11.4.4?', ...from, reserved: [[22, 0]],
}, {
  CFI: bit(23, 'Compatibility Format Interrupt'),
  SIRTP: bit(24, 'Set Interrupt Remap Table Pointer'),
  IRE: bit(25, 'Interrupt Remapping Enable'),
  QIE: bit(26, 'Queued Invalidation Enable'),
  WBF: bit(27, 'Write Buffer Flush'),
  EAFL: bit(28, 'Enable Advanced Fault Logging'),
  SFL: bit(29, 'Set Fault Log'),
  SRTP: bit(30, 'Set Root Table Pointer'),
  TE: bit(31, 'Translation Enable'),
})

export const globalStatus = entry('vtd.gsts', {
  title: 'Global status register', bits: 32, wordBits: 32, section: 'vtd:11.4.4?', ...from, reserved: [[22, 0]],
}, {
  CFIS: bit(23, 'Compatibility Format Interrupt'),
  IRTPS: bit(24, 'Interrupt Remap Table Pointer'),
  IRES: bit(25, 'Interrupt Remapping'),
  QIES: bit(26, 'Queued Invalidation'),
  WBFS: bit(27, 'Write Buffer Flush under way'),
  AFLS: bit(28, 'Advanced Fault Logging'),
  FLS: bit(29, 'Fault Log'),
  RTPS: bit(30, 'Root Table Pointer'),
  TES: bit(31, 'Translation'),
})

/** What TTM says. */
export const TABLE_MODES = { 0: 'legacy', 1: 'scalable', 3: 'abort all DMA' } as const

export const rootTableAddress = entry('vtd.rtaddr', {
  title: 'Root table address register', bits: 64, section: 'vtd:11.4.5?', confirmedBy: ['linux', 'qemu', 'capture'],
  reserved: [[9, 0]],
}, {
  TTM: field(11, 10, 'Translation Table Mode', TABLE_MODES),
  RTA: address(63, 12, 'Root Table Address'),
})

export const faultStatus = entry('vtd.fsts', {
  title: 'Fault status register', bits: 32, wordBits: 32, section: 'vtd:11.4.9?', ...from,
  reserved: [[3, 2], [31, 16]],
}, {
  PFO: bit(0, 'Primary Fault Overflow'),
  PPF: bit(1, 'Primary Pending Fault'),
  IQE: bit(4, 'Invalidation Queue Error'),
  ICE: bit(5, 'Invalidation Completion Error'),
  ITE: bit(6, 'Invalidation Time-out Error'),
  PRO: bit(7, 'Page Request Overflow'),
  FRI: field(15, 8, 'Fault Record Index'),
})

export const queueAddress = entry('vtd.iqa', {
  title: 'Invalidation queue address register', bits: 64, section: 'vtd:11.4.9.4?', confirmedBy: ['linux', 'qemu', 'capture'],
  reserved: [[10, 3]],
}, {
  QS: field(2, 0, 'Queue Size: 2^QS pages'),
  DW: bit(11, 'Descriptor Width: 0 128-bit, 1 256-bit'),
  IQA: address(63, 12, 'Queue Base Address'),
})

export const queueError = entry('vtd.iqercd', {
  title: 'Invalidation queue error record', bits: 64, section: 'vtd:11.4.9.9?', confirmedBy: ['linux'],
  reserved: [[31, 4]],
}, {
  IQEI: field(3, 0, 'Queue Error Info', undefined, { confirmedBy: ['linux'] }),
  ITESID: field(47, 32, 'Time-out Error Source'),
  ICESID: field(63, 48, 'Completion Error Source'),
})
