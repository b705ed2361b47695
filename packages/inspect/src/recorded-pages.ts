// Recorded pages as memory: what was not recorded is not zero, it is unknown.
import { addresses, FRAME_BYTES, loadWords } from '@iommu/hardware'
import type { HardwareView } from '@iommu/hardware'
import { MissingMemoryError } from './input-error.js'
import { hex } from './spell.js'

/** Pages by frame number. */
export interface RecordedPages {
  /** Name of the file that lists them. */
  readonly file: string
  /** Byte offset of each page in `bytes`. */
  readonly offsets: ReadonlyMap<number, number>
  /** Frames that were read and hold only zeros. */
  readonly zero: ReadonlySet<number>
  readonly bytes: Uint8Array
}

const WORDS = FRAME_BYTES / 8

/**
 * Memory of which some pages are known. Every frame counts as memory, since a capture does not say what else there
 * is; reading one that was not recorded throws MissingMemoryError.
 */
export const createRecordedView = ({ file, offsets, zero, bytes }: RecordedPages): HardwareView => {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const view = {
    low: 0,
    high: 0,
    has: (): boolean => true,
    loadPair(frame: number, index: number): void {
      const holding = frame + Math.floor(index / WORDS)
      const offset = offsets.get(holding)
      if (offset !== undefined) {
        const at = offset + (index % WORDS) * 8
        view.low = words.getInt32(at, true)
        view.high = words.getInt32(at + 4, true)
        return
      }
      if (!zero.has(holding)) {
        const address = addresses.frameAddress(holding)
        throw new MissingMemoryError(address, { file, place: `page ${hex(address)}`, expected: 'a recorded page, since a table points there', found: 'none' })
      }
      view.low = 0
      view.high = 0
    },
    load64(address: bigint): bigint {
      view.loadPair(addresses.frameOf(address), Number(address & 0xfffn) >> 3)
      return addresses.join(view.low, view.high)
    },
  }
  return view
}

/** Words from an address on; undefined where a page was not recorded. */
export const loadRecorded = (view: HardwareView, address: bigint, words: number): bigint[] | undefined => {
  try {
    return loadWords(view, address, words)
  } catch (error) {
    if (error instanceof MissingMemoryError) return undefined
    throw error
  }
}
