// What a QEMU can do, asked of the binary itself and remembered.
import { spawnSync } from 'node:child_process'
import type { Board, BoardFacts } from './boards/board.js'
import { QemuError } from './emulator.js'
import type { Emulator, Installation } from './installations.js'

const known = new Map<string, BoardFacts>()

const ask = (installation: Installation, emulator: Emulator): BoardFacts => {
  const command = installation.command(emulator)
  if (command === undefined) throw new QemuError(`QEMU ${installation.version} in ${installation.where} has no ${emulator}`)
  const run = (args: readonly string[], input = ''): { readonly status: number | null; readonly stdout: string } =>
    spawnSync(command.file, [...command.args, ...args], { env: { ...process.env, ...command.env }, encoding: 'utf8', input })
  const listed = new Map<string, ReadonlySet<string>>()
  let accelerator: boolean | undefined
  return {
    installation,
    properties(device) {
      let names = listed.get(device)
      if (names === undefined) {
        const { stdout } = run(['-device', `${device},help`])
        names = new Set([...stdout.matchAll(/^ *(?:[\w-]+\.)?([\w-]+)=</gm)].map(([, name]) => name as string))
        listed.set(device, names)
      }
      return names
    },
    // The list of accelerators does not name it, even where it is there: start it, and quit.
    get qtestAccelerator() {
      return accelerator ??= run(['-machine', 'none', '-accel', 'qtest', '-nodefaults', '-display', 'none', '-monitor', 'stdio'], 'quit\n').status === 0
    },
  }
}

/** Facts of one emulator of an installation. Throws QemuError where the installation lacks it. */
export const factsOf = (installation: Installation, emulator: Emulator): BoardFacts => {
  const key = `${installation.where} ${emulator}`
  let facts = known.get(key)
  if (facts === undefined) known.set(key, (facts = ask(installation, emulator)))
  return facts
}

/** Why an installation cannot be a board; undefined where it can. */
export const boardLack = (board: Board, installation: Installation): string | undefined =>
  (installation.command(board.emulator) === undefined
    ? `QEMU ${installation.version} in ${installation.where} has no ${board.emulator}`
    : board.lacks(factsOf(installation, board.emulator)))
