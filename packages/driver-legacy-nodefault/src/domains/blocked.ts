// The blocked domain. Absent where the hardware cannot block.
export { createBlockedDomain } from '@iommu/core/driver'
