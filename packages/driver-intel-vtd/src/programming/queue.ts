// The invalidation queue from the driver's side: submit, wait, recover.
import { decode, encode } from '@iommu/bits'
import { IommuError } from '@iommu/core'
import { createRing, frameAddress } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import { DESCRIPTOR_TYPES, OFFSETS, faultStatus, queueError, waitDescriptor } from '../tables/index.js'
import type { Descriptor } from './plan.js'

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

  const put = (offset: number, [first, second]: Descriptor): void => {
    const at = base + BigInt(offset)
    memory.store64(at, first)
    memory.store64(at + 8n, second)
    if (scalable) {
      memory.store64(at + 16n, 0n)
      memory.store64(at + 24n, 0n)
    }
  }
  const waitWords = encode(waitDescriptor, { Type: DESCRIPTOR_TYPES.wait, SW: 1, FN: 1, StatusData: DONE, StatusAddress: status })
  const wait: Descriptor = [waitWords[0] as bigint, waitWords[1] as bigint]

  /** Clears a queue error by putting a harmless wait where the bad descriptor was, so that the queue can go on. */
  const recover = (): void => {
    const head = Number(registers.read64(OFFSETS.IQH))
    put(head, wait)
    const [word] = encode(faultStatus, { IQE: 1 })
    registers.write32(OFFSETS.FSTS, Number(word))
  }
  /** Skips what a silent device left in the queue: everything queued becomes a wait, then the error is cleared. */
  const abandon = (): void => {
    for (let head = Number(registers.read64(OFFSETS.IQH)); head !== tail; head = ring.next(head)) put(head, wait)
    const [word] = encode(faultStatus, { ITE: 1 })
    registers.write32(OFFSETS.FSTS, Number(word))
  }
  const errors = (): { IQE: number; ITE: number } => decode(faultStatus, [BigInt(registers.read32(OFFSETS.FSTS))])

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
        const { IQE, ITE } = errors()
        return IQE === 1 || ITE === 1
      }
      const { done, value } = registers.poll(() => memory.load32(status), (each) => each === DONE || stopped())
      if (done && value === DONE) return
      const { IQE, ITE } = errors()
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
