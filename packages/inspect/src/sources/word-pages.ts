// Memory made of single words, for sources that print entries and no pages. What is not printed is zero on a page of which
// every entry that is not zero was printed, and unknown elsewhere.
import { addresses, FRAME_BYTES, frameOf } from '@iommu/hardware'
import type { HardwareView } from '@iommu/hardware'
import { MissingMemoryError } from '../input-error.js'
import { hex } from '../spell.js'

export interface WordPages {
  /** All of the address's page is known: what is not put there is zero. */
  know(address: bigint): void
  /** A word, and nothing about the words beside it. */
  put(address: bigint, word: bigint): void
  /** Frames that are known, and frames with a word on them. */
  has(frame: number): boolean
  /** `file` is what errors call the source, `lacks` what it does not print. */
  view(file: string, lacks: string): HardwareView
}

const WORDS = FRAME_BYTES / 8
const slotOf = (address: bigint): number => frameOf(address) * WORDS + Number((address & 0xfffn) >> 3n)

export const createWordPages = (): WordPages => {
  const words = new Map<number, bigint>()
  const known = new Set<number>()
  const touched = new Set<number>()
  return {
    know: (address) => void known.add(frameOf(address)),
    put(address, word) {
      words.set(slotOf(address), word)
      touched.add(frameOf(address))
    },
    has: (frame) => known.has(frame) || touched.has(frame),
    view(file, lacks) {
      const view = {
        low: 0,
        high: 0,
        has: (): boolean => true,
        loadPair(frame: number, index: number): void {
          const slot = frame * WORDS + index
          const word = words.get(slot)
          if (word === undefined && !known.has(Math.floor(slot / WORDS))) {
            const address = addresses.frameAddress(frame) + BigInt(index * 8)
            throw new MissingMemoryError(address, { file, place: `address ${hex(address)}`, expected: `${lacks}, since a table leads there`, found: 'none' })
          }
          view.low = Number(BigInt.asIntN(32, word ?? 0n))
          view.high = Number(BigInt.asIntN(32, (word ?? 0n) >> 32n))
        },
        load64(address: bigint): bigint {
          const word = words.get(slotOf(address))
          if (word === undefined) view.loadPair(frameOf(address), Number(address & 0xfffn) >> 3)
          return word ?? 0n
        },
      }
      return view
    },
  }
}
