// One remapping unit under the driver's control: its root table, its queue and its domain ids.
import { encode } from '@iommu/bits'
import { IommuError } from '@iommu/core'
import { createIds, noMemory } from '@iommu/core/driver'
import type { Ids } from '@iommu/core/driver'
import { frameAddress } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import type { Programming } from './programming/index.js'
import { contextCacheGlobal, iotlbGlobal, pasidCacheGlobal } from './programming/invalidate.js'
import { createQueue } from './programming/queue.js'
import type { InvalidationQueue } from './programming/queue.js'
import { enableQueue, enableTranslation, setRootTable } from './programming/registers.js'
import { OFFSETS, readCapabilities, rootEntry, scalableRootEntry } from './tables/index.js'
import type { Capabilities } from './tables/index.js'

/** Identity shares one domain id on all devices; 0 is never used, caching hardware tags absent entries with it. */
export const IDENTITY_DOMAIN_ID = 1
const FIRST_DOMAIN_ID = 2
/** Requester ids have 16 bits; the root table has an entry for every bus. */
const SOURCES = 0x1_0000

export interface Unit {
  readonly index: number
  readonly machine: Machine
  readonly capabilities: Capabilities
  readonly scalable: boolean
  /** Width of physical addresses in bits. */
  readonly hostAddressBits: number
  /** Whether walks of root, context and PASID structures snoop. */
  readonly coherent: boolean
  /** Whether walks of page tables snoop. */
  readonly pagesCoherent: boolean
  readonly queue: InvalidationQueue
  readonly programming: Programming
  readonly domainIds: Ids
  /** Address of a source's context entry; makes its context table where there is none. Throws ENOMEM, and EINVAL beyond 16 bits. */
  contextEntry(source: number): bigint
}

/** Whether walks of page tables snoop: the two modes have a bit each. */
export const pagesSnooped = ({ coherent, scalableWalkCoherent }: Capabilities, scalable: boolean): boolean =>
  scalable ? scalableWalkCoherent : coherent

export interface UnitOptions {
  readonly scalable: boolean
  readonly hostAddressBits: number
  readonly programming: Programming
}

/**
 * Takes a unit over: an empty root table, the queue, and translation on. From then on every DMA of a source that
 * was never set anywhere is blocked. Throws ENODEV where the unit lacks what the driver needs, or does not answer.
 */
export const takeOver = (machine: Machine, index: number, options: UnitOptions): Unit => {
  const { scalable, hostAddressBits, programming } = options
  const capabilities = readCapabilities(machine.registers.read64(OFFSETS.CAP), machine.registers.read64(OFFSETS.ECAP))
  if (!capabilities.queuedInvalidation) throw new IommuError('ENODEV', 'the unit has no queued invalidation')
  if (scalable && !capabilities.scalable) throw new IommuError('ENODEV', 'the unit has no scalable mode')
  // SAGAW may be 0 where first stages are all that there is (Linux, `alloc_iommu`).
  if (capabilities.secondStageLevels.length === 0 && !(scalable && capabilities.firstStage)) {
    throw new IommuError('ENODEV', 'the unit has tables of no width: CAP.SAGAW is 0')
  }
  const { memory } = machine
  const root = frameAddress(memory.pages.allocate() ?? noMemory('the root table'))
  const queue = createQueue(machine, scalable) ?? noMemory('the invalidation queue')
  const { coherent } = capabilities
  const settle = (address: bigint, bytes: number): void => {
    if (!coherent) memory.writeBack(address, bytes)
  }
  settle(root, 4096)
  setRootTable(machine, root, scalable)
  enableQueue(machine, queue.base, queue.sizeClass, scalable)
  queue.reset()
  if (!capabilities.rootPointerInvalidates) {
    queue.submit([contextCacheGlobal()])
    if (scalable) queue.submit([pasidCacheGlobal()])
    queue.submit([iotlbGlobal()])
  }
  enableTranslation(machine)

  /** Context tables by bus, or by half a bus in scalable mode. */
  const tables = new Map<number, bigint>()
  const contextTable = (source: number): bigint => {
    const half = scalable ? source >> 7 : source >> 8
    const known = tables.get(half)
    if (known !== undefined) return known
    const table = frameAddress(memory.pages.allocate() ?? noMemory('a context table'))
    settle(table, 4096)
    const at = root + BigInt(source >> 8) * 16n + (scalable && (source & 0x80) !== 0 ? 8n : 0n)
    // Lower and upper pointer are words of their own, each with its present bit: the other one is left alone.
    const word = scalable ? encode(scalableRootEntry, { LP: 1, LCTP: table })[0] : encode(rootEntry, { P: 1, CTP: table })[0]
    memory.order()
    memory.store64(at, word as bigint)
    settle(at, 8)
    tables.set(half, table)
    return table
  }

  return {
    index,
    machine,
    capabilities,
    scalable,
    hostAddressBits,
    coherent,
    pagesCoherent: pagesSnooped(capabilities, scalable),
    queue,
    programming,
    domainIds: createIds('domain id', FIRST_DOMAIN_ID, capabilities.domainIds),
    contextEntry(source) {
      if (!(source >= 0 && source < SOURCES)) throw new IommuError('EINVAL', 'a requester id has 16 bits', { source })
      return contextTable(source) + (scalable ? BigInt((source & 0x7f) * 32) : BigInt((source & 0xff) * 16))
    },
  }
}
