// A register file: values by offset, and what happens when some of them are written.
import type { RegisterDevice } from '@iommu/hardware'

/** 32-bit registers. */
export interface RegisterFile extends RegisterDevice {
  get(offset: number): number
  /** Sets a register from the hardware's side: nothing happens. */
  set(offset: number, value: number): void
}

/** What a write does besides being kept; answers the value to keep, where it is another one. */
export type OnWrite = (offset: number, value: number) => number | void

/** `reading`: the value of registers that are not plain. */
export const createRegisterFile = (
  resets: Readonly<Record<number, number>> = {}, onWrite: OnWrite = () => undefined,
  reading: (offset: number) => number | undefined = () => undefined,
): RegisterFile => {
  const values = new Map<number, number>(Object.entries(resets).map(([offset, value]) => [Number(offset), value >>> 0]))
  const get = (offset: number): number => values.get(offset) ?? 0
  return {
    get,
    set: (offset, value) => void values.set(offset, value >>> 0),
    read(offset, bits) {
      if (bits !== 32) throw new RangeError(`a 64-bit read of register 0x${offset.toString(16)}: registers are 32 bits wide`)
      return BigInt(reading(offset) ?? get(offset))
    },
    write(offset, bits, value) {
      if (bits !== 32) throw new RangeError(`a 64-bit write of register 0x${offset.toString(16)}: registers are 32 bits wide`)
      const kept = onWrite(offset, Number(value))
      values.set(offset, (kept ?? Number(value)) >>> 0)
    },
  }
}
