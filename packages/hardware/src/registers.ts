// Registers as a driver sees them, and the bounded wait.

/** The answer of a bounded wait: the value last read, and whether it was the one waited for. */
export interface Polled<T> {
  readonly done: boolean
  readonly value: T
}

/** A register window. Offsets are byte offsets into it. */
export interface Registers {
  read32(offset: number): number
  read64(offset: number): bigint
  write32(offset: number, value: number): void
  write64(offset: number, value: bigint): void
  /** Reads until `done` says so, `budget` times at the most: "never completes" is an answer and not a hang. */
  poll<T>(read: () => T, done: (value: T) => boolean, budget?: number): Polled<T>
}

/** What is behind a window: the hardware's side. */
export interface RegisterDevice {
  read(offset: number, bits: 32 | 64): bigint
  write(offset: number, bits: 32 | 64, value: bigint): void
  /** Time passes while a driver waits. */
  tick?(): void
}

/** Reads of a poll before it gives up, where the caller names no budget. */
export const POLL_BUDGET = 1000

/** A window on a device; `wrote` is told of every write after it was made. */
export const createRegisters = (
  device: RegisterDevice, wrote?: (offset: number, bits: 32 | 64, value: bigint) => void,
): Registers => ({
  read32: (offset) => Number(device.read(offset, 32)),
  read64: (offset) => device.read(offset, 64),
  write32(offset, value) {
    device.write(offset, 32, BigInt(value >>> 0))
    wrote?.(offset, 32, BigInt(value >>> 0))
  },
  write64(offset, value) {
    device.write(offset, 64, value)
    wrote?.(offset, 64, value)
  },
  poll(read, done, budget = POLL_BUDGET) {
    let value = read()
    for (let reads = 1; !done(value) && reads < budget; reads++) {
      device.tick?.()
      value = read()
    }
    return { done: done(value), value }
  },
})
