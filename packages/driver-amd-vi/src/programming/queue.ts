// The command buffer from the driver's side: submit, wait, recover.
import { decode } from '@iommu/bits'
import { IommuError } from '@iommu/core'
import { createRing, frameAddress } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import { invalidateIotlbPages, OFFSETS, OPCODES } from '../tables/index.js'
import type { EventReader } from './faults.js'
import { waitFor } from './invalidate.js'
import type { Command } from './plan.js'
import { readStatus, restartCommands } from './registers.js'

/** log2 of the buffer's entries: one page. */
const LENGTH = 8
/** Commands per wait, at the most: with it they fill the buffer, of which one entry stays free. */
const BATCH = 2 ** LENGTH - 2

/** Submissions are complete when `submit` returns. */
export interface CommandQueue {
  /**
   * Queues the commands and a COMPLETION_WAIT, and waits. Throws ENODEV where completion never comes, where a device
   * does not answer, or where hardware refuses a command. The buffer can be used again afterwards.
   */
  submit(commands: readonly Command[]): void
}

/** Where the buffer lies, and what it becomes once the event log can be read. */
export interface CommandBuffer {
  readonly base: bigint
  readonly length: number
  open(events: EventReader): CommandQueue
}

/** Takes two frames: the buffer, and the word that waits write. undefined where there is no memory. */
export const createCommandBuffer = (machine: Machine): CommandBuffer | undefined => {
  const { memory, registers } = machine
  const bufferFrame = memory.pages.allocate()
  const doneFrame = memory.pages.allocate()
  if (bufferFrame === undefined || doneFrame === undefined) return undefined
  const base = frameAddress(bufferFrame)
  const done = frameAddress(doneFrame)
  const ring = createRing(2 ** LENGTH, 16)
  const isRunning = (): boolean => readStatus(machine).CmdRun === 1
  const tellsDevice = (command: Command): boolean =>
    decode(invalidateIotlbPages, command).Opcode === OPCODES.invalidateIotlbPages
  return {
    base,
    length: LENGTH,
    open(events) {
      let tail = 0
      /** Each wait writes another number: one that comes late is not taken for the next. */
      let turn = 0n
      const submitBatch = (commands: readonly Command[]): void => {
        turn++
        for (const each of [...commands, waitFor(done, turn)]) {
          const head = Number(registers.read64(OFFSETS.CMD_HEAD))
          if (ring.room(head, tail) === 0) throw new IommuError('ENODEV', 'the command buffer is full and does not drain', { head, tail })
          memory.store128(base + BigInt(tail), each[0] as bigint, each[1] as bigint)
          tail = ring.next(tail)
        }
        memory.order()
        registers.write64(OFFSETS.CMD_TAIL, BigInt(tail))
        const { value } = registers.poll(() => memory.load64(done), (each) => each === turn || !isRunning())
        if (value === turn) {
          const silent = commands.some(tellsDevice) ? events.timedOut() : undefined
          if (silent === undefined) return
          throw new IommuError('ENODEV', 'a device did not answer the invalidation of its TLB', { source: silent })
        }
        if (isRunning()) throw new IommuError('ENODEV', 'the unit does not complete commands', { tail })
        const head = registers.read64(OFFSETS.CMD_HEAD)
        restartCommands(machine)
        tail = 0
        throw new IommuError('ENODEV', 'the unit refused a command', { head })
      }
      return {
        submit(commands) {
          for (let at = 0; at === 0 || at < commands.length; at += BATCH) submitBatch(commands.slice(at, at + BATCH))
        },
      }
    },
  }
}
