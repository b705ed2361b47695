// Paging domains: page tables of their own, a domain id on each unit, on any number of translation points.
import { gatherIsEmpty, gatherReset, IommuError } from '@iommu/core'
import type { Gather, PagingDomain, Pasid } from '@iommu/core'
import { createShares, occupy } from '@iommu/core/driver'
import type { Occupant } from '@iommu/core/driver'
import { createPageTable } from '@iommu/page-table'
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

/** Throws ENOMEM where there is no memory for the root table. */
export const createPagingDomain = (driver: Driver, chosen: ChosenFormat): VtdPagingDomain => {
  const { format, stage, levels, unit: first } = chosen
  const table = createPageTable({ format, memory: first.machine.memory, coherent: first.pagesCoherent })
  const shares = createShares<Unit, DeviceState>({
    take: ({ domainIds }) => domainIds.take(),
    give: ({ domainIds }, id) => domainIds.give(id),
  })
  const invalidator = createInvalidator(shares.all, stage === 'second', driver.warn)
  /** Table pages of queued unmaps: freed after the flush of everything. */
  const pending: bigint[] = []
  let forceSnoop = false

  const wordsFor = (state: DeviceState, { id: domainId }: VtdShare): ReturnType<typeof pagingState> => pagingState(
    { scalable: state.unit.scalable, capabilities: state.unit.capabilities, ats: state.ats },
    { stage, levels, root: table.root, domainId, forceSnoop },
  )
  const occupant: Occupant<DeviceState> = { left: shares.leave }
  const set = (state: DeviceState, pasid: Pasid): void => {
    const { unit } = state
    const why = incompatibility(chosen, unit)
    if (why !== undefined) throw new IommuError('EINVAL', why, { device: state.device.name })
    state.reserve(pasid)
    shares.join(state, pasid, (share) => occupy(state, pasid, occupant, wordsFor(state, share)))
  }
  /** A larger leaf took the place of empty tables: they go once no walker can be inside. */
  const flushReplaced = (): void => {
    const { replaced } = table
    if (gatherIsEmpty(replaced) && replaced.freed.length === 0) return
    if (invalidator.range(replaced.start, replaced.end, false)) table.release(replaced.freed)
    else pending.push(...replaced.freed)
    gatherReset(replaced)
  }

  return {
    kind: 'paging',
    owner: driver.owner,
    pageSizes: table.pageSizes,
    aperture: stage === 'second'
      ? { start: 0n, end: minimum(table.aperture.end, (1n << BigInt(first.capabilities.guestAddressBits)) - 1n) }
      : table.aperture,
    pasidCapable: driver.pasids,
    set,
    attachDev(device) {
      set(driver.stateOf(device), 0)
    },
    ...(driver.pasids ? {
      setDevPasid(device, pasid) {
        set(driver.stateOf(device), pasid)
      },
    } satisfies Partial<PagingDomain> : {}),
    mapPages(iova, physical, pageSize, count, access) {
      const end = iova + pageSize * BigInt(count) - 1n
      if (stage === 'second' && end >= 1n << BigInt(first.capabilities.guestAddressBits)) {
        return { mapped: 0n, error: new IommuError('ERANGE', 'the device address is wider than the unit takes', { iova, end }) }
      }
      if (stage === 'first' && access.write && !access.read) {
        // First-stage entries cannot say it: a writable page is readable too, more than was asked for.
        return { mapped: 0n, error: new IommuError('EINVAL', 'first-stage pages cannot be write-only', { iova }) }
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
    iotlbSyncMap(iova, size) {
      for (const { unit } of shares.all.values()) {
        const { cachingMode, writeBufferFlush } = unit.capabilities
        // What was absent may be cached in caching mode, but never for first-stage tables (reference 5).
        if (cachingMode && stage === 'second') invalidator.range(iova, iova + size - 1n, false)
        else if (writeBufferFlush) flushWriteBuffer(unit.machine)
      }
    },
    iotlbSync(gather: Gather) {
      if (gatherIsEmpty(gather)) return
      // Without a completed flush the tables stay out of use for good: rather lost than used twice.
      if (invalidator.range(gather.start, gather.end, gather.freed.length === 0)) table.release(gather.freed)
      gatherReset(gather)
    },
    flushIotlbAll() {
      if (invalidator.everything()) table.release(pending)
    },
    iovaToPhys: (iova) => table.iovaToPhys(iova),
    enforceCacheCoherency() {
      if (!first.capabilities.snoopControl) return false
      if (stage === 'second') return table.enforceSnoop()
      forceSnoop = true
      for (const share of shares.all.values()) {
        for (const [state, pasids] of share.points) {
          for (const pasid of pasids) occupy(state, pasid, occupant, wordsFor(state, share))
        }
      }
      return true
    },
    free() {
      table.release(pending)
      table.free()
    },
  }
}

const minimum = (a: bigint, b: bigint): bigint => (a < b ? a : b)

