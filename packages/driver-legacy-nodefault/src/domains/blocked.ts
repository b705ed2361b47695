// The blocked domain: one static object; setting it never fails. Absent where the hardware cannot block.
import type { BlockedDomain } from '@iommu/core'
import { vacate } from '@iommu/core/driver'
import type { Driver } from '../driver.js'

export const createBlockedDomain = (driver: Driver): BlockedDomain => Object.freeze({
  kind: 'blocked',
  attachDev(device) {
    vacate(driver.stateOf(device), 0)
  },
} satisfies BlockedDomain)
