// The blocked domain: one static object; setting it never fails.
import type { BlockedDomain } from '@iommu/core'
import { vacate } from '@iommu/core/driver'
import type { Driver } from '../driver.js'

/** An invalid context is the block: cause 258 for a device context, 266 for a process context. */
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
