// The blocked domain. An invalid context is the block: cause 258 for a device context, 266 for a process context.
export { createBlockedDomain } from '@iommu/core/driver'
