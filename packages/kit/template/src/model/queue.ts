// The command queue: fetches commands, refuses illegal ones, carries out the others.
import { breaksReserved, decode, decodeField, describe, renderLine } from '@iommu/bits'
import type { EventStream, Failures, PhysicalMemory } from '@iommu/hardware'
import { commands, fenceCommand, forgetDeviceCommand, OPCODES } from '../tables/index.js'
import type { Caches } from './caches.js'

/** Where the queue is and how far it has come. Indexes are of commands. */
export interface QueueState {
  base: bigint
  head: number
  tail: number
  /** The queue has stopped at `head` until software clears it. */
  illegal: boolean
}

export const createQueueState = (): QueueState => ({ base: 0n, head: 0, tail: 0, illegal: false })

/** What the queue acts on. */
export interface QueueTarget {
  readonly memory: PhysicalMemory
  readonly caches: Caches
  readonly events: EventStream
  readonly failures: Failures
}

const COMMAND_BYTES = 16
const ENTRIES = 4096 / COMMAND_BYTES

/** Drops what a command names, and nothing more. */
const carryOut = (opcode: number, words: readonly bigint[], { caches }: QueueTarget): void => {
  if (opcode !== OPCODES.forgetDevice) return
  const { SOURCE } = decode(forgetDeviceCommand, words)
  caches.devices.drop(({ source }) => source === SOURCE)
}

/** Works through the queue from head to tail, or until something stops it. */
export const runQueue = (state: QueueState, target: QueueTarget): void => {
  const { memory: { snooped }, failures, events } = target
  while (!state.illegal && state.head !== state.tail) {
    const at = state.base + BigInt(state.head * COMMAND_BYTES)
    const words = [snooped.load64(at), snooped.load64(at + 8n)]
    const opcode = decodeField(fenceCommand, words, 'OPCODE')
    const layout = commands[opcode]
    if (failures.refuseCommand() || layout === undefined || breaksReserved(layout, words)) {
      state.illegal = true
      return
    }
    if (opcode === OPCODES.fence && failures.completionsNever) return
    carryOut(opcode, words, target)
    state.head = (state.head + 1) % ENTRIES
    if (events.listeners !== null) events.emit({ kind: 'command', name: layout.name, words, text: renderLine(describe(layout, words)) })
  }
}
