// Arithmetic on 64-bit words kept as two signed 32-bit halves: table indexes and frame numbers.
/** log2 of a frame (FRAME_BYTES), the unit in which memory is handed out and tables are named. */
export const FRAME_SHIFT = 12
/** log2 of the 8-byte entries in a frame. */
export const FRAME_INDEX_BITS = 9
/** Frames per 4 GiB: what one step of the upper half is worth. Literals here: computed ones cost the hot paths 10 %. */
const FRAMES_HIGH = 0x10_0000

/** The bits of an address from `shift` on, masked. `shift` is 1 to 63. */
export const indexAt = (low: number, high: number, shift: number, mask: number): number =>
  (shift < 32 ? (low >>> shift) | (high << (32 - shift)) : high >>> (shift - 32)) & mask

/** The frame that an address lies in, exact for all 64-bit addresses. */
export const frameAt = (low: number, high: number): number => (low >>> FRAME_SHIFT) + (high >>> 0) * FRAMES_HIGH

/** Lower half of a frame's address. */
export const frameLow = (frame: number): number => frame << FRAME_SHIFT

/** Upper half of a frame's address. */
export const frameHigh = (frame: number): number => (frame / FRAMES_HIGH) | 0

/** The lower half after `bytes` (below 2^52) have been added. */
export const addLow = (low: number, bytes: number): number => ((low >>> 0) + bytes) | 0
/** By how much the upper half grows then. */
export const carryOf = (low: number, bytes: number): number => Math.floor(((low >>> 0) + bytes) / 0x1_0000_0000)
