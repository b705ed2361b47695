// Where a domain is on each unit, under an identifier that is given back only once nothing can be cached under it.
import { IommuError } from '@iommu/core'
import { createShares } from '@iommu/core/driver'
import type { Share, Shares, Warn } from '@iommu/core/driver'
import type { DeviceState } from '../devices/state.js'
import type { Unit } from '../unit.js'

export type RiscvShare = Share<Unit, DeviceState>

/** Identifiers are PSCIDs, or GSCIDs of second-stage tables: each address space has one on each unit. */
export const createDomainShares = (secondStage: boolean, warn: Warn): Shares<Unit, DeviceState> => createShares<Unit, DeviceState>({
  take: (unit) => (secondStage ? unit.gscids : unit.pscids).take(),
  give(unit, id) {
    try {
      // Nobody is under it any more; what was cached while somebody was goes now, once for all (Linux, riscv_iommu_bond_unlink).
      unit.queue.submit([unit.programming.flushTag({ id, secondStage })])
      ;(secondStage ? unit.gscids : unit.pscids).give(id)
    } catch (error) {
      if (!(error instanceof IommuError)) throw error
      warn(`identifier ${id} is not used again: what is cached under it may still be there: ${error.message}`)
    }
  },
})
