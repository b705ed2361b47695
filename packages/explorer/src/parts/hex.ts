// How words are written where one types them again.

/** "0x1038a5089 0x800002": word 0 first, without the zero words at the end. */
export const spellWords = (words: readonly bigint[]): string => {
  const last = words.findLastIndex((word) => word !== 0n)
  return words.slice(0, Math.max(last, 0) + 1).map((word) => `0x${word.toString(16)}`).join(' ')
}
