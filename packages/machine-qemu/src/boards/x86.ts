// What the boards with an x86 processor share: q35, its memory map, its ports, and a processor that stands still.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { accelerator } from './accelerator.js'
import type { Board, BoardFacts } from './board.js'

const GIB = 1n << 30n
const LOW = 2n * GIB
const RAM_BYTES = 8n * GIB

/** A PC has its display and its ROMs here. */
const HOLE = { start: 0xa_0000n, end: 0x10_0000n }

/** Below 4 GiB q35 has 2 GiB of RAM but for the hole, and the rest from 4 GiB on. */
const ram = [
  { start: 0n, bytes: HOLE.start, offset: 0n },
  { start: HOLE.end, bytes: LOW - HOLE.end, offset: HOLE.end },
  { start: 4n * GIB, bytes: RAM_BYTES - LOW, offset: LOW },
] as const

/** A processor that runs finds `cli; hlt` at the reset vector, and a jump back to it. */
const writeHaltingRom = (folder: string): string => {
  const rom = Buffer.alloc(0x1_0000, 0xf4)
  rom.set([0xfa, 0xf4, 0xeb, 0xfd], rom.length - 16)
  const file = join(folder, 'rom')
  writeFileSync(file, rom)
  return file
}

/** Everything of a board but its IOMMU. */
export const x86 = {
  emulator: 'qemu-system-x86_64',
  ramBytes: RAM_BYTES,
  ram,
  config: 'ports',
  windows: 0xe000_0000n,
  data: { start: HOLE.end, end: 0x100_0000n },
  tables: { start: 0x100_0000n, end: 0x300_0000n },
} as const satisfies Partial<Board>

/** Arguments of the platform; QEMU is run in `folder`. */
export const platform = (facts: BoardFacts, folder: string): readonly string[] =>
  ['-machine', 'q35,memory-backend=ram', ...accelerator(facts, () => ['-bios', writeHaltingRom(folder)])]
