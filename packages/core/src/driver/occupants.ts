// Who is set on a device's translation points, and how a point changes hands.
import type { Pasid } from '../contract/index.js'

/** Who has been set on a point, and is told when somebody else is. */
export interface Occupant<State> {
  left(state: State, pasid: Pasid): void
}

/** Translation points of a device; PASID 0 is the requester id's own. `Next`: what a point can be told to say. */
export interface Points<State, Next> {
  /** Who is where. A blocked point has nobody. */
  readonly occupants: Map<Pasid, Occupant<State>>
  /** Switches a point. Throws where the hardware does not follow; then what was live is live again. */
  set(pasid: Pasid, next: Next): void
  /** Blocks a point whatever happens. */
  block(pasid: Pasid): void
}

/** Sets a point and hands it over: who was there before is told, once the hardware has changed. Throws what `set` throws. */
export const occupy = <State extends Points<State, Next>, Next>(
  state: State, pasid: Pasid, occupant: Occupant<State>, next: Next,
): void => {
  state.set(pasid, next)
  const before = state.occupants.get(pasid)
  state.occupants.set(pasid, occupant)
  if (before !== occupant) before?.left(state, pasid)
}

/** Blocks a point and sends away who was there. Cannot fail. */
export const vacate = <State extends Points<State, never>>(state: State, pasid: Pasid): void => {
  state.block(pasid)
  const before = state.occupants.get(pasid)
  state.occupants.delete(pasid)
  before?.left(state, pasid)
}
