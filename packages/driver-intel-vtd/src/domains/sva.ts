// SVA domains: a process's own tables on PASIDs, kept true by its notifications.
import type { AddressSpace, SvaDomain } from '@iommu/core'
import { createProcessDomain, createShares, pointsOf, settle } from '@iommu/core/driver'
import type { DeviceState } from '../devices/state.js'
import type { Driver } from '../driver.js'
import { IDENTITY_DOMAIN_ID } from '../unit.js'
import type { Unit } from '../unit.js'
import { createInvalidator } from './invalidator.js'
import { pagingState, silentState } from './words.js'

const PAGE = 0x1000n

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
  // All SVA entries share domain id 1 with identity: their translations are told apart by PASID (Linux, `FLPT_DEFAULT_DID`).
  const shares = createShares<Unit, DeviceState>({ take: () => IDENTITY_DOMAIN_ID, give: () => undefined })
  const invalidator = createInvalidator(shares.all, false, driver.warn)
  return createProcessDomain(driver, unit, space, {
    obstacle: (each) => svaObstacle(each, space),
    set(state, pasid) {
      state.reserve(pasid)
      settle(shares, state, pasid, ({ id }) => pagingState(
        { scalable: true, capabilities: state.unit.capabilities, ats: state.ats },
        { stage: 'first', levels: space.levels, root: space.root, domainId: id, forceSnoop: false },
      ))
    },
    // Paging-structure caches go with the leaves.
    invalidate: (start, end) => void invalidator.range({ start, end, pageSize: PAGE, leavesOnly: false }),
    end() {
      // Their DMA faults, and nobody is told.
      for (const { state, pasid } of pointsOf(shares.all.values())) state.set(pasid, silentState())
    },
  })
}
