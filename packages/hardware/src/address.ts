// The one door between bigint addresses and the numbers that hot paths use: frames and 32-bit halves.

/** Size of a frame in bytes: the unit in which memory is handed out. */
export const FRAME_BYTES = 4096

/** A scratch array costs a nanosecond; `>>` and `&` on bigint cost 100. Inside a function, where constants are constants to V8 even when bundled. */
const door = () => {
  const wide = new BigInt64Array(1)
  const halves = new Int32Array(wide.buffer)
  return {
    lowOf: (value: bigint): number => {
      wide[0] = value
      return halves[0] as number
    },
    highOf: (value: bigint): number => {
      wide[0] = value
      return halves[1] as number
    },
    join: (lowHalf: number, highHalf: number): bigint => {
      halves[0] = lowHalf
      halves[1] = highHalf
      return BigInt.asUintN(64, wide[0] as bigint)
    },
  }
}

export const { lowOf, highOf, join } = door()

/** Bits 31:0 of the address last split, as a signed number. */
export let low = 0
/** Bits 63:32 of the address last split, as a signed number. */
export let high = 0

/** Splits a 64-bit value into `low` and `high`. */
export const split = (value: bigint): void => {
  low = lowOf(value)
  high = highOf(value)
}

/** The frame that a byte address lies in: address / 4096, as a number (exact up to 2^64). */
export const frameOf = (address: bigint): number => (highOf(address) >>> 0) * 0x100000 + (lowOf(address) >>> 12)

/** The first byte address of a frame. */
export const frameAddress = (frame: number): bigint =>
  join(frame << 12, (frame / 0x100000) | 0)
