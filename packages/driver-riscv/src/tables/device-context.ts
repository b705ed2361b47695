// Device contexts: 64 bytes where the unit can translate guests' interrupts (MSI_FLAT), else the first 32 of these.
import { address, bit, entry, field, wide } from '@iommu/bits'

/** First-stage modes of fsc, where it is no process directory. */
export const FIRST_STAGE_MODES = { bare: 0, sv39: 8, sv48: 9, sv57: 10 } as const
/** Modes of fsc where it is a process directory: PDTV is 1. */
export const DIRECTORY_MODES = { bare: 0, pd8: 1, pd17: 2, pd20: 3 } as const
/** Second-stage modes; the root table is four pages. */
export const SECOND_STAGE_MODES = { bare: 0, sv39x4: 8, sv48x4: 9, sv57x4: 10 } as const

const all = ['linux', 'qemu', 'spec'] as const

const common = {
  V: bit(0, 'Valid'),
  EN_ATS: bit(1, 'ATS requests and translated requests are let through'),
  EN_PRI: bit(2, 'Page requests are let through'),
  T2GPA: bit(3, 'ATS answers guest physical addresses'),
  DTF: bit(4, 'Disable Translation Fault reports'),
  PDTV: bit(5, 'fsc is a process directory'),
  PRPR: bit(6, 'Page responses carry the PASID'),
  GADE: bit(7, 'Hardware sets A and D in the second stage'),
  SADE: bit(8, 'Hardware sets A and D in the first stage'),
  DPE: bit(9, 'Requests without process id are those of process id 0'),
  SBE: bit(10, 'First-stage tables and process directory are big-endian'),
  SXL: bit(11, 'The first stage is a 32-bit one'),
  IOHGATP_PPN: address(107, 64, 'Second-stage root table', { scale: 12, alias: ['iohgatp.PPN'] }),
  GSCID: field(123, 108, 'Guest Soft-context Identifier', undefined, { alias: ['iohgatp.GSCID'] }),
  IOHGATP_MODE: field(127, 124, 'Second-stage mode', { 0: 'Bare', 8: 'Sv39x4', 9: 'Sv48x4', 10: 'Sv57x4' }, { alias: ['iohgatp.MODE'] }),
  PSCID: field(159, 140, 'Process Soft-context Identifier', undefined, { alias: ['ta.PSCID'] }),
  RCID: field(179, 168, 'Resource Control Identifier; reserved without QOSID', undefined, { alias: ['ta.RCID'], confirmedBy: ['spec'] }),
  MCID: field(191, 180, 'Monitoring Counter Identifier; reserved without QOSID', undefined, { alias: ['ta.MCID'], confirmedBy: ['spec'] }),
  FSC_PPN: address(235, 192, 'First-stage root table, or process directory', { scale: 12, alias: ['fsc.PPN', 'iosatp.PPN', 'pdtp.PPN'] }),
  FSC_MODE: field(255, 252, 'First-stage mode: 8 Sv39, 9 Sv48, 10 Sv57; with PDTV 1 PD8, 2 PD17, 3 PD20', undefined, { alias: ['fsc.MODE'] }),
} as const

/** tc bits 31:24 are the implementation's own, and not checked. */
const CUSTOM = [31, 24] as const
const commonReserved = [[23, 12], [63, 32], [139, 128], [167, 160], [251, 236]] as const

/** The extended format: what is decoded as `riscv.dc`. */
export const deviceContext = entry('riscv.dc', {
  title: 'Device context, extended format', bits: 512, section: 'riscv:2.1.3?', confirmedBy: all,
  reserved: [...commonReserved, [315, 300], [383, 372], [447, 436], [511, 448]],
  ignored: [CUSTOM],
}, {
  ...common,
  MSIPTP_PPN: address(299, 256, 'Table of guest interrupt files', { scale: 12, alias: ['msiptp.PPN'] }),
  MSIPTP_MODE: field(319, 316, 'MSI page table mode', { 0: 'Off', 1: 'Flat' }, { alias: ['msiptp.MODE'] }),
  MSI_ADDR_MASK: wide(371, 320, 'MSI address mask', { confirmedBy: ['linux', 'spec'] }),
  MSI_ADDR_PATTERN: wide(435, 384, 'MSI address pattern', { confirmedBy: ['linux', 'spec'] }),
})

/** The base format: its four words are the first four of the extended one. */
export const baseDeviceContext = entry('riscv.dc-base', {
  title: 'Device context, base format', bits: 256, section: 'riscv:2.1.3?', confirmedBy: all,
  reserved: [...commonReserved],
  ignored: [CUSTOM],
}, common)
