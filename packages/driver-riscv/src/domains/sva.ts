// SVA domains: a process's own tables on PASIDs, kept true by its notifications.
import type { AddressSpace, SvaDomain } from '@iommu/core'
import { createProcessDomain, pointsOf, settle } from '@iommu/core/driver'
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
  const levels = space.levels as Levels
  const shares = createDomainShares(false, driver.warn)
  const invalidator = createInvalidator(shares.all, false, driver.warn)
  return createProcessDomain(driver, unit, space, {
    obstacle: (each) => svaObstacle(each, space),
    set(state, pasid) {
      state.reserve(pasid)
      settle(shares, state, pasid, ({ id }) => pagingState(
        { point: state.point, ats: state.ats, contextWords: state.unit.contextWords }, { secondStage: false, levels, root: space.root, id },
      ))
    },
    // What leads to the leaves goes with them.
    invalidate: (start, end) => void invalidator.range({ start, end, pageSize: PAGE, leavesOnly: false }),
    end() {
      // Their DMA faults. Only a whole device can be silenced (DTF).
      for (const { state, pasid } of pointsOf(shares.all.values())) state.block(pasid)
      invalidator.everything()
    },
  })
}
