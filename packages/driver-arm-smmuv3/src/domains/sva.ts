// SVA domains: a process's own tables on PASIDs, kept true by its notifications.
import type { AddressSpace, SvaDomain } from '@iommu/core'
import { createProcessDomain, createShares, pointsOf, settle } from '@iommu/core/driver'
import type { DeviceState, PointState } from '../devices/state.js'
import type { Driver } from '../driver.js'
import type { GranuleShift } from '../tables/index.js'
import type { Unit } from '../unit.js'
import { createInvalidator, idsOf } from './invalidator.js'
import type { SmmuShare } from './invalidator.js'
import { contextWords, endedContextWords } from './words.js'

type Shape = Pick<AddressSpace, 'levels' | 'pageShift'>

/** Bits of address that a process has: 48 at the most. */
const inputBitsOf = ({ levels, pageShift }: Shape): number => Math.min(48, pageShift + levels * (pageShift - 3))

/** Why an SMMU cannot walk a process's tables, or undefined where it can. */
export const svaObstacle = ({ capabilities }: Unit, { levels, pageShift }: Shape): string | undefined => {
  if (!capabilities.stage1 || capabilities.substreamBits === 0) return 'the SMMU has no stage 1 with SSIDs'
  if (!capabilities.granules.some((each) => each === pageShift)) return `the SMMU has no granule of 2^${pageShift} bytes`
  // T0SZ is 39 at the most.
  if (inputBitsOf({ levels, pageShift }) < 25) return 'the address space is too small for the SMMU'
  // The CPU writes nothing back for our sake.
  if (!capabilities.coherent) return 'the SMMU does not snoop'
  return undefined
}

/** Throws EOPNOTSUPP where the SMMU could not walk the space's tables. */
export const createSvaDomain = (driver: Driver, unit: Unit, space: AddressSpace): SvaDomain => {
  const granule = space.pageShift as GranuleShift
  const shares = createShares<Unit, DeviceState>(idsOf(1, driver.warn))
  const invalidator = createInvalidator(shares.all, 1, granule, driver.warn)
  const stateFor = ({ unit: { capabilities } }: DeviceState, { id }: SmmuShare): Extract<PointState, { kind: 'stage 1' }> => ({
    kind: 'stage 1', context: contextWords({ capabilities, granule, inputBits: inputBitsOf(space), root: space.root, asid: id }),
  })
  return createProcessDomain(driver, unit, space, {
    obstacle: (each) => svaObstacle(each, space),
    set(state, pasid) {
      state.reserve(pasid, 1)
      settle(shares, state, pasid, (share) => stateFor(state, share))
    },
    // Walk caches go with the leaves.
    invalidate: (start, end) => void invalidator.range({ start, end, pageSize: 1n << BigInt(granule), leavesOnly: false }),
    end() {
      // Their DMA faults, and nobody is told.
      for (const { share, state, pasid } of pointsOf(shares.all.values())) {
        state.set(pasid, { kind: 'stage 1', context: endedContextWords(stateFor(state, share).context) })
      }
      invalidator.everything()
    },
  })
}
