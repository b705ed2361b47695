// Memory made of single words, for sources that print entries and no pages: what is not printed on a known page is zero.
import { FRAME_BYTES, frameOf } from '@iommu/hardware'
import type { HardwareView } from '@iommu/hardware'
import { createRecordedView } from '../recorded-pages.js'

export interface WordPages {
  /** Makes the page of an address known. */
  know(address: bigint): void
  put(address: bigint, word: bigint): void
  readonly frames: ReadonlySet<number>
  /** `file` is what errors call the source. */
  view(file: string): HardwareView
}

const BYTES = BigInt(FRAME_BYTES)

export const createWordPages = (): WordPages => {
  const words = new Map<bigint, bigint>()
  const frames = new Set<number>()
  const know = (address: bigint): void => void frames.add(frameOf(address))
  return {
    know,
    put(address, word) {
      know(address)
      words.set(address, word)
    },
    frames,
    view(file) {
      const offsets = new Map([...frames].map((frame, index) => [frame, index * FRAME_BYTES]))
      const bytes = new Uint8Array(frames.size * FRAME_BYTES)
      const data = new DataView(bytes.buffer)
      for (const [address, word] of words) {
        data.setBigUint64((offsets.get(frameOf(address)) as number) + Number(address % BYTES), word, true)
      }
      return createRecordedView({ file, offsets, zero: new Set(), bytes })
    },
  }
}
