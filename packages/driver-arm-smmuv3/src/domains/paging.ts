// Paging domains: page tables of their own, an ASID or a VMID on each SMMU, on any number of translation points.
import { gatherIsEmpty, gatherReset, IommuError } from '@iommu/core'
import type { Gather, PagingDomain, Pasid } from '@iommu/core'
import { createShares, occupy } from '@iommu/core/driver'
import type { Occupant } from '@iommu/core/driver'
import { createPageTable } from '@iommu/page-table'
import type { DeviceState, PointState } from '../devices/state.js'
import type { Driver } from '../driver.js'
import type { Unit } from '../unit.js'
import { incompatibility } from './formats.js'
import type { ChosenFormat } from './formats.js'
import { createInvalidator, idsOf } from './invalidator.js'
import type { SmmuShare } from './invalidator.js'
import { contextWords } from './words.js'

/** Throws ENOMEM where there is no memory for the root table. */
export const createPagingDomain = (driver: Driver, chosen: ChosenFormat): PagingDomain => {
  const { format, stage, granule, unit: first } = chosen
  const shares = createShares<Unit, DeviceState>(idsOf(stage, driver.warn))
  const invalidator = createInvalidator(shares.all, stage, granule, driver.warn)
  const smallest = 1n << BigInt(granule)
  const flushTables = (start: bigint, end: bigint): boolean => invalidator.range({ start, end, pageSize: smallest, leavesOnly: false })
  const table = createPageTable({
    format, memory: first.machine.memory, coherent: first.coherent,
    ...(first.capabilities.breakBeforeMakeLevel < 2 ? { breakBeforeMake: flushTables } : {}),
  })
  /** Table pages of queued unmaps: freed after the flush of everything. */
  const pending: bigint[] = []

  const stateFor = ({ unit: { capabilities } }: DeviceState, { id }: SmmuShare): PointState => (stage === 1
    ? { kind: 'stage 1', context: contextWords({ capabilities, granule, inputBits: format.inputBits, root: table.root, asid: id }) }
    : { kind: 'stage 2', format, root: table.root, vmid: id })
  const occupant: Occupant<DeviceState> = { left: shares.leave }
  const set = (state: DeviceState, pasid: Pasid): void => {
    const why = incompatibility(chosen, state.unit)
    if (why !== undefined) throw new IommuError('EINVAL', why, { device: state.device.name })
    state.reserve(pasid, stage)
    shares.join(state, pasid, (share) => occupy(state, pasid, occupant, stateFor(state, share)))
  }
  /** A larger leaf took the place of empty tables: they go once no walker can be inside. */
  const flushReplaced = (): void => {
    const { replaced } = table
    if (gatherIsEmpty(replaced) && replaced.freed.length === 0) return
    if (flushTables(replaced.start, replaced.end)) table.release(replaced.freed)
    else pending.push(...replaced.freed)
    gatherReset(replaced)
  }
  const pasids = driver.pasids && stage === 1

  return {
    kind: 'paging',
    owner: driver.owner,
    pageSizes: table.pageSizes,
    aperture: table.aperture,
    pasidCapable: pasids,
    attachDev(device) {
      set(driver.stateOf(device), 0)
    },
    ...(pasids ? {
      setDevPasid(device, pasid) {
        set(driver.stateOf(device), pasid)
      },
    } satisfies Partial<PagingDomain> : {}),
    mapPages(iova, physical, pageSize, count, access) {
      if (stage === 1 && access.write && !access.read) {
        // AP cannot say it: a writable page is readable too, more than was asked for.
        return { mapped: 0n, error: new IommuError('EINVAL', 'stage 1 pages cannot be write-only', { iova }) }
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
    iotlbSync(gather: Gather) {
      if (gatherIsEmpty(gather)) return
      const { start, end, pageSize, freed } = gather
      // Without a completed flush the tables stay out of use for good: rather lost than used twice.
      if (invalidator.range({ start, end, pageSize, leavesOnly: freed.length === 0 })) table.release(freed)
      gatherReset(gather)
    },
    flushIotlbAll() {
      if (invalidator.everything()) table.release(pending)
    },
    iovaToPhys: (iova) => table.iovaToPhys(iova),
    free() {
      table.release(pending)
      table.free()
    },
  }
}
