// The blocked domain. An entry that aborts, or with PASIDs one that leads to an absent GCR3[0]; on a PASID an absent GCR3 entry.
// With PASIDs a device with ATS has its TLB emptied, but requests that it calls translated pass: I is the whole device's. Linux has no
// PASIDs beside a block: it switches ATS off at the endpoint and leaves V alone (detach_device, clear_dte_entry), as here without PASIDs.
export { createBlockedDomain } from '@iommu/core/driver'
