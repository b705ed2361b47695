// A switch of several parts: all of them or none; and what is done whatever the hardware says.
import { IommuError } from '../errors.js'

/** Makes all changes, in order; or none, and then it throws. `undo` brings back what was before a change that broke off somewhere. */
export const makeAll = <Change>(changes: readonly Change[], make: (change: Change) => void, undo: (change: Change) => void): void => {
  changes.forEach((change, index) => {
    try {
      make(change)
    } catch (error) {
      for (const made of changes.slice(0, index + 1).reverse()) undo(made)
      throw error
    }
  })
}

/**
 * Makes each of them, and goes on where the hardware does not follow: `insist` is told what it said. Answers whether all
 * were made.
 */
export const forceAll = <Change>(
  changes: Iterable<Change>, make: (change: Change) => void, insist: (change: Change, said: IommuError) => void,
): boolean => {
  let made = true
  for (const change of changes) {
    try {
      make(change)
    } catch (error) {
      if (!(error instanceof IommuError)) throw error
      made = false
      insist(change, error)
    }
  }
  return made
}
