// SVA domains: a process's own tables on PASIDs, kept true by its notifications.
import { IommuError } from '@iommu/core'
import type { AddressSpace, SvaDomain } from '@iommu/core'
import { createShares, occupy } from '@iommu/core/driver'
import type { Occupant } from '@iommu/core/driver'
import type { DeviceState } from '../devices/state.js'
import type { Driver } from '../driver.js'
import { IDENTITY_DOMAIN_ID } from '../unit.js'
import type { Unit } from '../unit.js'
import { createInvalidator } from './invalidator.js'
import { pagingState, silentState } from './words.js'

/** Why a unit cannot walk a process's tables, or undefined where it can. */
export const svaObstacle = (
  { capabilities }: Unit, { levels, pageShift }: Pick<AddressSpace, 'levels' | 'pageShift'>,
): string | undefined => {
  if (!capabilities.firstStage || capabilities.pasidBits === 0) return 'the unit has no first stage on PASIDs'
  if (!capabilities.firstStageLevels.some((each) => each === levels)) return `the unit has no ${levels}-level first stage`
  if (pageShift !== 12) return 'the unit\'s first stage has 4 KiB pages'
  // The CPU writes nothing back for our sake.
  if (!capabilities.scalableWalkCoherent) return 'the unit\'s page walks do not snoop'
  return undefined
}

/** Throws EOPNOTSUPP where no unit could walk the space's tables. */
export const createSvaDomain = (driver: Driver, unit: Unit, space: AddressSpace): SvaDomain => {
  const obstacle = svaObstacle(unit, space)
  if (obstacle !== undefined) throw new IommuError('EOPNOTSUPP', obstacle)
  // All SVA entries share domain id 1 with identity: their translations are told apart by PASID (reference 3).
  const shares = createShares<Unit, DeviceState>({ take: () => IDENTITY_DOMAIN_ID, give: () => undefined })
  const invalidator = createInvalidator(shares.all, false, driver.warn)
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
          // The owner is gone, its devices may not know yet: their DMA faults, and nobody is told.
          for (const pasid of [...pasids]) state.set(pasid, silentState())
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
      state.reserve(pasid)
      shares.join(state, pasid, ({ id }) => occupy(state, pasid, occupant, pagingState(
        { scalable: true, capabilities: state.unit.capabilities, ats: state.ats },
        { stage: 'first', levels: space.levels, root: space.root, domainId: id, forceSnoop: false },
      )))
    },
    free: unsubscribe,
  }
}
