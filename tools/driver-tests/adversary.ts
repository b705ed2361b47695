// Adversarial scenes: the states of a point, every ordered pair of them, and memory that leads astray.
import { FRAME_BYTES } from '@iommu/hardware'
import type { Outcome } from '@iommu/hardware'

/** A state of a device's point. Neither a format nor anything else: blocked. */
export interface State {
  readonly name: string
  readonly format?: string
  readonly identity?: true
  readonly sva?: true
  /** The state whose domain id it has, with another root. */
  readonly sameId?: string
}

export type Pair = readonly [from: State, to: State]

/** Every ordered pair of different ones. */
export const pairsOf = <T>(states: readonly T[]): (readonly [from: T, to: T])[] =>
  states.flatMap((from) => states.filter((to) => to !== from).map((to) => [from, to] as const))

/** Ids are the lowest free ones, so one is reused at once where the device passes through blocked. */
export const reusesId = ([from, to]: Pair): boolean => from.sameId === to.name || to.sameId === from.name

/** The domain id under which a translation is cached. */
export const domainIdOf = (outcome: Outcome | undefined): number | undefined => {
  const id = outcome?.result === 'translated' ? /^domain (\d+)/.exec(outcome.tag)?.[1] : undefined
  return id === undefined ? undefined : Number(id)
}

/**
 * Frame 0 as an attacker would like it: whatever its words are read as, they are present, writable, and lead to frame 0
 * again. A pointer that is zero must not go unnoticed because there is nothing at address 0. The word is the backend's.
 */
export const hostilePage = ({ lure }: { readonly lure: bigint }): Uint8Array => {
  const page = new DataView(new ArrayBuffer(FRAME_BYTES))
  for (let at = 0; at < FRAME_BYTES; at += 8) page.setBigUint64(at, lure, true)
  return new Uint8Array(page.buffer)
}
