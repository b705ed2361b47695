// PASID directory and PASID table entries: one table entry per PASID of a requester id.
import { address, bit, entry, field } from '@iommu/bits'
import { ADDRESS_WIDTHS } from './context.js'

/** What PGTT says. */
export const GRANULAR_TYPES = { 1: 'first stage', 2: 'second stage', 3: 'nested', 4: 'pass-through' } as const

/** Directory: index PASID[19:6]. */
export const pasidDirectoryEntry = entry('vtd.pasid-dir', {
  title: 'PASID directory entry', bits: 64, section: 'vtd:9.5?', confirmedBy: ['linux', 'qemu', 'capture'],
  reserved: [[11, 2]],
}, {
  P: bit(0, 'Present', { confirmedBy: ['linux', 'capture'] }),
  FPD: bit(1, 'Fault Processing Disable'),
  SMPTBLPTR: address(63, 12, 'PASID Table Pointer', { alias: ['PASIDTBLPTR'] }),
})

/** Table: index PASID[5:0]. */
export const pasidEntry = entry('vtd.pasid', {
  title: 'PASID table entry', bits: 512, section: 'vtd:9.6?', confirmedBy: ['linux', 'qemu', 'capture'],
  reserved: [[11, 10], [86, 80], [139, 136], [511, 192]],
}, {
  P: bit(0, 'Present'),
  FPD: bit(1, 'Fault Processing Disable'),
  AW: field(4, 2, 'Address Width', ADDRESS_WIDTHS),
  SSEE: bit(5, 'Second-stage Execute Enable', { alias: ['SLEE'], confirmedBy: [] }),
  PGTT: field(8, 6, 'PASID Granular Translation Type', GRANULAR_TYPES),
  SSADE: bit(9, 'Second-stage Access/Dirty Enable', { alias: ['SLADE'], confirmedBy: ['linux'] }),
  SSPTPTR: address(63, 12, 'Second-stage Page-table Pointer', { alias: ['SLPTPTR'] }),
  DID: field(79, 64, 'Domain Identifier'),
  PWSNP: bit(87, 'Page-walk Snoop', { confirmedBy: ['linux'] }),
  PGSNP: bit(88, 'Page Snoop', { confirmedBy: ['linux'] }),
  CD: bit(89, 'Cache Disable', { confirmedBy: [] }),
  EMTE: bit(90, 'Extended Memory Type Enable', { confirmedBy: [] }),
  EMT: field(93, 91, 'Extended Memory Type', undefined, { confirmedBy: [] }),
  PWT: bit(94, 'Page-level Write-through', { confirmedBy: [] }),
  PCD: bit(95, 'Page-level Cache Disable', { confirmedBy: [] }),
  PAT: field(127, 96, 'Page Attribute Table', undefined, { confirmedBy: [] }),
  SRE: bit(128, 'Supervisor Request Enable', { confirmedBy: ['linux'] }),
  ERE: bit(129, 'Execute Request Enable', { confirmedBy: [] }),
  FSPM: field(131, 130, 'First-stage Paging Mode', { 0: '4-level', 1: '5-level' }, { alias: ['FLPM'], confirmedBy: ['linux', 'qemu'] }),
  WPE: bit(132, 'Write Protect Enable', { confirmedBy: ['linux'] }),
  NXE: bit(133, 'No-execute Enable', { confirmedBy: [] }),
  SMEP: bit(134, 'Supervisor Mode Execute Prevention', { confirmedBy: [] }),
  EAFE: bit(135, 'Extended Accessed Flag Enable', { confirmedBy: ['linux'] }),
  FSPTPTR: address(191, 140, 'First-stage Page-table Pointer', { alias: ['FLPTPTR'] }),
})
