// Paging domains: page tables of their own, an identifier on each unit, on any number of translation points.
import { IommuError } from '@iommu/core'
import type { PagingDomain, Pasid } from '@iommu/core'
import { settable, settle } from '@iommu/core/driver'
import { createDomainTables, createPageTable } from '@iommu/page-table'
import type { DeviceState } from '../devices/state.js'
import type { Driver } from '../driver.js'
import { incompatibility } from './formats.js'
import type { ChosenFormat } from './formats.js'
import { createInvalidator } from './invalidator.js'
import { createDomainShares } from './shares.js'
import { pagingState } from './words.js'

/** Throws ENOMEM where there is no memory for the root table. */
export const createPagingDomain = (driver: Driver, chosen: ChosenFormat): PagingDomain => {
  const { format, secondStage, levels, unit: first } = chosen
  const table = createPageTable({ format, memory: first.machine.memory })
  const shares = createDomainShares(secondStage, driver.warn)
  const invalidator = createInvalidator(shares.all, secondStage, driver.warn)

  const set = (state: DeviceState, pasid: Pasid): void => {
    const { unit, point, ats } = state
    const why = incompatibility(chosen, unit)
    if (why !== undefined) throw new IommuError('EINVAL', why, { device: state.device.name })
    state.reserve(pasid)
    settle(shares, state, pasid, ({ id }) => pagingState(
      { point, ats, contextWords: unit.contextWords }, { secondStage, levels, root: table.root, id },
    ))
  }

  return {
    kind: 'paging',
    owner: driver.owner,
    // W without R is reserved.
    ...createDomainTables(table, invalidator, { readable: true }),
    ...settable(driver, driver.pasids, set),
    pasidCapable: driver.pasids,
    iotlbSyncMap() {
      // Nothing that is not valid is ever cached; the new entries only have to be visible before the doorbell of a device.
      for (const { unit } of shares.all.values()) unit.machine.memory.order()
    },
    // Walks and translated accesses are always coherent: nothing has to be enforced, and nothing is reported as new.
    enforceCacheCoherency: () => false,
  }
}
