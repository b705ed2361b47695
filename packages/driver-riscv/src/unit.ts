// One IOMMU under the driver's control: its device directory, its queues and its identifiers.
import { IommuError } from '@iommu/core'
import { createIds, noMemory } from '@iommu/core/driver'
import type { Ids } from '@iommu/core/driver'
import { frameAddress } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import { directoryWord } from './domains/words.js'
import type { Programming } from './programming/index.js'
import { flushAll, forgetDevice } from './programming/invalidate.js'
import { createQueue } from './programming/queue.js'
import type { CommandQueue } from './programming/queue.js'
import { enableCommandQueue, enableFaultQueue, setDirectory, setFeatures } from './programming/registers.js'
import { deviceSplit, DIRECTORY_POINTER_MODES, indexes, OFFSETS, readCapabilities, splitLimit } from './tables/index.js'
import type { Capabilities, DirectoryLevels } from './tables/index.js'

/** 0 is never used: contexts without a first stage hold it. */
const FIRST_ID = 1
const PSCIDS = 2 ** 20
const GSCIDS = 2 ** 16
/** One page: 128 records of 32 bytes. */
const LOG2_FAULTS = 7

export interface Unit {
  readonly index: number
  readonly machine: Machine
  readonly capabilities: Capabilities
  /** Whether devices can have process directories. */
  readonly pasids: boolean
  /** Words of a device context: 8 in the extended format, 4 in the base format. */
  readonly contextWords: number
  readonly queue: CommandQueue
  readonly faultQueue: { readonly base: bigint; readonly log2Entries: number }
  readonly programming: Programming
  readonly pscids: Ids
  readonly gscids: Ids
  /** Address of a source's device context; makes the directory down to it. Throws ENOMEM, and EINVAL beyond the directory. */
  deviceContext(source: number): bigint
}

/** The deepest directory that the unit takes: modes that it does not have are not accepted. */
const deepest = (machine: Machine, root: bigint): DirectoryLevels => {
  const { oneLevel, twoLevel, threeLevel, off } = DIRECTORY_POINTER_MODES
  for (const [mode, levels] of [[threeLevel, 3], [twoLevel, 2], [oneLevel, 1]] as const) {
    // From one depth to another only through OFF.
    setDirectory(machine, off, 0n)
    if (setDirectory(machine, mode, root) === mode) return levels
  }
  throw new IommuError('ENODEV', 'the unit accepts no device directory')
}

/**
 * Takes a unit over: everything off, an empty directory, the queues, and the directory on. From then on every DMA of a
 * source that was never set anywhere is blocked. Throws ENODEV where the unit does not answer, ENOMEM.
 */
export const takeOver = (machine: Machine, index: number, programming: Programming): Unit => {
  const capabilities = readCapabilities(machine.registers.read64(OFFSETS.capabilities))
  const { memory } = machine
  const root = frameAddress(memory.pages.allocate() ?? noMemory('the device directory'))
  const faults = frameAddress(memory.pages.allocate() ?? noMemory('the fault queue'))
  const queue = createQueue(machine) ?? noMemory('the command queue')
  setDirectory(machine, DIRECTORY_POINTER_MODES.off, 0n)
  setFeatures(machine)
  enableCommandQueue(machine, queue.base, queue.log2Entries)
  enableFaultQueue(machine, faults, LOG2_FAULTS)
  memory.order()
  const split = deviceSplit(capabilities.extended, deepest(machine, root))
  // Caches outlive a change of the mode.
  queue.submit([forgetDevice()])
  queue.submit(flushAll())

  const contextWords = capabilities.extended ? 8 : 4
  /** Tables of the directory by the indexes that lead to them. */
  const tables = new Map<string, bigint>([['', root]])
  const tableOf = (path: readonly number[]): bigint => {
    const known = tables.get(path.join('/'))
    if (known !== undefined) return known
    const above = tableOf(path.slice(0, -1))
    const table = frameAddress(memory.pages.allocate() ?? noMemory('a table of the device directory'))
    memory.order()
    memory.store64(above + BigInt((path.at(-1) as number) * 8), directoryWord(table))
    tables.set(path.join('/'), table)
    return table
  }

  return {
    index,
    machine,
    capabilities,
    pasids: capabilities.processLevels.length > 0 && capabilities.firstStageLevels.length > 0,
    contextWords,
    queue,
    faultQueue: { base: faults, log2Entries: LOG2_FAULTS },
    programming,
    pscids: createIds('PSCID', FIRST_ID, PSCIDS),
    gscids: createIds('GSCID', FIRST_ID, GSCIDS),
    deviceContext(source) {
      const limit = splitLimit(split)
      if (!(source >= 0 && source < limit)) throw new IommuError('EINVAL', 'the requester id is beyond the device directory', { source, limit })
      const path = indexes(split, source)
      return tableOf(path.slice(0, -1)) + BigInt((path.at(-1) as number) * contextWords * 8)
    },
  }
}
