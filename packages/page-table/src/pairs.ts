// Arithmetic on 64-bit words kept as two signed 32-bit halves: table indexes and frame numbers.

/** log2 of a frame (FRAME_BYTES), the unit in which memory is handed out and tables are named. */
export const FRAME_SHIFT = 12
/** log2 of the 8-byte entries in a frame. */
export const FRAME_INDEX_BITS = 9
/** log2 of the 4-byte words of which memory is made. */
export const WORD_SHIFT = 2
/** log2 of the bytes that one array of words can hold. */
export const FLAT_SHIFT = 31
/** Frames per 4 GiB: what one step of the upper half is worth. Literals here: computed ones cost the hot paths 10 %. */
const FRAMES_HIGH = 0x10_0000

/** The bits of an address from `shift` on, masked. `shift` is 1 to 63. Both ways are signed: V8 makes a double of a number that may be either. */
export const indexAt = (low: number, high: number, shift: number, mask: number): number =>
  (shift < 32 ? (low >>> shift) | (high << (32 - shift)) : (high >>> (shift - 32)) | 0) & mask

/** The frame that an address lies in, exact for all 64-bit addresses. */
export const frameAt = (low: number, high: number): number => (low >>> FRAME_SHIFT) + (high >>> 0) * FRAMES_HIGH

/**
 * The same for the frame of a table in `Memory`, where there are fewer than 2^31 of them: an integer to V8, where a
 * number that may be any frame is a double, which costs each level of a descent 4 ns.
 */
export const tableAt = (low: number, high: number): number => (low >>> 12) | (high << 20)

/** Where a format's entries hold addresses, as numbers of `Format`. */
export interface Holding {
  readonly addressLow: number
  readonly addressHigh: number
  readonly addressShift: number
  readonly foldLow: number
}

/** Lower half of the address that an entry holds. */
export const heldLow = ({ addressLow, addressShift }: Holding, low: number): number => (low & addressLow) << addressShift

/** Its upper half. Shifted in two steps: a shift by 32 is none. */
export const heldHigh = ({ addressLow, addressHigh, addressShift, foldLow }: Holding, low: number, high: number): number =>
  ((high & addressHigh) << addressShift) | ((low & addressLow) >>> 1 >>> (31 - addressShift)) | ((low & foldLow) << 4)

/** Lower half of an entry that holds the address, without attributes. */
export const holdLow = (format: Holding, low: number, high: number): number =>
  (low >>> format.addressShift) | (high << 1 << (31 - format.addressShift)) | (high >>> 4 & format.foldLow)

/** Its upper half. */
export const holdHigh = (format: Holding, high: number): number => (high >>> format.addressShift) & format.addressHigh

/** A view as far as a walk needs it. */
interface Loads {
  has(frame: number): boolean
  loadPair(frame: number, index: number): void
}

/**
 * Loads a word of a table anywhere, whose address is given as halves; false where that is not memory. Near frames
 * have a way of their own for the same reason.
 */
export const loadAt = (view: Loads, tableLow: number, tableHigh: number, index: number): boolean => {
  if (tableHigh >>> 11 === 0) {
    const near = tableAt(tableLow, tableHigh)
    if (!view.has(near + (index >>> FRAME_INDEX_BITS))) return false
    view.loadPair(near, index)
    return true
  }
  const far = frameAt(tableLow, tableHigh)
  if (!view.has(far + (index >>> FRAME_INDEX_BITS))) return false
  view.loadPair(far, index)
  return true
}

/** Lower half of a frame's address. */
export const frameLow = (frame: number): number => frame << FRAME_SHIFT

/** Upper half of a frame's address. */
export const frameHigh = (frame: number): number => (frame / FRAMES_HIGH) | 0

/** Ones below the bit, which is 0 to 64. In cases, since a shift by 32 is none. */
export const offsetLow = (shift: number): number => (shift < 32 ? ~(-1 << shift) : -1)
export const offsetHigh = (shift: number): number => (shift <= 32 ? 0 : shift < 64 ? ~(-1 << (shift - 32)) : -1)

/** Frames that a page covers, by log2 of its bytes. `**` is a call, and costs more than a whole walk. */
export const framesByShift: readonly number[] = Array.from({ length: 64 }, (_, shift) => 2 ** Math.max(shift - FRAME_SHIFT, 0))

/** The lower half after `bytes` (below 2^52) have been added. */
export const addLow = (low: number, bytes: number): number => ((low >>> 0) + bytes) | 0
/** By how much the upper half grows then. */
export const carryOf = (low: number, bytes: number): number => Math.floor(((low >>> 0) + bytes) / 0x1_0000_0000)
