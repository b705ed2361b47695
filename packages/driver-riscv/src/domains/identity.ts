// The identity domain: both stages bare.
import type { IdentityDomain, Pasid } from '@iommu/core'
import { occupy, settable } from '@iommu/core/driver'
import type { Occupant } from '@iommu/core/driver'
import type { DeviceState } from '../devices/state.js'
import type { Driver } from '../driver.js'
import { identityState } from './words.js'

/** One static object for all units. Hardware caches nothing under it, so it has no identifier. */
export const createIdentityDomain = (driver: Driver): IdentityDomain => {
  const occupant: Occupant<DeviceState> = { left: () => undefined }
  const set = (state: DeviceState, pasid: Pasid): void => {
    state.reserve(pasid)
    occupy(state, pasid, occupant, identityState({ point: state.point, ats: state.ats, contextWords: state.unit.contextWords }))
  }
  return Object.freeze({ kind: 'identity', ...settable(driver, driver.pasids, set) } satisfies IdentityDomain)
}
