// Device addresses of a plan: where its pages are put, and which addresses are asked of it.
import type { Page } from './plan.js'
import type { Places } from './places.js'
import type { Random } from './random.js'

/** Addresses from `start` on, below `end`. */
interface Range {
  readonly start: bigint
  readonly end: bigint
}

/** Whether so many bytes from an address on meet any of the ranges. */
export const meets = (ranges: readonly Range[], address: bigint, bytes = 1n): boolean =>
  ranges.some(({ start, end }) => address < end && address + bytes > start)

/** Bits below those that pages have in common only now and then. */
const LOW_BITS = 30

/** How device addresses are spread. */
interface Spread {
  /** log2 of the smallest page; 12 where absent. */
  readonly granule?: number
  /** Bits above the lowest 30 that are drawn; all but the highest of the address where absent. */
  readonly upperBits?: number
  /** The second of the upper parts that are met often; 1 where absent. */
  readonly second?: bigint
}

/**
 * An address of so many bits for a page, which is still to be aligned: a few upper parts, so that pages share tables; neighbours, so that they
 * share a table of the lowest level.
 */
export const spread = (random: Random, width: number, { granule = 12, upperBits = width - LOW_BITS - 1, second = 1n }: Spread = {}): bigint => {
  const high = upperBits <= 0 ? 0n
    : random.weighted<bigint>([[4, 0n], [3, second], [2, random.bits(upperBits)], [1, (1n << BigInt(upperBits)) - 1n]])
  const low = random.weighted<bigint>([[3, BigInt(random.below(8)) << BigInt(granule)], [2, random.bits(Math.min(LOW_BITS, width))]])
  return (high << BigInt(LOW_BITS)) | low
}

/** An address with a bit above the lowest so many. */
export const tooWide = (random: Random, width: number): bigint => (random.bits(width) | (1n << BigInt(width + random.below(64 - width)))) & ~7n

/** The page that an address lies in; `shiftOf`: log2 of a page's size. */
export const pageAt = <P extends Page>(pages: readonly P[], address: bigint, shiftOf: (page: P) => number): P | undefined =>
  pages.find((page) => page.iova >> BigInt(shiftOf(page)) === address >> BigInt(shiftOf(page)))

/** What of a plan's pages is asked for. */
interface Asked<P extends Page> {
  /** What is wrong with the plan is wrong with its first page, which is mostly asked for then. */
  readonly broken: boolean
  readonly places: Places
  /** log2 of a page's size. */
  readonly shiftOf: (page: P) => number
}

/** An address of one of the pages, or now and then one beside it. */
export const near = <P extends Page>(random: Random, pages: readonly P[], { broken, places, shiftOf }: Asked<P>): bigint => {
  const page = broken && random.chance(70) ? pages[0] as P : random.pick(pages)
  const shift = shiftOf(page)
  const address = page.iova + places.offset(random, shift)
  return random.chance(6) ? address ^ (1n << BigInt(shift + random.below(9))) : address
}
