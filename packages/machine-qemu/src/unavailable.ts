// What this machine cannot be asked: an answer of its own, so that nobody takes it for a pass or a failure.

/** The machine is real enough to have no such door. The message says which, and why. */
export class UnavailableError extends Error {
  override readonly name = 'UnavailableError'
}

export const unavailable = (why: string): never => {
  throw new UnavailableError(why)
}
