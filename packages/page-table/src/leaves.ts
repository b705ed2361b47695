// Lists every mapped leaf of a tree of tables, in order of address, for people and for inspection.
import { addresses } from '@iommu/hardware'
import type { HardwareView } from '@iommu/hardware'
import type { Format } from './format.js'
import { FRAME_INDEX_BITS, frameAt } from './pairs.js'

/** One mapped page. Addresses and sizes in bytes. */
export interface Leaf {
  readonly iova: bigint
  readonly physical: bigint
  readonly pageSize: bigint
  readonly level: number
  /** Granted by all levels together. */
  readonly read: boolean
  readonly write: boolean
  readonly execute: boolean
  readonly user: boolean
  /** The leaf itself, ready for its layout's `decode` and `describe`. */
  readonly words: readonly [bigint]
}

/** A place at which hardware would fault although an entry is present. */
export interface BrokenEntry {
  /** `unreadable`: the table is not memory. `reserved`: a bit is set that must be zero. */
  readonly why: 'unreadable' | 'reserved'
  /** First address that the entry or table translates. */
  readonly iova: bigint
  /** Level of the entry, or of the table that could not be read. */
  readonly level: number
  /** Address of the entry, or of the table. */
  readonly address: bigint
  /** The entry; absent for a table. */
  readonly words?: readonly [bigint]
}

export interface LeavesOptions {
  /** Called for each broken place, which is then passed over. Absent: RangeError. */
  readonly onBroken?: (broken: BrokenEntry) => void
}

const hex = (value: bigint): string => `0x${value.toString(16)}`

const refuse = ({ why, iova, level, address, words }: BrokenEntry): never => {
  throw new RangeError(why === 'unreadable'
    ? `the level ${level} table for ${hex(iova)} lies at ${hex(address)}, which is not memory`
    : `the level ${level} entry for ${hex(iova)} at ${hex(address)} has reserved bits set: ${hex(words?.[0] ?? 0n)}`)
}

/**
 * Every leaf below `rootFrame`, as hardware would read it. Tables that point to each other in a ring are bounded
 * by the number of levels, though there may then be very many leaves; a caller may stop at any time.
 * Throws RangeError at a broken place unless `onBroken` is given.
 */
export function* leaves(
  format: Format, view: HardwareView, rootFrame: number, { onBroken = refuse }: LeavesOptions = {},
): Generator<Leaf, void, undefined> {
  const top = 1n << BigInt(format.inputBits)
  const canonical = (iova: bigint): bigint =>
    format.signExtended === 1 && iova >= top / 2n ? BigInt.asUintN(64, iova - top) : iova
  const granted = (low: number, high: number, maskLow: number, maskHigh: number): boolean =>
    (low & maskLow) === maskLow && (high & maskHigh) === maskHigh

  function* table(frame: number, level: number, start: bigint, aboveLow: number, aboveHigh: number): Generator<Leaf> {
    const count = 1 << (level === format.levels ? format.rootBits : format.bitsPerLevel)
    const span = 1n << BigInt(format.shift[level] as number)
    for (let index = 0; index < count; index++) {
      const holding = frame + (index >>> FRAME_INDEX_BITS)
      const iova = canonical(start + BigInt(index) * span)
      if (!view.has(holding)) {
        onBroken({ why: 'unreadable', iova, level, address: addresses.frameAddress(holding) })
        index |= (1 << FRAME_INDEX_BITS) - 1
        continue
      }
      view.loadPair(frame, index)
      const { low, high } = view
      if (((low & format.presentLow) | (high & format.presentHigh)) === 0) continue
      const isLeaf = level === 1 || (low & (format.leafBits[level] as number)) !== 0
      const words = [addresses.join(low, high)] as const
      const [checkLow, checkHigh] = isLeaf
        ? [format.leafReservedLow, format.leafReservedHigh] : [format.tableReservedLow, format.tableReservedHigh]
      if (((low & (checkLow[level] as number)) | (high & (checkHigh[level] as number))) !== 0) {
        onBroken({ why: 'reserved', iova, level, address: addresses.frameAddress(frame) + BigInt(index * 8), words })
        continue
      }
      const grantedLow = aboveLow & (low ^ format.invertLow)
      const grantedHigh = aboveHigh & (high ^ format.invertHigh)
      if (!isLeaf) {
        const next = frameAt(low & format.addressLow, high & format.addressHigh)
        yield* table(next, level - 1, start + BigInt(index) * span, grantedLow, grantedHigh)
        continue
      }
      const pageLow = low & format.addressLow & ~(format.offsetLow[level] as number)
      const pageHigh = high & format.addressHigh & ~(format.offsetHigh[level] as number)
      const read = granted(grantedLow, grantedHigh, format.readLow, format.readHigh)
      yield {
        iova,
        physical: addresses.join(pageLow, pageHigh),
        pageSize: span,
        level,
        read,
        write: granted(grantedLow, grantedHigh, format.writeLow, format.writeHigh),
        execute: read && granted(grantedLow, grantedHigh, format.executeLow, format.executeHigh),
        user: granted(grantedLow, grantedHigh, format.userLow, format.userHigh),
        words,
      }
    }
  }

  yield* table(rootFrame, format.levels, 0n, -1, -1)
}
