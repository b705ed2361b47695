// Lists every mapped leaf of a tree of tables, in order of address, for people and for inspection.
import { addresses } from '@iommu/hardware'
import type { HardwareView } from '@iommu/hardware'
import { brokenStatus, isTable, leafStatus, pageShiftOf, skippedTo } from './entries.js'
import type { Format } from './format.js'
import { FRAME_INDEX_BITS, frameAt, heldHigh, heldLow } from './pairs.js'
import { ABSENT, ACCESS_FLAG, ADDRESS_SIZE, LEAF, RESERVED } from './status.js'
import { createWalkResult } from './walk.js'
import { walkingOf } from './walking.js'

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
  /**
   * `unreadable`: the table is not memory. `reserved`: a bit is set that must be zero, or the entry is of a kind that its
   * level does not have. `address-size`: its address is too wide. `not-accessed`: a leaf without its access flag.
   */
  readonly why: 'unreadable' | 'reserved' | 'address-size' | 'not-accessed'
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

const complaints = {
  reserved: 'has reserved bits set', 'address-size': 'has too wide an address', 'not-accessed': 'has no access flag',
} as const

const refuse = ({ why, iova, level, address, words }: BrokenEntry): never => {
  throw new RangeError(why === 'unreadable'
    ? `the level ${level} table for ${hex(iova)} lies at ${hex(address)}, which is not memory`
    : `the level ${level} entry for ${hex(iova)} at ${hex(address)} ${complaints[why]}: ${hex(words?.[0] ?? 0n)}`)
}

/** Why hardware faults at an entry, by what a walk would end with. */
const reasons = { [RESERVED]: 'reserved', [ADDRESS_SIZE]: 'address-size', [ACCESS_FLAG]: 'not-accessed' } as const

/**
 * Every leaf below `rootFrame`, as hardware would read it. Tables that point to each other in a ring are bounded
 * by the number of levels, though there may then be very many leaves; a caller may stop at any time.
 * Throws RangeError at a broken place unless `onBroken` is given.
 */
export function* leaves(
  format: Format, view: HardwareView, rootFrame: number, { onBroken = refuse }: LeavesOptions = {},
): Generator<Leaf, void, undefined> {
  const walking = walkingOf(format)
  const top = 1n << BigInt(format.inputBits)
  const canonical = (iova: bigint): bigint =>
    format.signExtended === 1 && iova >= top / 2n ? BigInt.asUintN(64, iova - top) : iova

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
      if ((low & format.present) === 0) continue
      const words = [addresses.join(low, high)] as const
      const broken = (status: keyof typeof reasons): void =>
        onBroken({ why: reasons[status], iova, level, address: addresses.frameAddress(frame) + BigInt(index * 8), words })
      const next = isTable(format, level, low) ? level - 1 : skippedTo(format, level, low)
      if (next > 0) {
        if (((low & (walking.tableReservedLow[level] as number)) | (high & (walking.tableReservedHigh[level] as number))) !== 0) {
          broken(brokenStatus(walking, low, high))
          continue
        }
        const child = frameAt(heldLow(format, low), heldHigh(format, low, high))
        yield* table(child, next, start + BigInt(index) * span, aboveLow & (low ^ walking.invertLow), aboveHigh & (high ^ walking.invertHigh))
        continue
      }
      const shift = pageShiftOf(format, level, low, high)
      const status = shift === 0 ? walking.strayStatus : leafStatus(walking, level, low, high)
      if (status === ABSENT) continue
      if (status !== LEAF) {
        broken(status)
        continue
      }
      const result = createWalkResult()
      result.set(format, LEAF, level, 0, 0, index, low, high, shift, 0, 0, aboveLow, aboveHigh)
      const { read, write, execute, user, physicalLow, physicalHigh } = result
      const pageSize = 1n << BigInt(shift)
      yield { iova: iova & -pageSize, physical: addresses.join(physicalLow, physicalHigh), pageSize, level, read, write, execute, user, words }
      index = lastOfGroup(frame, index, 1 << (shift - (format.shift[level] as number)), low, high)
    }
  }

  /** The last of the equal entries that make up one page. */
  function lastOfGroup(frame: number, index: number, group: number, low: number, high: number): number {
    let last = index
    while (((last + 1) & (group - 1)) !== 0) {
      view.loadPair(frame, last + 1)
      if (view.low !== low || view.high !== high) break
      last++
    }
    return last
  }

  yield* table(rootFrame, format.levels, 0n, -1, -1)
}
