// Keeps what a function of one small number said: layouts and texts are the same for every line of a log.

/** `compute`, asked once for each code. Codes of fault records have at most 16 bits, so this does not grow for ever. */
export const once = <T>(compute: (code: number) => T): ((code: number) => T) => {
  const known = new Map<number, T>()
  return (code) => {
    if (known.has(code)) return known.get(code) as T
    const result = compute(code)
    if (code < 0x1_0000) known.set(code, result)
    return result
  }
}
