// The blocked domain. An entry that aborts, or with PASIDs one that leads to an absent GCR3[0]; on a PASID an absent GCR3 entry.
export { createBlockedDomain } from '@iommu/core/driver'
