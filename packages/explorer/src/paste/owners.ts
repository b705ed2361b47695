// To what each bit of an entry belongs: a field, a reserved range, or bits that hardware ignores.
import type { Description } from '@iommu/bits'

export interface Owner {
  readonly what: 'field' | 'reserved' | 'ignored'
  readonly name: string
  /** One of a few hues, another one than its neighbours'. */
  readonly hue: number
}

const HUES = 5

/** By bit. Bits of one field have the same object. */
export const ownersOf = ({ entry, rows }: Description): readonly Owner[] => {
  const owners: Owner[] = []
  const give = (owner: Owner, runs: readonly (readonly [number, number])[]): void => {
    for (const [high, low] of runs) for (let bit = low; bit <= high; bit++) owners[bit] = owner
  }
  rows.forEach(({ name, runs }, index) => give({ what: 'field', name, hue: index % HUES }, runs))
  for (const run of entry.reserved) give({ what: 'reserved', name: 'reserved', hue: 0 }, [run])
  for (const run of entry.ignored) give({ what: 'ignored', name: 'ignored by hardware', hue: 0 }, [run])
  return owners
}
