// SVA domains: a process's own tables on PASIDs, kept true by its notifications.
import { IommuError } from '@iommu/core'
import type { AddressSpace, Pasid, SvaDomain } from '@iommu/core'
import { occupy } from '../devices/state.js'
import type { DeviceState, Occupant } from '../devices/state.js'
import type { Driver } from '../driver.js'
import { IDENTITY_DOMAIN_ID } from '../unit.js'
import type { Unit } from '../unit.js'
import { createInvalidator } from './invalidator.js'
import type { Share } from './invalidator.js'
import { pagingState, silentState } from './words.js'

/** Why a unit cannot walk a process's tables, or undefined where it can. */
export const svaObstacle = ({ capabilities }: Unit, levels: 4 | 5): string | undefined => {
  if (!capabilities.firstStage || capabilities.pasidBits === 0) return 'the unit has no first stage on PASIDs'
  if (!capabilities.firstStageLevels.includes(levels)) return `the unit has no ${levels}-level first stage`
  // The CPU writes nothing back for our sake.
  if (!capabilities.scalableWalkCoherent) return 'the unit\'s page walks do not snoop'
  return undefined
}

/** Throws EOPNOTSUPP where no unit could walk the space's tables. */
export const createSvaDomain = (driver: Driver, unit: Unit, space: AddressSpace): SvaDomain => {
  const obstacle = svaObstacle(unit, space.levels)
  if (obstacle !== undefined) throw new IommuError('EOPNOTSUPP', obstacle)
  // All SVA entries share domain id 1 with identity: their translations are told apart by PASID (reference 3).
  const shares = new Map<Unit, Share>()
  const invalidator = createInvalidator(shares, false, driver.warn)
  let ended = false

  const leave = (state: DeviceState, pasid: Pasid): void => {
    const share = shares.get(state.unit)
    const pasids = share?.points.get(state)
    pasids?.delete(pasid)
    if (pasids?.size === 0) share?.points.delete(state)
    if (share?.points.size === 0) shares.delete(state.unit)
  }
  const occupant: Occupant = { left: leave }
  const unsubscribe = space.subscribe({
    invalidate(start, end) {
      // The CPU may have freed tables too: paging-structure caches go with the leaves.
      invalidator.range(start, end, false)
    },
    release() {
      ended = true
      for (const { points } of [...shares.values()]) {
        for (const [state, pasids] of [...points]) {
          // The owner is gone, its devices may not know yet: their DMA faults, and nobody is told.
          for (const pasid of [...pasids]) state.set(pasid, silentState())
        }
      }
    },
  })
  return {
    kind: 'sva',
    owner: driver.owner,
    addressSpace: space,
    setDevPasid(device, pasid) {
      const state = driver.stateOf(device)
      const why = ended ? 'the address space has ended' : svaObstacle(state.unit, space.levels)
      if (why !== undefined) throw new IommuError('EINVAL', why, { device: device.name })
      state.reserve(pasid)
      const share = shares.get(state.unit) ?? { unit: state.unit, domainId: IDENTITY_DOMAIN_ID, points: new Map() }
      shares.set(state.unit, share)
      const pasids = share.points.get(state) ?? new Set<Pasid>()
      const already = pasids.has(pasid)
      // Joined before the entry is live: a notification from here on has to reach this point too.
      share.points.set(state, pasids.add(pasid))
      try {
        occupy(state, pasid, occupant, pagingState(
          { scalable: true, capabilities: state.unit.capabilities, ats: state.ats },
          { stage: 'first', levels: space.levels, root: space.root, domainId: IDENTITY_DOMAIN_ID, forceSnoop: false },
        ))
      } catch (error) {
        if (!already) leave(state, pasid)
        throw error
      }
    },
    free: unsubscribe,
  }
}
