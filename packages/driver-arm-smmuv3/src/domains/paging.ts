// Paging domains: page tables of their own, an ASID or a VMID on each SMMU, on any number of translation points.
import { IommuError } from '@iommu/core'
import type { PagingDomain, Pasid } from '@iommu/core'
import { createShares, settable, settle } from '@iommu/core/driver'
import { createDomainTables, createPageTable } from '@iommu/page-table'
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

  const stateFor = ({ unit: { capabilities } }: DeviceState, { id }: SmmuShare): PointState => (stage === 1
    ? { kind: 'stage 1', context: contextWords({ capabilities, granule, inputBits: format.inputBits, root: table.root, asid: id }) }
    : { kind: 'stage 2', format, root: table.root, vmid: id })
  const set = (state: DeviceState, pasid: Pasid): void => {
    const why = incompatibility(chosen, state.unit)
    if (why !== undefined) throw new IommuError('EINVAL', why, { device: state.device.name })
    state.reserve(pasid, stage)
    settle(shares, state, pasid, (share) => stateFor(state, share))
  }
  const pasids = driver.pasids && stage === 1

  return {
    kind: 'paging',
    owner: driver.owner,
    // AP cannot say write-only.
    ...createDomainTables(table, invalidator, { readable: stage === 1 }),
    ...settable(driver, pasids, set),
    pasidCapable: pasids,
  }
}
