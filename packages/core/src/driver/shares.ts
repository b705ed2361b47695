// Where one domain is: on each unit its id there, and its translation points.
import type { Pasid } from '../contract/index.js'
import { occupy } from './occupants.js'
import type { Occupant, Points } from './occupants.js'

/** Where a domain is on one unit, and under which id hardware caches it there. */
export interface Share<Unit, State> {
  readonly unit: Unit
  readonly id: number
  readonly points: Map<State, Set<Pasid>>
}

/** Where ids come from. An id is a unit's own: the same domain may have another one on another unit. */
export interface ShareIds<Unit> {
  /** Throws ENOSPC. */
  take(unit: Unit): number
  give(unit: Unit, id: number): void
}

/** As an occupant of points it is the domain: a point that somebody else is set on has left. */
export interface Shares<Unit, State> extends Occupant<State> {
  readonly all: ReadonlyMap<Unit, Share<Unit, State>>
  /**
   * Joins a point, and then `set`s it: before its entry is live, because an unmap from then on has to reach it too.
   * What `set` throws is thrown on, and the point has not joined then.
   */
  join(state: State, pasid: Pasid, set: (share: Share<Unit, State>) => void): void
  /** The last point of a unit that leaves takes the id with it; its entries have been flushed by then. */
  left(state: State, pasid: Pasid): void
}

export const createShares = <Unit, State extends { readonly unit: Unit }>(ids: ShareIds<Unit>): Shares<Unit, State> => {
  const all = new Map<Unit, Share<Unit, State>>()
  const left = (state: State, pasid: Pasid): void => {
    const share = all.get(state.unit)
    if (share === undefined) return
    share.points.get(state)?.delete(pasid)
    if (share.points.get(state)?.size === 0) share.points.delete(state)
    if (share.points.size > 0) return
    ids.give(share.unit, share.id)
    all.delete(share.unit)
  }
  return {
    all,
    join(state, pasid, set) {
      const { unit } = state
      const share = all.get(unit) ?? { unit, id: ids.take(unit), points: new Map<State, Set<Pasid>>() }
      all.set(unit, share)
      const pasids = share.points.get(state) ?? new Set<Pasid>()
      const already = pasids.has(pasid)
      share.points.set(state, pasids.add(pasid))
      try {
        set(share)
      } catch (error) {
        if (!already) left(state, pasid)
        throw error
      }
    },
    left,
  }
}

/** Sets a domain on a point, by what its share says there. Throws what taking an id and the point's `set` throw; then nothing has changed. */
export const settle = <Unit, State extends Points<State, Next> & { readonly unit: Unit }, Next>(
  shares: Shares<Unit, State>, state: State, pasid: Pasid, next: (share: Share<Unit, State>) => Next,
): void => shares.join(state, pasid, (share) => occupy(state, pasid, shares, next(share)))

/** A translation point that a domain is on. */
export interface SharePoint<Unit, State> {
  readonly share: Share<Unit, State>
  readonly state: State
  readonly pasid: Pasid
}

/** All points of some shares, as they are now. */
export const pointsOf = <Unit, State>(shares: Iterable<Share<Unit, State>>): SharePoint<Unit, State>[] =>
  [...shares].flatMap((share) => [...share.points].flatMap(([state, pasids]) => [...pasids].map((pasid) => ({ share, state, pasid }))))
