// The blocked domain. An absent entry is the block: context fault 0x02 in legacy mode, PASID entry fault in scalable mode.
// There a device with ATS has its TLB emptied, but requests that it calls translated pass: DTE is the whole device's, and Linux leaves it too.
export { createBlockedDomain } from '@iommu/core/driver'
