// Context entries: one per requester id.
import { address, bit, entry, field } from '@iommu/bits'

/** What AW says: levels of the second-stage table. */
export const ADDRESS_WIDTHS = { 1: '39-bit, 3-level', 2: '48-bit, 4-level', 3: '57-bit, 5-level' } as const

/** What TT says. 0: ATS requests are blocked; 1: as 0 with ATS. */
export const TRANSLATION_TYPES = { 0: 'second stage', 1: 'second stage, ATS allowed', 2: 'pass-through' } as const

/** Legacy mode: the entry holds the domain of the requester id. */
export const contextEntry = entry('vtd.context', {
  title: 'Context entry', bits: 128, section: 'vtd:9.3?', confirmedBy: ['linux', 'qemu', 'capture'],
  reserved: [[11, 4], [71, 71], [127, 88]],
  ignored: [[70, 67]],
}, {
  P: bit(0, 'Present'),
  FPD: bit(1, 'Fault Processing Disable'),
  TT: field(3, 2, 'Translation Type', TRANSLATION_TYPES),
  SSPTPTR: address(63, 12, 'Second-stage Page-table Pointer', { alias: ['SLPTPTR', 'ASR'] }),
  AW: field(66, 64, 'Address Width', ADDRESS_WIDTHS),
  DID: field(87, 72, 'Domain Identifier'),
})

/** Scalable mode: the entry points to the PASID directory; the domain is in the PASID entry at RID_PASID. */
export const scalableContextEntry = entry('vtd.sm-context', {
  title: 'Scalable-mode context entry', bits: 256, section: 'vtd:9.4?', confirmedBy: ['linux', 'qemu', 'capture'],
  reserved: [[8, 5], [127, 85], [255, 128]],
}, {
  P: bit(0, 'Present'),
  FPD: bit(1, 'Fault Processing Disable'),
  DTE: bit(2, 'Device-TLB Enable', { confirmedBy: ['linux'] }),
  PASIDE: bit(3, 'PASID Enable', { confirmedBy: ['linux'] }),
  PRE: bit(4, 'Page Request Enable'),
  PDTS: field(11, 9, 'PASID Directory Table Size: 2^(PDTS+7) entries', undefined, { confirmedBy: ['linux', 'capture'] }),
  PASIDDIRPTR: address(63, 12, 'PASID Directory Pointer', { confirmedBy: ['qemu', 'capture'] }),
  RID_PASID: field(83, 64, 'PASID of requests without PASID', undefined, { alias: ['RID2PASID'] }),
  RID_PRIV: bit(84, 'Requests without PASID are privileged', { confirmedBy: [] }),
})
