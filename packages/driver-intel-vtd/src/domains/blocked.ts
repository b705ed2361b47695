// The blocked domain. An absent entry is the block: context fault 0x02 in legacy mode, PASID entry fault in scalable mode.
export { createBlockedDomain } from '@iommu/core/driver'
