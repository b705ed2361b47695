// Flushes a domain's pages everywhere it is: each unit's translations under its identifier, then the device TLBs.
import type { Pasid } from '@iommu/core'
import { flushShares } from '@iommu/core/driver'
import type { Warn } from '@iommu/core/driver'
import type { PageFlushes } from '@iommu/page-table'
import type { DeviceState } from '../devices/state.js'
import type { Command } from '../programming/plan.js'
import type { Unit } from '../unit.js'
import type { RiscvShare } from './shares.js'

/** Commands per submission: the queue holds 255 and a fence. */
const BATCH = 128

export const createInvalidator = (shares: ReadonlyMap<Unit, RiscvShare>, secondStage: boolean, warn: Warn): PageFlushes => {
  const flush = (own: (share: RiscvShare) => readonly Command[], device: (unit: Unit, source: number, pasid: Pasid) => Command): boolean =>
    flushShares<Unit, DeviceState, Command>(shares, {
      unit: own,
      device: ({ share: { unit }, state, pasid }) => state.deviceTlbs().map((source) => device(unit, source, pasid)),
    }, { batch: BATCH, told: ({ id }, { message }) => warn(`identifier ${id}: an unmap may not have reached the hardware: ${message}`) })
  return {
    range: ({ start, end, pageSize, leavesOnly }) => flush(
      ({ unit, id }) => unit.programming.flushPages({ id, secondStage }, start, end, pageSize, leavesOnly, unit.capabilities),
      ({ programming }, source, pasid) => programming.flushDeviceTlb(source, pasid, { start, end }),
    ),
    everything: () => flush(
      ({ unit, id }) => [unit.programming.flushTag({ id, secondStage })],
      ({ programming }, source, pasid) => programming.flushDeviceTlb(source, pasid),
    ),
  }
}
