// SVA domains: a process's own tables on PASIDs, kept true by its notifications.
import { IommuError } from '@iommu/core'
import type { AddressSpace, SvaDomain } from '@iommu/core'
import { createShares, occupy } from '@iommu/core/driver'
import type { Occupant } from '@iommu/core/driver'
import type { DeviceState } from '../devices/state.js'
import type { Driver } from '../driver.js'
import type { Unit } from '../unit.js'
import { pasidFormatNames } from './formats.js'
import { createInvalidator } from './invalidator.js'
import type { PointState } from './words.js'

/** Why a unit cannot walk a process's tables, or undefined where it can. */
export const svaObstacle = (unit: Unit, { levels, pageShift }: Pick<AddressSpace, 'levels' | 'pageShift'>): string | undefined => {
  if (pasidFormatNames(unit).length === 0) return 'the unit has no guest tables on PASIDs'
  // GuestPagingMode is one for the whole device.
  if (levels !== unit.pasidLevels) return `guest tables on PASIDs have ${unit.pasidLevels} levels here`
  // A CPU tells nobody that it maps a page.
  if (unit.capabilities.notPresentCache) return 'the unit keeps absent entries until they are flushed'
  if (pageShift !== 12) return 'guest tables have 4 KiB pages'
  return undefined
}

/** Throws EOPNOTSUPP where no unit could walk the space's tables. */
export const createSvaDomain = (driver: Driver, unit: Unit, space: AddressSpace): SvaDomain => {
  const obstacle = svaObstacle(unit, space)
  if (obstacle !== undefined) throw new IommuError('EOPNOTSUPP', obstacle)
  // Tagged by each device's own id and the PASID, like all guest tables.
  const shares = createShares<Unit, DeviceState>({ take: () => 0, give: () => undefined })
  const invalidator = createInvalidator(shares.all, 'guest', driver.warn)
  let ended = false

  const occupant: Occupant<DeviceState> = { left: shares.leave }
  const unsubscribe = space.subscribe({
    invalidate(start, end) {
      // The CPU may have freed tables too: paging-structure caches go with the leaves.
      invalidator.range(start, end, false)
    },
    release() {
      ended = true
      for (const { points } of [...shares.all.values()]) {
        for (const [state, pasids] of [...points]) {
          // The owner is gone, its devices may not know yet: their DMA faults. Nothing keeps a PASID's faults silent.
          for (const pasid of [...pasids]) state.block(pasid)
        }
      }
    },
  })
  return {
    kind: 'sva',
    owner: driver.owner,
    addressSpace: space,
    setDevPasid(device, pasid) {
      const state = driver.stateOf(device)
      const why = ended ? 'the address space has ended' : svaObstacle(state.unit, space)
      if (why !== undefined) throw new IommuError('EINVAL', why, { device: device.name })
      const next: PointState = { kind: 'guest', levels: state.unit.pasidLevels, root: space.root }
      shares.join(state, pasid, () => occupy(state, pasid, occupant, next))
    },
    free: unsubscribe,
  }
}
