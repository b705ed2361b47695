// SVA domains: a process's own tables on PASIDs, kept true by its notifications.
import { IommuError } from '@iommu/core'
import type { AddressSpace, SvaDomain } from '@iommu/core'
import { occupy } from '@iommu/core/driver'
import type { Occupant } from '@iommu/core/driver'
import type { DeviceState } from '../devices/state.js'
import type { Driver } from '../driver.js'
import type { Levels } from '../tables/index.js'
import type { Unit } from '../unit.js'
import { createInvalidator } from './invalidator.js'
import { createDomainShares } from './shares.js'
import { pagingState } from './words.js'

const PAGE = 0x1000n

/** Why a unit cannot walk a process's tables, or undefined where it can. */
export const svaObstacle = (
  { capabilities, pasids }: Unit, { levels, pageShift }: Pick<AddressSpace, 'levels' | 'pageShift'>,
): string | undefined => {
  if (!pasids) return 'the unit has no first stage on PASIDs'
  if (!capabilities.firstStageLevels.some((each) => each === levels)) return `the unit has no ${levels}-level first stage`
  return pageShift === 12 ? undefined : 'the unit\'s first stage has 4 KiB pages'
}

/** Throws EOPNOTSUPP where no unit could walk the space's tables. */
export const createSvaDomain = (driver: Driver, unit: Unit, space: AddressSpace): SvaDomain => {
  const obstacle = svaObstacle(unit, space)
  if (obstacle !== undefined) throw new IommuError('EOPNOTSUPP', obstacle)
  const levels = space.levels as Levels
  const shares = createDomainShares(false, driver.warn)
  const invalidator = createInvalidator(shares.all, false, driver.warn)
  let ended = false

  const occupant: Occupant<DeviceState> = { left: shares.leave }
  const unsubscribe = space.subscribe({
    invalidate(start, end) {
      // The CPU may have freed tables too: what leads to the leaves goes with them.
      invalidator.range(start, end, PAGE, false)
    },
    release() {
      ended = true
      for (const { points } of [...shares.all.values()]) {
        for (const [state, pasids] of [...points]) {
          // The owner is gone, its devices may not know yet: their DMA faults. Only a whole device can be silenced (DTF).
          for (const pasid of [...pasids]) state.block(pasid)
        }
      }
      invalidator.everything()
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
        { point: state.point, ats: state.ats, contextWords: state.unit.contextWords }, { secondStage: false, levels, root: space.root, id },
      )))
    },
    free: unsubscribe,
  }
}
