// The blocked domain: one static object; setting it never fails.
import type { BlockedDomain } from '@iommu/core'
import { vacate } from '@iommu/core/driver'
import type { Driver } from '../driver.js'

/** An entry that aborts, or with PASIDs one that leads to an absent GCR3[0]; on a PASID an absent GCR3 entry. */
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
