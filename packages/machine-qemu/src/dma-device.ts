// The device that does DMA: QEMU's NVMe controller, whose queues lie in its own memory.
//
// Two admin commands move eight bytes between an address and the controller, through the IOMMU and with nothing else
// on the way: Set Features (Timestamp) reads them, Get Features (Timestamp) writes them. Commands and a scratch word
// lie in the controller memory buffer, which it reaches without DMA. Completions would be DMA: the completion queue
// is full from the start, so that none is written. Every version of QEMU has it, for every board, and it obeys the
// IOMMU for reads and writes alike. (NVM Express base specification 1.4: 3.1 for
// the registers, 4.2 for commands, 5.21.1.14 for the timestamp.) A timestamp is 48 bits, and counts milliseconds
// while it is kept: `landmarks.ts` leaves the lowest 16 bits alone. A DMA that is blocked reads zero.
import { carried } from './landmarks.js'
import type { Qtest } from './qtest.js'
import { hex } from './qtest.js'
import { QemuError } from './emulator.js'

/** Registers in BAR 0. */
const INTERRUPT_MASK_SET = 0x0cn
const CONFIGURATION = 0x14n
const ADMIN_QUEUE_SIZES = 0x24n
const ADMIN_SUBMISSION = 0x28n
const ADMIN_COMPLETION = 0x30n
const SUBMISSION_DOORBELL = 0x1000n
const COMPLETION_DOORBELL = 0x1004n

/** CC: entries of 64 and 16 bytes, enabled. */
const ENABLED = (4 << 20) | (6 << 16) | 1
/** The most that the admin queue takes. It is filled once; then the controller is reset. */
const ENTRIES = 4096
/** The least that a completion queue has. It is full where its head is one ahead of its tail. */
const COMPLETION_ENTRIES = 2
const ENTRY_BYTES = 64

/** Places in the controller memory buffer. */
const COMPLETIONS = 0x4_0000n
const ANSWER = 0x8_0000n
const VALUE = 0x8_0008n

const SET_FEATURES = 0x09
const GET_FEATURES = 0x0a
const TIMESTAMP = 0x0e
/** In the answer while no command has written it. */
const WAITING = 0xffff_ffff_ffff_ffffn
/** Reads of the answer before the device counts as stuck. */
const PATIENCE = 100_000

/** BAR sizes are smaller than this. */
export const DEVICE_WINDOW = 0x20_0000n
const BUFFER_OFFSET = 0x10_0000n

/** Arguments for the device at a slot. */
export const deviceArguments = (device: number, fn: number): readonly string[] => [
  '-device',
  `nvme,addr=${hex(device)}.${fn},multifunction=${fn === 0 ? 'on' : 'off'},serial=dma,cmb_size_mb=1,legacy-cmb=on`,
]

/** One requester that does what it is told. Addresses are aligned to 8. */
export interface DmaDevice {
  /** Where its BARs belong. */
  readonly registers: bigint
  readonly buffer: bigint
  /** What it found, or zero where it was blocked. See `carried`. */
  read(address: bigint): bigint
  /** Writes a value; nobody says whether it arrived. */
  write(address: bigint, value: bigint): void
  /** The controller has been reset. */
  forget(): void
}

const entry = (opcode: number, address: bigint): string => {
  const words = new Uint32Array(ENTRY_BYTES / 4)
  words[0] = opcode
  words[6] = Number(address & 0xffff_ffffn)
  words[7] = Number(address >> 32n)
  words[10] = TIMESTAMP
  return `0x${Buffer.from(words.buffer).toString('hex')}`
}

/** `window` is where its BARs are, DEVICE_WINDOW in size. */
export const createDmaDevice = (qtest: Qtest, window: bigint): DmaDevice => {
  const registers = window
  const buffer = window + BUFFER_OFFSET
  let tail: number | undefined

  const enable = (): readonly string[] => [
    `writel ${hex(registers + CONFIGURATION)} 0x0`,
    `writel ${hex(registers + INTERRUPT_MASK_SET)} 0xffffffff`,
    `writel ${hex(registers + ADMIN_QUEUE_SIZES)} ${hex((COMPLETION_ENTRIES - 1) * 0x1_0000 + ENTRIES - 1)}`,
    `writeq ${hex(registers + ADMIN_SUBMISSION)} ${hex(buffer)}`,
    `writeq ${hex(registers + ADMIN_COMPLETION)} ${hex(buffer + COMPLETIONS)}`,
    `writel ${hex(registers + CONFIGURATION)} ${hex(ENABLED)}`,
    `writel ${hex(registers + COMPLETION_DOORBELL)} 0x1`,
  ]
  /** Commands in order, and the last of them brings the timestamp to ANSWER. */
  const run = (prepare: readonly string[], commands: readonly (readonly [opcode: number, address: bigint])[]): bigint => {
    const start = tail === undefined || tail + commands.length + 1 >= ENTRIES ? enable() : []
    let at = start.length > 0 ? 0 : tail ?? 0
    const all = [...commands, [GET_FEATURES, buffer + ANSWER] as const]
    const puts = all.map(([opcode, address]) => `write ${hex(buffer + BigInt(at++ * ENTRY_BYTES))} ${ENTRY_BYTES} ${entry(opcode, address)}`)
    tail = at
    qtest.batch([
      ...start, `writeq ${hex(buffer + ANSWER)} ${hex(WAITING)}`, ...prepare, ...puts,
      `writel ${hex(registers + SUBMISSION_DOORBELL)} ${hex(at)}`,
    ])
    // The commands run when QEMU comes by again, which is between two of ours.
    for (let tries = 0; tries < PATIENCE; tries++) {
      const word = qtest.read64(buffer + ANSWER)
      if (word !== WAITING) return carried(word)
    }
    throw new QemuError(`the DMA device at 0x${registers.toString(16)} does not answer`)
  }
  return {
    registers,
    buffer,
    read: (address) => run([], [[SET_FEATURES, address]]),
    write(address, value) {
      run([`writeq ${hex(buffer + VALUE)} ${hex(value)}`], [[SET_FEATURES, buffer + VALUE], [GET_FEATURES, address]])
    },
    forget() { tail = undefined },
  }
}
