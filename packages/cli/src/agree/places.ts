// Where pages of a plan lie in a board's memory: where every word holds its own address.
import type { Board } from '@iommu/machine-qemu'
import type { Random } from './random.js'

/** Choices of physical addresses on a board. */
export interface Places {
  /** A page of so many bits that a leaf can name; one that is larger than the data begins below all memory in use. */
  target(random: Random, shift: number): bigint
  /** An offset into a page of so many bits, aligned to 8, so that page and offset together lie in the data. */
  offset(random: Random, shift: number): bigint
  /** An address in the data, aligned to 8. */
  address(random: Random): bigint
}

/** Memory begins at a multiple of it on every board. */
const ALIGNMENT = 1n << 30n

export const createPlaces = ({ data: { start, end } }: Board): Places => {
  const bottom = start & ~(ALIGNMENT - 1n)
  const address = (random: Random): bigint => start + (random.bits(23) & ~7n)
  // A page that has room beside others like it.
  const fits = (shift: number): boolean => (1n << BigInt(shift + 1)) <= end - bottom
  return {
    target(random, shift) {
      if (!fits(shift)) return bottom & ~((1n << BigInt(shift)) - 1n)
      const size = 1n << BigInt(shift)
      const first = (start + size - 1n) / size
      return (first + BigInt(random.below(Number(end / size - first)))) * size
    },
    offset: (random, shift) => (fits(shift) ? random.bits(shift) & ~7n : (address(random) & ((1n << BigInt(shift)) - 1n))),
    address,
  }
}
