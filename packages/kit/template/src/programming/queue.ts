// The command queue from the driver's side: submit, wait, recover.
import { decode, encode } from '@iommu/bits'
import { IommuError } from '@iommu/core'
import { createRing, frameAddress } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import { OFFSETS, status } from '../tables/index.js'
import { fence } from './invalidate.js'
import type { Command } from './plan.js'

const COMMAND_BYTES = 16
const ENTRIES = 4096 / COMMAND_BYTES

/** Submissions are complete when `submit` returns. */
export interface CommandQueue {
  readonly base: bigint
  /** Queues the commands and a fence, and waits. Throws ENODEV; the queue can be used again afterwards. */
  submit(commands: readonly Command[]): void
}

/** Takes a frame. undefined where there is no memory. */
export const createQueue = ({ memory, registers }: Machine): CommandQueue | undefined => {
  const frame = memory.pages.allocate()
  if (frame === undefined) return undefined
  const base = frameAddress(frame)
  const ring = createRing(ENTRIES, 1)
  let tail = 0

  const head = (): number => Number(registers.read64(OFFSETS.queueHead))
  const put = (index: number, [first, second]: Command): void => {
    memory.store64(base + BigInt(index * COMMAND_BYTES), first)
    memory.store64(base + BigInt(index * COMMAND_BYTES + 8), second)
  }
  const isIllegal = (): boolean => decode(status, [registers.read64(OFFSETS.status)]).ILLEGAL === 1

  return {
    base,
    submit(commands) {
      for (const each of [...commands, fence()]) {
        if (ring.room(head(), tail) === 0) throw new IommuError('ENODEV', 'the command queue is full and does not drain', { head: head(), tail })
        put(tail, each)
        tail = ring.next(tail)
      }
      // Commands before the register that makes hardware read them.
      memory.order()
      registers.write64(OFFSETS.queueTail, BigInt(tail))
      const { done, value } = registers.poll(head, (each) => each === tail || isIllegal())
      if (done && value === tail) return
      if (!isIllegal()) throw new IommuError('ENODEV', 'the unit does not complete commands', { head: value, tail })
      put(value, fence())
      memory.order()
      registers.write64(OFFSETS.status, encode(status, { ILLEGAL: 1 })[0] as bigint)
      throw new IommuError('ENODEV', 'the unit refused a command', { head: value })
    },
  }
}
