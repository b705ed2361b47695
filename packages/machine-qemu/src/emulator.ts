// A running QEMU: started with pipes and a RAM file, ended with its parent, and quoted when it ends by itself.
import { spawn, spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Emulator, Installation } from './installations.js'
import { connect, makePipes, openEarly } from './pipe.js'
import type { LinePipe, Peer } from './pipe.js'

/** QEMU refused its command line, or ended while it was being used. */
export class QemuError extends Error {
  override readonly name = 'QemuError'
}

/** A process of QEMU's, and the folder with its pipes, its RAM and its log. */
export interface Process {
  readonly pid: number
  /** The file that is the guest's RAM, shared with QEMU. */
  readonly ramFile: string
  /** The qtest protocol. */
  readonly qtest: LinePipe
  /** The machine protocol (JSON lines). */
  readonly qmp: LinePipe
  /** Everything QEMU has written to its standard error. */
  log(): string
  stop(): void
}

export interface StartOptions {
  readonly installation: Installation
  readonly emulator: Emulator
  readonly ramBytes: bigint
  /** Arguments of the board; the folder holds files that they may name. */
  readonly args: (folder: string) => readonly string[]
}

const isAlive = (pid: number): boolean => {
  try {
    // The state stands behind the name, which may hold anything but ends with the last parenthesis.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return !/^\) [ZX]/.test(stat.slice(stat.lastIndexOf(')')))
  } catch {
    return false
  }
}

/** util-linux has it nearly everywhere; without it QEMU is ended by this process's exit handler alone. */
const diesWithParent: readonly string[] =
  spawnSync('setpriv', ['--pdeathsig', 'KILL', 'true']).status === 0 ? ['setpriv', '--pdeathsig', 'KILL'] : []

const running = new Set<() => void>()
process.on('exit', () => {
  for (const stop of running) stop()
})

const lastLine = (text: string): string => text.trimEnd().split('\n').at(-1) ?? ''

/** Starts QEMU and waits until it answers. Throws QemuError with its last line where it does not. */
export const startProcess = ({ installation, emulator, ramBytes, args }: StartOptions): Process => {
  const command = installation.command(emulator)
  if (command === undefined) throw new QemuError(`QEMU ${installation.version} in ${installation.where} has no ${emulator}`)
  const folder = mkdtempSync(join(tmpdir(), 'iommu-qemu-'))
  const ramFile = join(folder, 'ram')
  const logFile = join(folder, 'log')
  const [qtestPath, qmpPath] = [join(folder, 'qtest'), join(folder, 'qmp')]
  makePipes(qtestPath, qmpPath)
  writeFileSync(ramFile, '')
  truncateSync(ramFile, Number(ramBytes))
  const early = { qtest: openEarly(qtestPath), qmp: openEarly(qmpPath) }
  const logHandle = openSync(logFile, 'w')
  const line = [...diesWithParent, command.file, ...command.args, ...args(folder)] as [string, ...string[]]
  const child = spawn(line[0], line.slice(1), {
    stdio: ['ignore', logHandle, logHandle], env: { ...process.env, ...command.env },
  })
  closeSync(logHandle)
  child.unref()
  const pid = child.pid ?? 0
  const stop = (): void => {
    running.delete(stop)
    if (pid > 0 && isAlive(pid)) process.kill(pid, 'SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
  running.add(stop)
  const log = (): string => readFileSync(logFile, 'utf8')
  const peer: Peer = {
    alive: () => pid > 0 && isAlive(pid),
    died() {
      const said = lastLine(log())
      stop()
      throw new QemuError(`QEMU ${installation.version} has ended: ${said === '' ? 'it said nothing' : said}`)
    },
  }
  const qtest = connect(qtestPath, early.qtest, peer, 'endianness\n')
  qtest.readLine()
  const qmp = connect(qmpPath, early.qmp, peer)
  return { pid, ramFile, qtest, qmp, log, stop }
}
