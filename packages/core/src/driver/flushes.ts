// Flushes of a domain everywhere it is: each unit's own caches, then the TLBs of the devices on it.
import type { IommuError } from '../errors.js'
import { forceAll } from './changes.js'
import { pointsOf } from './shares.js'
import type { Share, SharePoint } from './shares.js'

/** A unit's way to its hardware: what is submitted has been carried out when it returns. Throws where it was not. */
export interface Submits<Command> {
  readonly queue: { submit(commands: readonly Command[]): void }
}

/** One flush: of a unit's own caches, and of the device TLBs of a point. */
export interface ShareFlush<Unit, State, Command> {
  unit(share: Share<Unit, State>): readonly Command[]
  device(point: SharePoint<Unit, State>): readonly Command[]
}

/** How many commands go in one submission, and who is told of a unit that does not answer. */
export interface FlushOptions<Unit, State> {
  readonly batch: number
  told(share: Share<Unit, State>, said: IommuError): void
}

/**
 * Flushes everywhere, and answers whether all units completed. Units first and completed, then their devices' TLBs: a
 * translation request in between would bring the old page back.
 */
export const flushShares = <Unit extends Submits<Command>, State, Command>(
  shares: ReadonlyMap<Unit, Share<Unit, State>>, flush: ShareFlush<Unit, State, Command>, { batch, told }: FlushOptions<Unit, State>,
): boolean => {
  const submit = ({ queue }: Unit, commands: readonly Command[]): void => {
    for (let at = 0; at < commands.length; at += batch) queue.submit(commands.slice(at, at + batch))
  }
  return forceAll(shares.values(), (share) => {
    submit(share.unit, flush.unit(share))
    submit(share.unit, pointsOf([share]).flatMap((point) => flush.device(point)))
  }, told)
}
