// The blocked domain. The abort entry, which is silent; with PASIDs alive S1DSS=terminate (F_STREAM_DISABLED). An invalid context on PASIDs.
// Beside live PASIDs a device with ATS has its TLB emptied, but requests that it calls translated pass: EATS is the whole stream's.
export { createBlockedDomain } from '@iommu/core/driver'
