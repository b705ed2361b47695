// The blocked domain: one static object; setting it never fails.
import type { BlockedDomain } from '@iommu/core'
import { vacate } from '@iommu/core/driver'
import type { Driver } from '../driver.js'

/** The abort entry, which is silent; with PASIDs alive S1DSS=terminate (F_STREAM_DISABLED). An invalid context on PASIDs. */
export const createBlockedDomain = (driver: Driver): BlockedDomain => Object.freeze({
  kind: 'blocked',
  attachDev(device) {
    vacate(driver.stateOf(device), 0)
  },
  ...(driver.pasids ? {
    setDevPasid(device, pasid) {
      vacate(driver.stateOf(device), pasid)
    },
  } satisfies Partial<BlockedDomain> : {}),
} satisfies BlockedDomain)
