// What a present entry is: a table, a leaf of its level's size or of a size that it holds, or broken.
import type { Format } from './format.js'
import { ACCESS_FLAG, LEAF, RESERVED } from './status.js'
import type { ADDRESS_SIZE } from './status.js'
import type { Walking } from './walking.js'

type LeafStatus = typeof LEAF | typeof RESERVED | typeof ADDRESS_SIZE | typeof ACCESS_FLAG

/** Whether a present entry of the level, of which only the lower half is needed, points to a table of the level below. */
export const isTable = ({ linkMask, linkValue }: Format, level: number, low: number): boolean =>
  (low & (linkMask[level] as number)) === (linkValue[level] as number)

/** The level below the next one whose table an entry points to; 0 where it does not do so. */
export const skippedTo = ({ nextLevelLow, nextLevelShift }: Format, level: number, low: number): number => {
  const next = (low & nextLevelLow) >>> nextLevelShift
  return next < level - 1 ? next : 0
}

/**
 * log2 of the size of the page whose leaf a present entry of the level is; 0 where it is none. An entry that holds its
 * size does so in the ones at the bottom of its address: the lowest zero, at bit k, says 2^(k+1) bytes.
 */
export const pageShiftOf = (format: Format, level: number, low: number, high: number): number => {
  const { leafMask, leafValue, shift, nextLevelLow, leafLevel } = format
  if ((low & (leafMask[level] as number)) === (leafValue[level] as number)) return shift[level] as number
  if (nextLevelLow === 0 || (low & nextLevelLow) !== nextLevelLow) return 0
  const zeroLow = ~low & format.addressLow
  const zeroHigh = ~high & format.addressHigh
  const page = zeroLow !== 0 ? lowestBit(zeroLow) + 1 : zeroHigh !== 0 ? lowestBit(zeroHigh) + 33 : 0
  return leafLevel[page] === level ? page : 0
}

/** What hardware makes of an entry that is a leaf. */
export const leafStatus = (walking: Walking, level: number, low: number, high: number): LeafStatus => {
  if (((low & (walking.leafReservedLow[level] as number)) | (high & (walking.leafReservedHigh[level] as number))) !== 0) {
    return brokenStatus(walking, low, high)
  }
  return (low & walking.accessedLow) === walking.accessedLow ? LEAF : ACCESS_FLAG
}

/** What hardware makes of an entry that has a bit set which it checks to be zero. */
export const brokenStatus = ({ beyondLow, beyondHigh, beyondStatus }: Walking, low: number, high: number): typeof RESERVED | typeof ADDRESS_SIZE =>
  ((low & beyondLow) | (high & beyondHigh)) !== 0 ? beyondStatus : RESERVED

const lowestBit = (bits: number): number => 31 - Math.clz32(bits & -bits)
