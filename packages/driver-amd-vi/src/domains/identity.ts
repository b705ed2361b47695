// The identity domain: Mode 0. Requester ids only: an entry of a GCR3 table leads to guest tables or nowhere.
import type { IdentityDomain } from '@iommu/core'
import { occupy } from '@iommu/core/driver'
import type { Occupant } from '@iommu/core/driver'
import type { DeviceState } from '../devices/state.js'
import type { Driver } from '../driver.js'

/** One static object for all units. */
export const createIdentityDomain = (driver: Driver): IdentityDomain => {
  const passing: Occupant<DeviceState> = { left: () => undefined }
  return Object.freeze({
    kind: 'identity',
    attachDev(device) {
      occupy(driver.stateOf(device), 0, passing, { kind: 'identity' })
    },
  } satisfies IdentityDomain)
}
