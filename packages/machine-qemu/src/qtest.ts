// The qtest protocol: one line per command, one per answer, many commands in one write.
import type { LinePipe } from './pipe.js'
import { QemuError } from './emulator.js'

/** Bus and port accesses. Addresses and values are unsigned. */
export interface Qtest {
  /** Sends the commands in one write and returns their answers, without the leading OK. Throws QemuError for a refusal. */
  batch(commands: readonly string[]): readonly string[]
  read32(address: bigint): number
  read64(address: bigint): bigint
  write32(address: bigint, value: number): void
  write64(address: bigint, value: bigint): void
}

export const hex = (value: number | bigint): string => `0x${value.toString(16)}`

export const createQtest = (pipe: LinePipe): Qtest => {
  const answer = (command: string): string => {
    for (;;) {
      const line = pipe.readLine()
      if (line.startsWith('IRQ')) continue
      if (line === 'OK') return ''
      if (line.startsWith('OK ')) return line.slice(3)
      throw new QemuError(`QEMU answers "${line}" to "${command}"`)
    }
  }
  const batch = (commands: readonly string[]): readonly string[] => {
    pipe.write(`${commands.join('\n')}\n`)
    return commands.map(answer)
  }
  const one = (command: string): string => batch([command])[0] as string
  return {
    batch,
    read32: (address) => Number(one(`readl ${hex(address)}`)),
    read64: (address) => BigInt(one(`readq ${hex(address)}`)),
    write32: (address, value) => void one(`writel ${hex(address)} ${hex(value >>> 0)}`),
    write64: (address, value) => void one(`writeq ${hex(address)} ${hex(value)}`),
  }
}
