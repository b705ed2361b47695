// The blocked domain. The abort entry, which is silent; with PASIDs alive S1DSS=terminate (F_STREAM_DISABLED). An invalid context on PASIDs.
export { createBlockedDomain } from '@iommu/core/driver'
