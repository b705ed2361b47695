// Hands out device addresses: from the top down, around what is reserved.

export interface IovaRange {
  readonly start: bigint
  /** Inclusive. */
  readonly end: bigint
  /** Unmapped, and waiting for a flush. */
  queued: boolean
}

export interface IovaSpace {
  /** The domain's smallest page. */
  readonly granule: bigint
  readonly first: bigint
  readonly last: bigint
  /** Never handed out. May overlap each other and, after a hot-add, what had been handed out before. */
  readonly reserved: { readonly start: bigint; readonly end: bigint }[]
  /** By address, upwards. */
  readonly taken: IovaRange[]
}

/** Devices that can only address 32 bits can then use every address (Linux tries this part first, too). */
const LOW_END = (1n << 32n) - 1n

export const createIovaSpace = (
  granule: bigint, aperture: { readonly start: bigint; readonly end: bigint },
): IovaSpace => ({
  granule,
  // Address 0 would look like an error to many a device driver.
  first: aperture.start > granule ? aperture.start : granule,
  last: aperture.end < LOW_END ? aperture.end : LOW_END,
  reserved: [],
  taken: [],
})

export const roundUp = (value: bigint, unit: bigint): bigint => (value + unit - 1n) & ~(unit - 1n)

const powerOfTwo = (size: bigint): bigint => {
  let power = 1n
  while (power < size) power <<= 1n
  return power
}

const indexAbove = (taken: readonly IovaRange[], address: bigint): number => {
  let low = 0
  let high = taken.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const range = taken[middle]
    if (range && range.start <= address) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * The highest free range of `size` bytes, a multiple of the granule, aligned so that large pages fit: to the next
 * power of two. undefined: there is none.
 */
export const allocateIova = (space: IovaSpace, size: bigint): bigint | undefined => {
  const alignment = powerOfTwo(size)
  const { taken, reserved } = space
  let start = (space.last + 1n - size) & ~(alignment - 1n)
  while (start >= space.first) {
    const end = start + size - 1n
    const index = indexAbove(taken, end)
    const below = taken[index - 1]
    const blocker = below && below.end >= start
      ? below
      : reserved.find((range) => range.start <= end && range.end >= start)
    if (!blocker) {
      taken.splice(index, 0, { start, end, queued: false })
      return start
    }
    start = (blocker.start - size) & ~(alignment - 1n)
  }
  return undefined
}

/** The range that starts at `start`. */
export const takenAt = (space: IovaSpace, start: bigint): IovaRange | undefined => {
  const range = space.taken[indexAbove(space.taken, start) - 1]
  return range?.start === start ? range : undefined
}

export const freeIova = (space: IovaSpace, start: bigint): void => {
  const index = indexAbove(space.taken, start) - 1
  if (space.taken[index]?.start === start) space.taken.splice(index, 1)
}
