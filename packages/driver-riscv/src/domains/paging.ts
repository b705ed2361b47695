// Paging domains: page tables of their own, an identifier on each unit, on any number of translation points.
import { gatherIsEmpty, gatherReset, IommuError } from '@iommu/core'
import type { Gather, PagingDomain, Pasid } from '@iommu/core'
import { occupy } from '@iommu/core/driver'
import type { Occupant } from '@iommu/core/driver'
import { createPageTable } from '@iommu/page-table'
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
  /** Table pages of queued unmaps: freed after the flush of everything. */
  const pending: bigint[] = []

  const occupant: Occupant<DeviceState> = { left: shares.leave }
  const set = (state: DeviceState, pasid: Pasid): void => {
    const { unit, point, ats } = state
    const why = incompatibility(chosen, unit)
    if (why !== undefined) throw new IommuError('EINVAL', why, { device: state.device.name })
    state.reserve(pasid)
    shares.join(state, pasid, ({ id }) => occupy(state, pasid, occupant, pagingState(
      { point, ats, contextWords: unit.contextWords }, { secondStage, levels, root: table.root, id },
    )))
  }
  /** A larger leaf took the place of empty tables: they go once no walker can be inside. */
  const flushReplaced = (): void => {
    const { replaced } = table
    if (gatherIsEmpty(replaced) && replaced.freed.length === 0) return
    if (invalidator.range(replaced.start, replaced.end, replaced.pageSize, false)) table.release(replaced.freed)
    else pending.push(...replaced.freed)
    gatherReset(replaced)
  }

  return {
    kind: 'paging',
    owner: driver.owner,
    pageSizes: table.pageSizes,
    aperture: table.aperture,
    pasidCapable: driver.pasids,
    attachDev(device) {
      set(driver.stateOf(device), 0)
    },
    ...(driver.pasids ? {
      setDevPasid(device, pasid) {
        set(driver.stateOf(device), pasid)
      },
    } satisfies Partial<PagingDomain> : {}),
    mapPages(iova, physical, pageSize, count, access) {
      if (access.write && !access.read) {
        // W without R is reserved: a writable page is readable too, more than was asked for.
        return { mapped: 0n, error: new IommuError('EINVAL', 'pages cannot be write-only', { iova }) }
      }
      const result = table.mapPages(iova, physical, pageSize, count, access)
      flushReplaced()
      return result
    },
    unmapPages(iova, pageSize, count, gather) {
      const removed = table.unmapPages(iova, pageSize, count, gather)
      if (gather.queued) pending.push(...gather.freed.splice(0))
      return removed
    },
    iotlbSyncMap() {
      // Nothing that is not valid is ever cached; the new entries only have to be visible before the doorbell of a device.
      for (const { unit } of shares.all.values()) unit.machine.memory.order()
    },
    iotlbSync(gather: Gather) {
      if (gatherIsEmpty(gather)) return
      // Without a completed flush the tables stay out of use for good: rather lost than used twice.
      if (invalidator.range(gather.start, gather.end, gather.pageSize, gather.freed.length === 0)) table.release(gather.freed)
      gatherReset(gather)
    },
    flushIotlbAll() {
      if (invalidator.everything()) table.release(pending)
    },
    iovaToPhys: (iova) => table.iovaToPhys(iova),
    // Walks and translated accesses are always coherent: nothing has to be enforced, and nothing is reported as new.
    enforceCacheCoherency: () => false,
    free() {
      table.release(pending)
      table.free()
    },
  }
}
