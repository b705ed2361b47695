// GCR3 tables: what a PASID's guest table is, by 1 to 3 levels of 512 entries.
import { address, bit, entry } from '@iommu/bits'

/** An entry of any level: the next table, or at the last level the root of the PASID's guest table. */
export const gcr3Entry = entry('amd.gcr3', {
  title: 'Guest CR3 table entry', bits: 64, section: 'amd:2.2.6.3?', confirmedBy: ['linux'],
  reserved: [[11, 1], [63, 52]],
}, {
  V: bit(0, 'Valid', { alias: ['P'] }),
  ADDR: address(51, 12, 'Address of the next table, or of the root table', { alias: ['Address', 'GCR3'] }),
})
