// Root entries: one per bus, pointing to context tables.
import { address, bit, entry } from '@iommu/bits'

/** Legacy mode: one context table of 256 entries. */
export const rootEntry = entry('vtd.root', {
  title: 'Root entry', bits: 128, section: 'vtd:9.1?', confirmedBy: ['linux', 'qemu', 'capture'],
  reserved: [[11, 1], [127, 64]],
}, {
  P: bit(0, 'Present'),
  CTP: address(63, 12, 'Context-table Pointer'),
})

/** Scalable mode: two context tables of 128 entries, for devfn 0x00-0x7f and 0x80-0xff. */
export const scalableRootEntry = entry('vtd.sm-root', {
  title: 'Scalable-mode root entry', bits: 128, section: 'vtd:9.2?', confirmedBy: ['linux', 'qemu', 'capture'],
  reserved: [[11, 1], [75, 65]],
}, {
  LP: bit(0, 'Lower Present'),
  LCTP: address(63, 12, 'Lower Context-table Pointer'),
  UP: bit(64, 'Upper Present'),
  UCTP: address(127, 76, 'Upper Context-table Pointer'),
})
