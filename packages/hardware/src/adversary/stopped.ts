// Fetches that stop: what stopped one is an answer like others, since hardware may keep it.

/** By the class of what a vendor's fetches throw. */
export const stoppedBy = <Why extends object>(Reason: abstract new (...parts: never[]) => Why): {
  /** Runs a fetch; answers what stopped it. */
  attempt<T>(fetch: () => T): T | Why
  /** A copy that can be used; what stopped its fetch is thrown again. */
  usable<T>(copy: T | Why): T
} => ({
  attempt(fetch) {
    try {
      return fetch()
    } catch (error) {
      if (error instanceof Reason) return error
      throw error
    }
  },
  usable<T>(copy: T | Why): T {
    if (copy instanceof Reason) throw copy
    return copy as T
  },
})
