// What domains of every driver have in common: how they are set, the one that blocks, and those of processes.
import type { AddressSpace, BlockedDomain, Device, Domain, PagingRequest, Pasid, SvaDomain } from '../contract/index.js'
import { IommuError } from '../errors.js'
import type { DriverFace } from './devices.js'
import { vacate } from './occupants.js'
import type { Points } from './occupants.js'

/** The members by which a domain is set on requester ids, and with `pasids` on PASIDs too. */
export const settable = <State>(
  { stateOf }: Pick<DriverFace<State>, 'stateOf'>, pasids: boolean, set: (state: State, pasid: Pasid) => void,
): { attachDev(device: Device): void; setDevPasid?(device: Device, pasid: Pasid): void } => ({
  attachDev(device) {
    set(stateOf(device), 0)
  },
  ...(pasids ? {
    setDevPasid(device, pasid) {
      set(stateOf(device), pasid)
    },
  } satisfies Pick<Domain, 'setDevPasid'> : {}),
})

/** The blocked domain: one static object; setting it never fails. What a point says then is the vendor's. */
export const createBlockedDomain = <State extends Points<State, never>>(driver: DriverFace<State>): BlockedDomain =>
  Object.freeze({ kind: 'blocked', ...settable(driver, driver.pasids, vacate) })

/** What no driver here does yet, as a manifest says it. */
export const UNBUILT = { nested: 'not built yet', 'dirty tracking': 'not built yet', 'page requests': 'not built yet' } as const

/** Throws EOPNOTSUPP for what no driver here does yet, and for PASIDs where there are none. */
export const refuseUnbuilt = ({ pasid, dirtyTracking, nestParent }: PagingRequest, pasids: boolean): void => {
  if (pasid === true && !pasids) throw new IommuError('EOPNOTSUPP', 'the hardware has no PASIDs')
  if (dirtyTracking === true || nestParent === true) {
    throw new IommuError('EOPNOTSUPP', 'dirty tracking and nesting are not built yet')
  }
}

/** What a vendor says of the domains of processes. */
export interface ProcessKind<Unit, State> {
  /** Why a unit cannot walk the process's tables, or undefined where it can. */
  obstacle(unit: Unit): string | undefined
  set(state: State, pasid: Pasid): void
  /** The CPU has changed the range, both ends inclusive; it may have freed tables too. */
  invalidate(start: bigint, end: bigint): void
  /** The process has ended, its devices may not know yet; its tables go when this returns. */
  end(): void
}

/** The domain of a process, kept true by its notifications. Throws EOPNOTSUPP where the unit could not walk its tables. */
export const createProcessDomain = <Unit, State extends { readonly unit: Unit }>(
  { owner, stateOf }: DriverFace<State>, unit: Unit, space: AddressSpace, kind: ProcessKind<Unit, State>,
): SvaDomain => {
  const obstacle = kind.obstacle(unit)
  if (obstacle !== undefined) throw new IommuError('EOPNOTSUPP', obstacle)
  let ended = false
  const unsubscribe = space.subscribe({
    invalidate: (start, end) => kind.invalidate(start, end),
    release() {
      ended = true
      kind.end()
    },
  })
  return {
    kind: 'sva',
    owner,
    addressSpace: space,
    setDevPasid(device, pasid) {
      const state = stateOf(device)
      const why = ended ? 'the address space has ended' : kind.obstacle(state.unit)
      if (why !== undefined) throw new IommuError('EINVAL', why, { device: device.name })
      kind.set(state, pasid)
    },
    free: unsubscribe,
  }
}
