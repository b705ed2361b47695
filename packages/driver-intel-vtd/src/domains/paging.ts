// Paging domains: page tables of their own, a domain id on each unit, on any number of translation points.
import { IommuError } from '@iommu/core'
import type { PagingDomain, Pasid } from '@iommu/core'
import { createShares, occupy, pointsOf, settable, settle } from '@iommu/core/driver'
import { createDomainTables, createPageTable } from '@iommu/page-table'
import type { DeviceState } from '../devices/state.js'
import type { Driver } from '../driver.js'
import { flushWriteBuffer } from '../programming/registers.js'
import type { Unit } from '../unit.js'
import { incompatibility } from './formats.js'
import type { ChosenFormat } from './formats.js'
import { createInvalidator } from './invalidator.js'
import type { VtdShare } from './invalidator.js'
import { pagingState } from './words.js'

/** A paging domain, and the door by which other domains of the driver borrow its tables. */
export interface VtdPagingDomain extends PagingDomain {
  /** Sets it on a point. Throws EINVAL before anything is touched where unit and domain do not fit. */
  set(state: DeviceState, pasid: Pasid): void
}

const PAGE = 0x1000n

/** Throws ENOMEM where there is no memory for the root table. */
export const createPagingDomain = (driver: Driver, chosen: ChosenFormat): VtdPagingDomain => {
  const { format, stage, levels, unit: first } = chosen
  const table = createPageTable({ format, memory: first.machine.memory, coherent: first.pagesCoherent })
  const shares = createShares<Unit, DeviceState>({
    take: ({ domainIds }) => domainIds.take(),
    give: ({ domainIds }, id) => domainIds.give(id),
  })
  const invalidator = createInvalidator(shares.all, stage === 'second', driver.warn)
  let forceSnoop = false

  const wordsFor = (state: DeviceState, { id: domainId }: VtdShare): ReturnType<typeof pagingState> => pagingState(
    { scalable: state.unit.scalable, capabilities: state.unit.capabilities, ats: state.ats },
    { stage, levels, root: table.root, domainId, forceSnoop },
  )
  const set = (state: DeviceState, pasid: Pasid): void => {
    const { unit } = state
    const why = incompatibility(chosen, unit)
    if (why !== undefined) throw new IommuError('EINVAL', why, { device: state.device.name })
    state.reserve(pasid)
    settle(shares, state, pasid, (share) => wordsFor(state, share))
  }
  // First-stage entries cannot say write-only.
  const tables = createDomainTables(table, invalidator, { readable: stage === 'first' })

  return {
    kind: 'paging',
    owner: driver.owner,
    ...tables,
    ...settable(driver, driver.pasids, set),
    aperture: stage === 'second'
      ? { start: 0n, end: minimum(table.aperture.end, (1n << BigInt(first.capabilities.guestAddressBits)) - 1n) }
      : table.aperture,
    pasidCapable: driver.pasids,
    set,
    mapPages(iova, physical, pageSize, count, access) {
      const end = iova + pageSize * BigInt(count) - 1n
      if (stage === 'second' && end >= 1n << BigInt(first.capabilities.guestAddressBits)) {
        return { mapped: 0n, error: new IommuError('ERANGE', 'the device address is wider than the unit takes', { iova, end }) }
      }
      return tables.mapPages(iova, physical, pageSize, count, access)
    },
    iotlbSyncMap(iova, size) {
      if (size === 0n) return
      for (const { unit } of shares.all.values()) {
        const { cachingMode, writeBufferFlush } = unit.capabilities
        // What was absent may be cached in caching mode, but never for first-stage tables (section 6.1).
        if (cachingMode && stage === 'second') invalidator.range({ start: iova, end: iova + size - 1n, pageSize: PAGE, leavesOnly: false })
        else if (writeBufferFlush) flushWriteBuffer(unit.machine)
      }
    },
    enforceCacheCoherency() {
      if (!first.capabilities.snoopControl) return false
      if (stage === 'second') return table.enforceSnoop()
      forceSnoop = true
      for (const { share, state, pasid } of pointsOf(shares.all.values())) occupy(state, pasid, shares, wordsFor(state, share))
      return true
    },
  }
}

const minimum = (a: bigint, b: bigint): bigint => (a < b ? a : b)
