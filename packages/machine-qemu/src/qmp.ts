// The machine protocol: used for one thing, the reset of the whole board.
import type { LinePipe } from './pipe.js'
import { QemuError } from './emulator.js'

export interface Qmp {
  /** Resets every device; RAM stays. Done when it returns. */
  reset(): void
}

interface Message {
  readonly event?: string
  readonly error?: { readonly desc: string }
  readonly return?: unknown
}

export const createQmp = (pipe: LinePipe): Qmp => {
  const until = (arrived: (message: Message) => boolean): void => {
    for (;;) {
      const message = JSON.parse(pipe.readLine()) as Message
      if (message.error !== undefined) throw new QemuError(`QEMU refuses: ${message.error.desc}`)
      if (arrived(message)) return
    }
  }
  const execute = (command: string): void => pipe.write(`${JSON.stringify({ execute: command })}\n`)
  // The greeting comes first, and says nothing that is needed.
  pipe.readLine()
  execute('qmp_capabilities')
  until((message) => 'return' in message)
  return {
    reset() {
      execute('system_reset')
      until(({ event }) => event === 'RESET')
    },
  }
}
