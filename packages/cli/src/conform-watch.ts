// Watches what a thread says: a driver that loops for ever says nothing, and cannot be asked.

/** How long a thread may be silent, in milliseconds. */
export interface Limits {
  /** Then people are told what it is in. */
  readonly tellAfter: number
  /** Then it is stopped. */
  readonly stopAfter: number
}

/**
 * The longest statement, and the longest random walk, takes a few seconds where processors are slow: after half a minute something is odd,
 * and what takes a hundred times as long as any driver here does not end.
 */
export const LIMITS: Limits = { tellAfter: 30_000, stopAfter: 300_000 }

export interface Watch {
  /** Something came: silence begins anew. */
  heard(): void
  end(): void
}

/** `tell` and `stop` are called once in each silence. */
export const createWatch = ({ tellAfter, stopAfter }: Limits, tell: () => void, stop: () => void): Watch => {
  let timer: NodeJS.Timeout | undefined
  const end = (): void => clearTimeout(timer)
  const heard = (): void => {
    end()
    timer = setTimeout(() => {
      tell()
      // Begun only now: a process that was suspended, and finds all its timers due, hears its threads first.
      timer = setTimeout(stop, stopAfter - tellAfter)
    }, tellAfter)
  }
  heard()
  return { heard, end }
}
