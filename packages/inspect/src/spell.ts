// How numbers are written: addresses, entry words, fault codes.

/** "0x1a0" */
export const hex = (value: number | bigint): string => `0x${value.toString(16)}`
/** A 64-bit word with all its digits. */
export const hexWord = (word: bigint): string => `0x${word.toString(16).padStart(16, '0')}`
/** A fault code as kernels' logs have it: "0x05". */
export const hexCode = (code: number): string => `0x${code.toString(16).padStart(2, '0')}`
