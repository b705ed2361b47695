// The identity domain: the stream bypasses. A single PASID cannot: there is no context that passes addresses through.
import type { IdentityDomain } from '@iommu/core'
import { occupy } from '@iommu/core/driver'
import type { Occupant } from '@iommu/core/driver'
import type { DeviceState } from '../devices/state.js'
import type { Driver } from '../driver.js'

/** One static object for all SMMUs. With PASIDs alive S1DSS=bypass. */
export const createIdentityDomain = (driver: Driver): IdentityDomain => {
  const passing: Occupant<DeviceState> = { left: () => undefined }
  return Object.freeze({
    kind: 'identity',
    attachDev(device) {
      occupy(driver.stateOf(device), 0, passing, { kind: 'bypass' })
    },
  } satisfies IdentityDomain)
}
