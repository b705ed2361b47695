// SVA domains: a process's own tables on PASIDs, kept true by its notifications.
import type { AddressSpace, SvaDomain } from '@iommu/core'
import { createProcessDomain, createShares, pointsOf, settle } from '@iommu/core/driver'
import type { DeviceState } from '../devices/state.js'
import type { Driver } from '../driver.js'
import type { Unit } from '../unit.js'
import { pasidFormatNames } from './formats.js'
import { createInvalidator } from './invalidator.js'
import type { PointState } from './words.js'

const PAGE = 0x1000n

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
  // Tagged by each device's own id and the PASID, like all guest tables.
  const shares = createShares<Unit, DeviceState>({ take: () => 0, give: () => undefined })
  const invalidator = createInvalidator(shares.all, 'guest', driver.warn)
  return createProcessDomain(driver, unit, space, {
    obstacle: (each) => svaObstacle(each, space),
    set(state, pasid) {
      const next: PointState = { kind: 'guest', levels: state.unit.pasidLevels, root: space.root }
      settle(shares, state, pasid, () => next)
    },
    // Paging-structure caches go with the leaves.
    invalidate: (start, end) => void invalidator.range({ start, end, pageSize: PAGE, leavesOnly: false }),
    end() {
      // Their DMA faults. Nothing keeps a PASID's faults silent.
      for (const { state, pasid } of pointsOf(shares.all.values())) state.block(pasid)
    },
  })
}
