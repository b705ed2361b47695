// Ids that hardware tags its caches with: domain ids, ASIDs, VMIDs. The lowest free one is taken, so that ids are re-used soon.
import { IommuError } from '../errors.js'

export interface Ids {
  /** The lowest free id. Throws ENOSPC where there is none. */
  take(): number
  /** Gives an id back; nothing in hardware may hold it by then. */
  give(id: number): void
  readonly used: number
}

/** Ids from `first` to below `limit`; `what` they are, for the error. */
export const createIds = (what: string, first: number, limit: number): Ids => {
  const used = new Set<number>()
  /** No id below it is free. */
  let lowest = first
  return {
    take() {
      while (used.has(lowest)) lowest++
      if (lowest >= limit) throw new IommuError('ENOSPC', `no ${what} is left`, { limit })
      used.add(lowest)
      return lowest
    },
    give(id) {
      if (used.delete(id)) lowest = Math.min(lowest, id)
    },
    get used() { return used.size },
  }
}
