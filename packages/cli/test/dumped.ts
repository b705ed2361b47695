// A recorded machine's memory in QEMU, dumped by QEMU: an ELF core, and the RAM file as a raw image.
import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Installation } from '@iommu/machine-qemu'

const PAGE = 4096

/** Recorded pages by physical address. */
export const recordedPages = (capture: string): ReadonlyMap<number, Uint8Array> => {
  const { pages } = JSON.parse(readFileSync(join(capture, 'tables.json'), 'utf8')) as { pages: Record<string, number> }
  const bytes = readFileSync(join(capture, 'tables.bin'))
  return new Map(Object.entries(pages).map(([address, offset]) => [Number(address), bytes.subarray(offset, offset + PAGE)]))
}

/** Writes a machine's memory as a file that takes room for its pages alone. */
export const writeImage = (file: string, bytes: number, base: number, pages: ReadonlyMap<number, Uint8Array>): void => {
  writeFileSync(file, '')
  truncateSync(file, bytes)
  const handle = openSync(file, 'r+')
  for (const [address, page] of pages) writeSync(handle, page, 0, PAGE, address - base)
  closeSync(handle)
}

export interface Board {
  readonly emulator: 'qemu-system-x86_64' | 'qemu-system-aarch64'
  readonly machine: readonly string[]
  /** Where RAM begins. */
  readonly base: number
}

export const BOARDS = {
  intel: { emulator: 'qemu-system-x86_64', machine: ['-machine', 'q35,memory-backend=ram'], base: 0 },
  amd: { emulator: 'qemu-system-x86_64', machine: ['-machine', 'q35,memory-backend=ram'], base: 0 },
  arm: { emulator: 'qemu-system-aarch64', machine: ['-machine', 'virt,memory-backend=ram', '-cpu', 'max'], base: 0x4000_0000 },
} as const satisfies Readonly<Record<string, Board>>

export interface Dumped {
  /** RAM as QEMU has it, from the board's first address on. */
  readonly raw: string
  readonly elf: string
}

/** Starts QEMU over the pages, has it dump its memory, and ends it. Throws with what QEMU said where it refuses. */
export const dumpOnQemu = async (
  installation: Installation, { emulator, machine, base }: Board, megabytes: number, pages: ReadonlyMap<number, Uint8Array>, folder: string,
): Promise<Dumped> => {
  const command = installation.command(emulator)
  if (command === undefined) throw new Error(`QEMU ${installation.version} has no ${emulator}`)
  const [raw, elf] = [join(folder, 'ram'), join(folder, 'core')]
  writeImage(raw, megabytes * 2 ** 20, base, pages)
  const child = spawn(command.file, [
    ...command.args, '-nodefaults', '-no-user-config', '-display', 'none', '-S', '-accel', 'qtest', ...machine, '-m', `${megabytes}M`,
    '-object', `memory-backend-file,id=ram,mem-path=${raw},size=${megabytes}M,share=on`, '-qmp', 'stdio',
  ], { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...command.env } })
  // That it has ended is told by its silence.
  child.stdin.on('error', () => undefined)
  try {
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const execute = async (text: object): Promise<void> => {
      child.stdin.write(`${JSON.stringify(text)}\n`)
      for (;;) {
        const { value, done } = await lines.next()
        if (done === true) throw new Error('QEMU has ended')
        const answer = JSON.parse(value) as { readonly return?: unknown; readonly error?: { readonly desc: string } }
        if (answer.error !== undefined) throw new Error(`QEMU refuses: ${answer.error.desc}`)
        if (answer.return !== undefined) return
      }
    }
    await lines.next()
    await execute({ execute: 'qmp_capabilities' })
    await execute({ execute: 'dump-guest-memory', arguments: { paging: false, protocol: `file:${elf}` } })
    return { raw, elf }
  } finally {
    child.kill('SIGKILL')
  }
}
