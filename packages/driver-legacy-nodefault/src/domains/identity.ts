// The identity domain: one static object.
import { IommuError } from '@iommu/core'
import type { IdentityDomain } from '@iommu/core'
import { occupy } from '@iommu/core/driver'
import type { Occupant } from '@iommu/core/driver'
import type { DeviceState } from '../device.js'
import type { Driver } from '../driver.js'
import { IDENTITY } from '../programming/planner.js'

export const createIdentityDomain = (driver: Driver): IdentityDomain => {
  const passing: Occupant<DeviceState> = { left: () => undefined }
  return Object.freeze({
    kind: 'identity',
    attachDev(device) {
      const state = driver.stateOf(device)
      if (!driver.unit.planner.manifest.identity.rid) {
        throw new IommuError('EINVAL', 'the hardware cannot pass requests through', { device: device.name })
      }
      occupy(state, 0, passing, IDENTITY)
    },
  } satisfies IdentityDomain)
}
