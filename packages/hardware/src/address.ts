// The one door between bigint addresses and the numbers that hot paths use: frames and 32-bit halves.

const wide = new BigInt64Array(1)
const halves = new Int32Array(wide.buffer)

/** Size of a frame in bytes: the unit in which memory is handed out. */
export const FRAME_BYTES = 4096

/** Bits 31:0 of the address last split, as a signed number. */
export let low = 0
/** Bits 63:32 of the address last split, as a signed number. */
export let high = 0

/** Splits a 64-bit value into `low` and `high`. A scratch array costs 6 ns; `>>` and `&` on bigint cost 100. */
export const split = (value: bigint): void => {
  wide[0] = value
  low = halves[0] as number
  high = halves[1] as number
}

/** The inverse of `split`, unsigned. */
export const join = (lowHalf: number, highHalf: number): bigint => {
  halves[0] = lowHalf
  halves[1] = highHalf
  return BigInt.asUintN(64, wide[0] as bigint)
}

/** The frame that a byte address lies in: address / 4096, as a number (exact up to 2^64). */
export const frameOf = (address: bigint): number => {
  split(address)
  return (high >>> 0) * 0x100000 + (low >>> 12)
}

/** The first byte address of a frame. */
export const frameAddress = (frame: number): bigint =>
  join((frame % 0x100000) << 12, Math.floor(frame / 0x100000))
