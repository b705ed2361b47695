// A domain with some members exchanged, as another object.
import type { Domain } from '@iommu/core'

/** Everything that is not exchanged is the original's, inherited or not. */
export const changed = <D extends Domain>(domain: D, change: Partial<D>): D => {
  const copy = Object.create(domain) as D
  for (const [name, value] of Object.entries(change)) Object.defineProperty(copy, name, { value, enumerable: true })
  return copy
}
