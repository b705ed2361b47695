// The blocked domain. An entry that is not valid is the block: fault 1.
export { createBlockedDomain } from '@iommu/core/driver'
