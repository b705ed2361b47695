// The identity domain: both stages bare.
import type { Device, IdentityDomain, Pasid } from '@iommu/core'
import { occupy } from '@iommu/core/driver'
import type { Occupant } from '@iommu/core/driver'
import type { DeviceState } from '../devices/state.js'
import type { Driver } from '../driver.js'
import { identityState } from './words.js'

/** One static object for all units. Hardware caches nothing under it, so it has no identifier. */
export const createIdentityDomain = (driver: Driver): IdentityDomain => {
  const occupant: Occupant<DeviceState> = { left: () => undefined }
  const set = (device: Device, pasid: Pasid): void => {
    const state = driver.stateOf(device)
    state.reserve(pasid)
    occupy(state, pasid, occupant, identityState({ point: state.point, ats: state.ats, contextWords: state.unit.contextWords }))
  }
  return Object.freeze({
    kind: 'identity',
    attachDev(device) {
      set(device, 0)
    },
    ...(driver.pasids ? {
      setDevPasid(device, pasid) {
        set(device, pasid)
      },
    } satisfies Partial<IdentityDomain> : {}),
  } satisfies IdentityDomain)
}
