// The PRI queue's records (types only: nothing here serves page requests yet).
import { address, bit, entry, field } from '@iommu/bits'

export const pageRequest = entry('smmuv3.pri', {
  title: 'PRI queue entry', bits: 128, section: 'smmu:8.1', confirmedBy: ['linux'], reserved: [[57, 52], [75, 73]],
}, {
  SID: field(31, 0, 'StreamID', undefined, { alias: ['StreamID'] }),
  SSID: field(51, 32, 'SubstreamID', undefined, { alias: ['SubstreamID'] }),
  Priv: bit(58, 'Privileged'),
  X: bit(59, 'Execute'),
  R: bit(60, 'Read'),
  W: bit(61, 'Write'),
  Last: bit(62, 'Last of its group'),
  SSV: bit(63, 'SubstreamID valid'),
  PRGIndex: field(72, 64, 'Page request group'),
  Address: address(127, 76, 'Address'),
})
