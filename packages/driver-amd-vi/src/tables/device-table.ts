// Device table entries: one of 256 bits per device id.
import { address, bit, entry, field, splitAddress, usedMask, wide } from '@iommu/bits'
import type { Run } from '@iommu/bits'

/** What Mode says: levels of the host table. */
export const PAGING_MODES = {
  0: 'no host translation', 1: '1-level', 2: '2-level', 3: '3-level', 4: '4-level', 5: '5-level', 6: '6-level',
} as const

/** What IntCtl says of fixed and arbitrated interrupts. */
export const INTERRUPT_CONTROLS = { 0: 'abort', 1: 'forward unmapped', 2: 'remap' } as const

/** The pointer to the GCR3 table lies in three places, its most significant part first. */
const GCR3_RUNS: readonly Run[] = [[127, 107], [95, 80], [60, 58]]

const linux = { confirmedBy: ['linux'] } as const
const both = { confirmedBy: ['linux', 'qemu'] } as const
const nobody = { confirmedBy: [] } as const

/**
 * What a device's DMA and interrupts meet. V=0 lets DMA pass untranslated; V=1 with TV=0 aborts it. Bits 53, 97, 103:99
 * and the upper attributes are the platform's business, and zero here. By OpenVMM's reading revision 3.11 has an attribute of CXL memory
 * in bits 6:4, which 3.05 and QEMU reserve.
 */
export const deviceTableEntry = entry('amd.dte', {
  title: 'Device table entry', bits: 256, section: 'amd:2.2.2.1?', confirmedBy: ['linux', 'qemu', 'capture'],
  reserved: [[6, 2], [63, 63], [181, 180], [206, 192], [245, 240]],
}, {
  V: bit(0, 'Valid: 0 lets DMA pass untranslated'),
  TV: bit(1, 'Translation information Valid'),
  HAD: field(8, 7, 'Host Access/Dirty', { 0: 'off', 1: 'access', 3: 'access and dirty' }, linux),
  Mode: field(11, 9, 'Paging Mode', PAGING_MODES, { alias: ['PagingMode'] }),
  HostPTRoot: address(51, 12, 'Host Page Table Root Pointer', { alias: ['PTRoot', 'HostPageTableRootPtr'] }),
  PPR: bit(52, 'Peripheral Page Requests', linux),
  GPRP: bit(53, 'PPR response includes the PASID', nobody),
  GIoV: bit(54, 'Guest I/O Valid: requests without PASID are those of PASID 0', { ...linux, alias: ['GIOV'] }),
  GV: bit(55, 'Guest translation Valid: the GCR3 table is used', linux),
  GLX: field(57, 56, 'Guest Levels: levels of the GCR3 table, less 1', { 0: '1-level', 1: '2-level', 2: '3-level' }, linux),
  GCR3TRP: splitAddress(GCR3_RUNS, 'Guest CR3 Table Root Pointer', 12, { ...linux, alias: ['GCR3', 'GCR3Root'] }),
  IR: bit(61, 'I/O Read permission'),
  IW: bit(62, 'I/O Write permission'),
  DomainID: field(79, 64, 'Domain Identifier', undefined, { alias: ['DomID'] }),
  I: bit(96, 'IOTLB enable: the device may use ATS', { ...linux, alias: ['IOTLB'] }),
  SE: bit(97, 'Suppress I/O page fault events while the entry is cached', nobody),
  SA: bit(98, 'Suppress All I/O page fault events', linux),
  IoCtl: field(100, 99, 'Port I/O Control', undefined, nobody),
  Cache: bit(101, 'IOTLB Cache hint', nobody),
  SD: bit(102, 'Snoop Disable', nobody),
  EX: bit(103, 'Exclusion allowed', nobody),
  SysMgt: field(105, 104, 'System Management message control', undefined, linux),
  SATS: bit(106, 'Secure ATS in newer revisions, reserved in 3.05', nobody),
  IV: bit(128, 'Interrupt map Valid', both),
  IntTabLen: field(132, 129, 'Interrupt Table Length: 2^IntTabLen entries', undefined, linux),
  IG: bit(133, 'Ignore unmapped interrupts', nobody),
  IntTabRoot: address(179, 134, 'Interrupt Table Root Pointer', { ...both, scale: 6, alias: ['IntTablePtr'] }),
  GuestPagingMode: field(183, 182, 'Guest Paging Mode', { 0: '4-level', 1: '5-level' }, { ...linux, alias: ['GPM'] }),
  InitPass: bit(184, 'INIT Pass-through', both),
  EIntPass: bit(185, 'ExtInt Pass-through', both),
  NMIPass: bit(186, 'NMI Pass-through', both),
  HPTMode: bit(187, 'Host Page Table Mode', nobody),
  IntCtl: field(189, 188, 'Interrupt Control', INTERRUPT_CONTROLS, both),
  Lint0Pass: bit(190, 'LINT0 Pass-through', both),
  Lint1Pass: bit(191, 'LINT1 Pass-through', both),
  Virtual: wide(239, 207, 'vIOMMU fields of newer revisions, reserved in 3.05', nobody),
  AttrV: bit(246, 'Attribute Valid', nobody),
  Mode0FC: bit(247, 'Force Coherence where Mode is 0', nobody),
  SnoopAttribute: field(255, 248, 'Snoop Attribute', undefined, nobody),
})

/** What firmware and the interrupt side have in an entry; DMA's side writes an entry without touching it. */
const NOT_OF_DMA = [
  'IoCtl', 'Cache', 'SD', 'EX', 'SysMgt', 'IV', 'IntTabLen', 'IG', 'IntTabRoot', 'InitPass', 'EIntPass', 'NMIPass', 'IntCtl',
  'Lint0Pass', 'Lint1Pass',
] as const

const notOfDma = usedMask(deviceTableEntry, NOT_OF_DMA)

/** An entry without what DMA's side writes (Linux keeps these bits in every entry that it makes). */
export const platformWords = (words: readonly bigint[]): bigint[] =>
  words.map((word, index) => word & (notOfDma[index] as bigint))
