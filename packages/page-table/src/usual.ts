// The descent through tables as they are usually written: what walks and single pages share.
//
// Each function answers where in memory, as a 32-bit word, the entry lies that an address leads to; -1 where the way there has
// anything but pointers as the format writes them to tables in the first 2 GiB. Nobody has judged the entry itself.
//
// V8 is why the code is as it is: sums are checked for overflow and `|` is not, what `>>>` makes and what `|` makes meet as
// doubles, and calls that do not fit its budget cost as much as two levels.
import type { FlatWords, HardwareView } from '@iommu/hardware'
import type { Format } from './format.js'
import { FRAME_INDEX_BITS, indexAt } from './pairs.js'

/** Whether `leafPlace` knows trees of these levels: 4 KiB tables for 39 or 48 bits. */
export const isWrittenOut = ({ granuleShift }: Format, levels: number): boolean =>
  granuleShift === 12 && (levels === 4 || levels === 3)

/**
 * The entry of level 1, level by level: twice as fast as a loop, whose shifts vary. Entries are judged together at the end,
 * since what is read beyond memory is nothing, and so absent. `|` in place of `+`, since V8 checks sums of integers.
 */
export const leafPlace = (
  format: Format, words: FlatWords, root: number, rootMask: number, levels: number, low: number, high: number,
): number => {
  const { pointerLow, wordShift, usualHigh } = format
  let place = root
  let mask = rootMask
  let oddLow = 0
  let oddHigh = 0
  if (levels === 4) {
    place |= high >>> 6 & mask
    const entry = words[place] as number
    oddLow = entry ^ format.usual4
    oddHigh = words[place | 1] as number ^ usualHigh
    place = (entry & pointerLow) >> wordShift
    mask = 0x3fe
  }
  place |= (low >>> 29 | high << 3) & mask
  const upper = words[place] as number
  oddLow |= upper ^ format.usual3
  oddHigh |= words[place | 1] as number ^ usualHigh
  place = (upper & pointerLow) >> wordShift | (low >>> 20 & 0x3fe)
  const lower = words[place] as number
  oddLow |= lower ^ format.usual2
  oddHigh |= words[place | 1] as number ^ usualHigh
  if (((oddLow & format.nearLow) | (oddHigh & format.nearHigh)) !== 0) return -1
  return (lower & pointerLow) >> wordShift | (low >>> 11 & 0x3fe)
}

/** The entry of any level, of any format. */
export const placeAt = (
  format: Format, words: FlatWords, root: number, rootMask: number, levels: number, low: number, high: number, level: number,
): number => {
  const { usualStep, bitsPerLevel, pointerLow, wordShift, usualHigh, nearLow, nearHigh } = format
  const tableMask = (2 << bitsPerLevel) - 2
  let at = levels
  let usual = format.usualLow + Math.imul(at, usualStep)
  let shift = format.granuleShift + Math.imul(at - 1, bitsPerLevel) - 1
  let place = root | indexAt(low, high, shift, rootMask)
  while (at > level) {
    const entry = words[place] as number
    if ((((entry ^ usual) & nearLow) | ((words[place | 1] as number ^ usualHigh) & nearHigh)) !== 0) return -1
    usual -= usualStep
    shift -= bitsPerLevel
    at--
    place = (entry & pointerLow) >> wordShift | indexAt(low, high, shift, tableMask)
  }
  return place
}

/** The entry of level 1 in memory that is not one array: loaded into the view, and where it would be in one array. */
export const loadLeaf = (format: Format, view: HardwareView, rootFrame: number, low: number, high: number): number => {
  const { usualStep, bitsPerLevel, pointerLow, wordShift, usualHigh, nearLow, nearHigh } = format
  const tableMask = (1 << bitsPerLevel) - 1
  let at = format.levels
  let usual = format.usualLow + Math.imul(at, usualStep)
  let shift = format.granuleShift + Math.imul(at - 1, bitsPerLevel)
  let frame = rootFrame | 0
  let index = indexAt(low, high, shift, format.rootMask >> 1)
  for (;;) {
    if (!view.has(frame + (index >>> FRAME_INDEX_BITS))) return -1
    view.loadPair(frame, index)
    if (at === 1) return frame << 10 | index << 1
    const entry = view.low
    if ((((entry ^ usual) & nearLow) | ((view.high ^ usualHigh) & nearHigh)) !== 0) return -1
    usual -= usualStep
    shift -= bitsPerLevel
    at--
    frame = (entry & pointerLow) >> wordShift >> 10
    index = indexAt(low, high, shift, tableMask)
  }
}
