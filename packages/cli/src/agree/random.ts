// Random numbers that a seed determines.

/** A stream of choices. The same seed gives the same stream. */
export interface Random {
  /** An integer from 0 to `count` - 1. */
  below(count: number): number
  /** True with a chance of `percent` in a hundred. */
  chance(percent: number): boolean
  pick<T>(values: readonly T[]): T
  /** One of the values, by their weights. */
  weighted<T>(values: readonly (readonly [weight: number, value: T])[]): T
  /** An unsigned number of so many bits. */
  bits(width: number): bigint
}

/** The generator sfc32 (Chris Doty-Humphrey), seeded with a number and a name, so that targets do not run in step. */
export const createRandom = (seed: number, name: string): Random => {
  let [a, b, c, counter] = [seed | 0, 0x9e37_79b9 | 0, name.length, 1]
  const next = (): number => {
    const sum = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum | 0
    return sum >>> 0
  }
  for (const letter of name) {
    a ^= letter.charCodeAt(0)
    next()
  }
  for (let round = 0; round < 12; round++) next()
  const below = (count: number): number => Math.floor((next() / 0x1_0000_0000) * count)
  return {
    below,
    chance: (percent) => below(100) < percent,
    pick: (values) => values[below(values.length)] as (typeof values)[number],
    weighted(values) {
      let left = below(values.reduce((sum, [weight]) => sum + weight, 0))
      for (const [weight, value] of values) {
        left -= weight
        if (left < 0) return value
      }
      throw new RangeError('nothing to choose from')
    },
    bits: (width) => BigInt.asUintN(width, (BigInt(next()) << 32n) | BigInt(next())),
  }
}
