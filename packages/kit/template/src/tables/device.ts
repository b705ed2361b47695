// The device table: one entry for each requester id, which says what becomes of its requests.
import { bit, entry, field } from '@iommu/bits'

/** What TYPE says. */
export const REQUEST_TYPES = { 0: 'pass-through' } as const

/**
 * Absolute bits, high first, as your manual prints them. Whatever is no field is reserved or ignored: an entry that its
 * parts do not tile refuses to load. `confirmedBy` names who outside of this package says so too; empty, nobody does.
 */
export const deviceEntry = entry('acme.device', {
  title: 'Device table entry', bits: 128, section: 'acme:1', confirmedBy: [],
  reserved: [[127, 4]],
}, {
  V: bit(0, 'Valid'),
  TYPE: field(3, 1, 'Type of translation', REQUEST_TYPES),
})

/** Entries of the table: all 16-bit requester ids. */
export const DEVICES = 0x1_0000
export const DEVICE_BYTES = deviceEntry.bits / 8
