// The invalidation queue from the driver's side: submit, wait, recover.
import { decode } from '@iommu/bits'
import { IommuError } from '@iommu/core'
import { createRing, frameAddress, storeWords } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import { OFFSETS, queueError } from '../tables/index.js'
import { waitFor } from './invalidate.js'
import type { Descriptor } from './plan.js'
import { clearFaultStatus, readFaultStatus } from './registers.js'

/** Pages of the queue, log2. One page is 128 descriptors of 256 bits. */
const SIZE_CLASS = 0
const PENDING = 1
const DONE = 2

/** Submissions are complete when `submit` returns. */
export interface InvalidationQueue {
  readonly base: bigint
  readonly sizeClass: number
  /**
   * Queues the descriptors and a wait, and waits. Throws ENODEV where completion never comes, where a device does
   * not answer, or where hardware refuses a descriptor. The queue can be used again afterwards.
   */
  submit(descriptors: readonly Descriptor[]): void
  /** Forgets its position, as the unit does when the queue is switched on. */
  reset(): void
}

/** Takes two frames: the queue, and the status word that waits write. undefined where there is no memory. */
export const createQueue = (machine: Machine, scalable: boolean): InvalidationQueue | undefined => {
  const { memory, registers } = machine
  const queueFrame = memory.pages.allocate(1 << SIZE_CLASS)
  const statusFrame = memory.pages.allocate()
  if (queueFrame === undefined || statusFrame === undefined) return undefined
  const base = frameAddress(queueFrame)
  const status = frameAddress(statusFrame)
  const ring = createRing((4096 << SIZE_CLASS) / (scalable ? 32 : 16), scalable ? 32 : 16)
  let tail = 0

  const put = (offset: number, descriptor: Descriptor): void =>
    storeWords(memory, base + BigInt(offset), scalable ? [...descriptor, 0n, 0n] : descriptor)
  const wait = waitFor(status, DONE)

  /** Clears a queue error by putting a harmless wait where the bad descriptor was, so that the queue can go on. */
  const recover = (): void => {
    put(Number(registers.read64(OFFSETS.IQH)), wait)
    clearFaultStatus(machine, { IQE: 1 })
  }
  /** Skips what a silent device left in the queue: everything queued becomes a wait, then the error is cleared. */
  const abandon = (): void => {
    for (let head = Number(registers.read64(OFFSETS.IQH)); head !== tail; head = ring.next(head)) put(head, wait)
    clearFaultStatus(machine, { ITE: 1 })
  }

  return {
    base,
    sizeClass: SIZE_CLASS,
    submit(descriptors) {
      memory.store32(status, PENDING)
      for (const each of [...descriptors, wait]) {
        const head = Number(registers.read64(OFFSETS.IQH))
        if (ring.room(head, tail) === 0) throw new IommuError('ENODEV', 'the invalidation queue is full and does not drain', { head, tail })
        put(tail, each)
        tail = ring.next(tail)
      }
      memory.order()
      registers.write64(OFFSETS.IQT, BigInt(tail))
      const stopped = (): boolean => {
        const { IQE, ITE } = readFaultStatus(machine)
        return IQE === 1 || ITE === 1
      }
      const { done, value } = registers.poll(() => memory.load32(status), (each) => each === DONE || stopped())
      if (done && value === DONE) return
      const { IQE, ITE } = readFaultStatus(machine)
      if (IQE === 1) {
        const head = registers.read64(OFFSETS.IQH)
        recover()
        throw new IommuError('ENODEV', 'the unit refused an invalidation descriptor', { head })
      }
      if (ITE === 1) {
        const { ITESID } = decode(queueError, [registers.read64(OFFSETS.IQERCD)])
        abandon()
        throw new IommuError('ENODEV', 'a device did not answer the invalidation of its TLB', { source: ITESID })
      }
      throw new IommuError('ENODEV', 'the unit does not complete invalidations', { tail })
    },
    reset() { tail = 0 },
  }
}
