// One IOMMU under the driver's control: its device table and its queue.
import { IommuError } from '@iommu/core'
import { frameAddress } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import type { Programming } from './programming/index.js'
import { createQueue } from './programming/queue.js'
import type { CommandQueue } from './programming/queue.js'
import { enable, setQueue } from './programming/registers.js'
import { DEVICE_BYTES, DEVICES } from './tables/index.js'

export interface Unit {
  readonly machine: Machine
  readonly queue: CommandQueue
  readonly programming: Programming
  /** Address of a source's device entry. */
  deviceEntry(source: number): bigint
}

const noMemory = (what: string): never => {
  throw new IommuError('ENOMEM', `no memory for ${what}`)
}

/**
 * Takes a unit over: an empty table, the queue, and translation on. From then on every DMA of a source that was never set
 * anywhere is blocked. Throws ENODEV where the unit does not answer, ENOMEM.
 */
export const takeOver = (machine: Machine, programming: Programming): Unit => {
  const { memory } = machine
  const table = frameAddress(memory.pages.allocate((DEVICES * DEVICE_BYTES) / 4096) ?? noMemory('the device table'))
  const queue = createQueue(machine) ?? noMemory('the command queue')
  setQueue(machine, queue.base)
  memory.order()
  enable(machine, table)
  return { machine, queue, programming, deviceEntry: (source) => table + BigInt(source * DEVICE_BYTES) }
}
