// The command queue from the driver's side: submit, wait, recover.
import { decode, encode } from '@iommu/bits'
import { IommuError } from '@iommu/core'
import { createRing, frameAddress, storeWords } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import { commandQueueStatus, OFFSETS } from '../tables/index.js'
import { fenceCommand } from './invalidate.js'
import type { Command } from './plan.js'

/** One page: 256 commands of 16 bytes. */
const LOG2_ENTRIES = 8
const COMMAND_BYTES = 16

/** Submissions are complete when `submit` returns. */
export interface CommandQueue {
  readonly base: bigint
  readonly log2Entries: number
  /**
   * Queues the commands and a fence, and waits. Throws ENODEV where completion never comes, where a device does not
   * answer, or where hardware refuses a command. The queue can be used again afterwards.
   */
  submit(commands: readonly Command[]): void
}

/** Takes a frame. undefined where there is no memory. */
export const createQueue = ({ memory, registers }: Machine): CommandQueue | undefined => {
  const frame = memory.pages.allocate()
  if (frame === undefined) return undefined
  const base = frameAddress(frame)
  const ring = createRing(2 ** LOG2_ENTRIES, 1)
  let tail = 0

  const head = (): number => registers.read32(OFFSETS.cqh)
  const put = (index: number, command: Command): void =>
    storeWords(memory, base + BigInt(index * COMMAND_BYTES), command)
  const status = (): { cmd_ill: number; cmd_to: number; cqmf: number } =>
    decode(commandQueueStatus, [BigInt(registers.read32(OFFSETS.cqcsr))])
  const stopped = (): boolean => {
    const { cmd_ill, cmd_to, cqmf } = status()
    return cmd_ill === 1 || cmd_to === 1 || cqmf === 1
  }
  /** Clears what stopped the queue; it goes on where its head is. */
  const resume = (error: 'cmd_ill' | 'cmd_to' | 'cqmf'): void => {
    memory.order()
    registers.write32(OFFSETS.cqcsr, Number(encode(commandQueueStatus, { cqen: 1, [error]: 1 })[0]))
  }

  return {
    base,
    log2Entries: LOG2_ENTRIES,
    submit(commands) {
      for (const each of [...commands, fenceCommand()]) {
        if (ring.room(head(), tail) === 0) throw new IommuError('ENODEV', 'the command queue is full and does not drain', { head: head(), tail })
        put(tail, each)
        tail = ring.next(tail)
      }
      // Commands before the register that makes hardware read them.
      memory.order()
      registers.write32(OFFSETS.cqt, tail)
      const { done, value } = registers.poll(head, (each) => each === tail || stopped())
      if (done && value === tail) return
      const { cmd_ill, cmd_to, cqmf } = status()
      if (cmd_ill === 1) {
        put(value, fenceCommand())
        resume('cmd_ill')
        throw new IommuError('ENODEV', 'the unit refused a command', { head: value })
      }
      if (cmd_to === 1) {
        resume('cmd_to')
        throw new IommuError('ENODEV', 'a device did not answer the invalidation of its TLB', { head: value })
      }
      if (cqmf === 1) {
        resume('cqmf')
        throw new IommuError('ENODEV', 'the unit cannot read its command queue', { head: value })
      }
      throw new IommuError('ENODEV', 'the unit does not complete commands', { head: value, tail })
    },
  }
}
