// The blocked domain. An invalid context is the block: cause 258 for a device context, 266 for a process context.
// With PASIDs a device with ATS has its TLB emptied, but requests that it calls translated pass: EN_ATS is the whole device's.
export { createBlockedDomain } from '@iommu/core/driver'
