// Ranges as invalidations name them: aligned powers of two, and how an address says which.
import { frameOf } from './address.js'

/** Frames, both inclusive. */
export type FrameRange = readonly [first: number, last: number]

/** log2 of all bytes that there are addresses for. */
export const WHOLE_SPACE = 64

/** log2 of the smallest aligned power of two of bytes that covers both ends, inclusive; 12 at the least. */
export const coveringShift = (start: bigint, end: bigint): number => {
  let shift = 12
  while (start >> BigInt(shift) !== end >> BigInt(shift)) shift++
  return shift
}

/** Where the 2^shift bytes begin that an address lies in. */
export const aligned = (address: bigint, shift: number): bigint => (address >> BigInt(shift)) << BigInt(shift)

/**
 * The 2^shift bytes that an address lies in, 12 at the least, as PCIe's ATS says them and others after it: above 4 KiB, which a bit beside the
 * address tells, its lowest zero bit from bit 12 on is half of the size.
 */
export const sizedAddress = (address: bigint, shift: number): bigint =>
  aligned(address, shift) | (((1n << BigInt(shift - 1)) - 1n) & ~0xfffn)

/** What hardware takes such an address for; with `sized` false it is one page. */
export const sizedRange = (address: bigint, sized: boolean): FrameRange => {
  if (!sized) return [frameOf(address), frameOf(address)]
  let bit = 12n
  while (bit < 63n && ((address >> bit) & 1n) === 1n) bit++
  const size = 1n << (bit + 1n)
  const start = address & ~(size - 1n)
  return [frameOf(start), frameOf(start + size - 1n)]
}
