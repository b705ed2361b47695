// Paging domains: page tables of their own, on any number of translation points.
import { IommuError } from '@iommu/core'
import type { PagingDomain, Pasid } from '@iommu/core'
import { createShares, settable, settle } from '@iommu/core/driver'
import { createDomainTables, createPageTable } from '@iommu/page-table'
import type { PageTable } from '@iommu/page-table'
import type { DeviceState } from '../devices/state.js'
import type { Driver } from '../driver.js'
import type { GuestLevels, HostLevels } from '../tables/index.js'
import type { Unit } from '../unit.js'
import { incompatibility, pasidFormatNames } from './formats.js'
import type { ChosenFormat } from './formats.js'
import { createInvalidator } from './invalidator.js'
import type { AmdShare } from './invalidator.js'
import type { PointState } from './words.js'

/** Host tables begin with so many levels, and gain more as they need them (Linux, `amd_iommu_domain_alloc_paging_v1`). */
const FIRST_LEVELS = 3

const PAGE = 0x1000n

/** Throws ENOMEM where there is no memory for the root table. */
export const createPagingDomain = (driver: Driver, chosen: ChosenFormat): PagingDomain => {
  const { format, kind, levels, unit: first } = chosen
  const host = kind === 'host'
  // A unit's id tags host tables; guest tables are tagged by each device's own id.
  const shares = createShares<Unit, DeviceState>(host
    ? { take: ({ domainIds }) => domainIds.take(), give: ({ domainIds }, id) => domainIds.give(id) }
    : { take: () => 0, give: () => undefined })
  const invalidator = createInvalidator(shares.all, kind, driver.warn)
  const stateFor = (table: PageTable, { id: domainId }: AmdShare): PointState => (host
    ? { kind: 'host', levels: table.levels as HostLevels, root: table.root, domainId }
    : { kind: 'guest', levels: levels as GuestLevels, root: table.root })
  /** The tables have another root: every device is told. Both roots translate alike, so no translation is flushed. */
  const retarget = (table: PageTable): void => {
    for (const share of shares.all.values()) {
      for (const state of share.points.keys()) state.set(0, stateFor(table, share))
    }
  }
  const table = createPageTable({
    format, memory: first.machine.memory,
    // Force coherence in every leaf, as Linux does.
    snoop: host,
    ...(host ? { growth: { levels: Math.min(FIRST_LEVELS, levels), changed: retarget } } : {}),
  })
  const pasids = driver.pasids && pasidFormatNames(first).includes(chosen.name)

  const set = (state: DeviceState, pasid: Pasid): void => {
    const why = incompatibility(chosen, state.unit, pasid)
    if (why !== undefined) throw new IommuError('EINVAL', why, { device: state.device.name })
    settle(shares, state, pasid, (share) => stateFor(table, share))
  }

  return {
    kind: 'paging',
    owner: driver.owner,
    // Guest entries cannot say write-only.
    ...createDomainTables(table, invalidator, { readable: !host }),
    ...settable(driver, pasids, set),
    pasidCapable: pasids,
    iotlbSyncMap(iova, size) {
      if (size > 0n && [...shares.all.keys()].some(({ capabilities }) => capabilities.notPresentCache)) {
        invalidator.range({ start: iova, end: iova + size - 1n, pageSize: PAGE, leavesOnly: false })
      }
    },
    // Every host leaf has FC from the beginning; guest leaves have no such bit.
    ...(host ? { enforceCacheCoherency: () => true } : {}),
  }
}
