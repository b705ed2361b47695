// The fault record register, and the codes that it can name.
import { bit, entry, field, wide } from '@iommu/bits'

export const faultRecord = entry('acme.fault', {
  title: 'Fault record', bits: 128, section: 'acme:4', confirmedBy: [],
  reserved: [[7, 2], [63, 32]],
}, {
  F: bit(0, 'Pending; write 1 to clear'),
  W: bit(1, 'A write'),
  CODE: field(15, 8, 'Fault code'),
  SOURCE: field(31, 16, 'Requester id'),
  ADDRESS: wide(127, 64, 'Device address'),
})

/** What a code means. A code that is not here is not known. */
export const faultCodes: ReadonlyMap<number, string> = new Map([
  [1, 'the device entry is not valid'],
  [2, 'the device entry is programmed wrongly'],
  [3, 'the request has a PASID'],
  [4, 'this kind of request is not allowed'],
  [5, 'the address is wider than physical addresses are'],
])
