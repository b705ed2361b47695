// The hardware under the driver's control: its machine, its planner, its ids and its memory for good.
import { pairOf } from '@iommu/bits'
import { IommuError } from '@iommu/core'
import { createIds, noMemory } from '@iommu/core/driver'
import type { Warn } from '@iommu/core/driver'
import { frameAddress, frameOf } from '@iommu/hardware'
import type { Machine, Memory } from '@iommu/hardware'
import { apply } from './programming/apply.js'
import type { Aim, ChangedPages, Ground, Planner, RecordedFault } from './programming/planner.js'
import { createSmallTable } from './tables/page-table.js'
import type { SmallTable, Storage } from './tables/page-table.js'
import { loaderOf } from './tables/shape.js'
import type { Shape } from './tables/shape.js'
import { reversed, storeWord } from './tables/words.js'

export interface Unit {
  readonly machine: Machine
  readonly planner: Planner
  readonly idsInUse: number
  createTable(): SmallTable
  /** Gives a domain's tables an id. Throws ENOSPC. */
  open(table: SmallTable): number
  close(id: number, table: SmallTable): void
  aim(stream: number, from: Aim, to: Aim): void
  /** Whether the flush has completed. */
  flush(pages: ChangedPages): boolean
  readFaults(): readonly RecordedFault[]
}

const FRAME_BYTES = 4096
const framesFor = (bytes: number): number => Math.max(1, Math.ceil(bytes / FRAME_BYTES))

/** Tables in memory. A table takes whole frames, however small it is. */
export const memoryStorage = (memory: Memory, shape: Shape, coherent: boolean): Storage => {
  const { form } = shape
  const settle = (address: bigint, bytes: number): void => {
    if (!coherent) memory.writeBack(address, bytes)
  }
  return {
    load: loaderOf(memory, shape),
    store(address, word) {
      storeWord(memory, address, word, form)
      settle(address, form.bytes)
    },
    order: () => memory.order(),
    allocate(bytes, word) {
      const frame = memory.pages.allocate(framesFor(bytes))
      if (frame === undefined) return undefined
      const address = frameAddress(frame)
      if (word !== 0n) {
        const stored = form.order === 'little' ? word : reversed(word, form.bytes)
        const { low, high } = pairOf(form.bytes === 8 ? stored : stored | (stored << 32n))
        memory.fillPairs(frame, 0, bytes / 8, low, high, 0)
      }
      settle(address, bytes)
      return address
    },
    free: (table, bytes) => memory.pages.free(frameOf(table), framesFor(bytes)),
  }
}

/** Takes the hardware over. From then on what can be blocked is blocked until a domain is set. Throws ENOMEM, ENODEV. */
export const takeOver = (machine: Machine, planner: Planner, storageOf: (shape: Shape) => Storage, warn: Warn): Unit => {
  const { shape, ids: { what, first, limit }, fixedBytes } = planner
  const createTable = (): SmallTable => {
    if (shape === undefined) throw new IommuError('EOPNOTSUPP', `${planner.manifest.name} has no page tables`)
    return createSmallTable(shape, storageOf(shape), planner.aperture)
  }
  const reserve = (): bigint => {
    const address = frameAddress(machine.memory.pages.allocate(framesFor(fixedBytes)) ?? noMemory('the tables of the hardware'))
    if (!planner.coherent) machine.memory.writeBack(address, fixedBytes)
    return address
  }
  const ground: Ground = {
    empty: shape !== undefined && planner.manifest.blocked.rid ? createTable().root : 0n,
    fixed: fixedBytes > 0 ? reserve() : 0n,
  }
  apply(machine, planner.takeOver(ground))
  const ids = createIds(what, first, limit)
  const attempt = (run: () => void): boolean => {
    try {
      run()
      return true
    } catch (error) {
      if (!(error instanceof IommuError)) throw error
      warn(`a flush did not complete: ${error.message}`)
      return false
    }
  }
  return {
    machine,
    planner,
    get idsInUse() { return ids.used },
    createTable,
    open({ root }) {
      const id = ids.take()
      try {
        apply(machine, planner.open(id, root, ground))
      } catch (error) {
        ids.give(id)
        throw error
      }
      return id
    },
    close(id, { root }) {
      attempt(() => apply(machine, planner.close(id, root, ground)))
      ids.give(id)
    },
    aim: (stream, from, to) => apply(machine, planner.aim(stream, from, to, ground)),
    flush: (pages) => attempt(() => apply(machine, planner.flush(pages))),
    readFaults() {
      const { faults, clear } = planner.readFaults({ read: (offset) => BigInt(machine.registers.read32(offset)) }, ground)
      apply(machine, clear)
      return faults
    },
  }
}
