// One SMMU under the driver's control: its stream table, its queues, its ASIDs and VMIDs.
import { IommuError } from '@iommu/core'
import { createIds, noMemory } from '@iommu/core/driver'
import type { Ids } from '@iommu/core/driver'
import { frameAddress } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import { abortWords, levelOneStreamWords } from './domains/words.js'
import type { EventQueue } from './programming/events.js'
import type { Programming } from './programming/index.js'
import { cfgiAll, cfgiStream, tlbiEverything, tlbiHypervisor } from './programming/invalidate.js'
import { createQueue } from './programming/queue.js'
import type { CommandQueue } from './programming/queue.js'
import {
  abortWhileOff, enableInterrupts, setAttributes, setEnables, setQueue, setStreamTable,
} from './programming/registers.js'
import { OFFSETS, readCapabilities } from './tables/index.js'
import type { Capabilities } from './tables/index.js'

/** ASID 0 is never used, and VMID 0 is that of streams without stage 2. */
const FIRST_ID = 1
/** StreamIDs per level 2 table, log2 (Linux, STRTAB_SPLIT). */
const SPLIT = 8
const STREAM_BYTES = 64
/** log2 of the event queue's entries: one page. */
const EVENT_LOG2 = 7

export interface Unit {
  readonly index: number
  readonly machine: Machine
  readonly capabilities: Capabilities
  /** Whether accesses to tables and queues snoop. */
  readonly coherent: boolean
  readonly queue: CommandQueue
  readonly events: EventQueue
  readonly programming: Programming
  readonly asids: Ids
  readonly vmids: Ids
  /** Address of a source's entry; makes its table where there is none. Throws ENOMEM, ENODEV, EINVAL for a source too large. */
  streamEntry(source: number): bigint
}

/** Why the driver cannot use an SMMU, or undefined where it can. */
const obstacle = (capabilities: Capabilities): string | undefined => {
  if (!capabilities.stage1 && !capabilities.stage2) return 'it has no translation stage'
  if (!capabilities.aarch64 || !capabilities.littleEndian) return 'it has no little-endian AArch64 tables'
  if (capabilities.granules.length === 0) return 'it has no granule'
  if (capabilities.commandQueue === 0) return 'its command queue has one entry, and a command needs a SYNC behind it'
  if (capabilities.presetTables || capabilities.presetQueues) return 'its tables or queues are where it wants them'
  return undefined
}

/** Frames for tables; `what` they are. */
const allocate = ({ memory }: Machine, bytes: number, what: string): bigint =>
  frameAddress(memory.pages.allocate(Math.max(1, bytes / 4096)) ?? noMemory(what))

/** A table of stream table entries in which everything aborts. */
const createEntries = (machine: Machine, count: number, coherent: boolean): bigint => {
  const address = allocate(machine, count * STREAM_BYTES, 'a stream table')
  const [abort] = abortWords() as [bigint]
  for (let index = 0; index < count; index++) machine.memory.store64(address + BigInt(index * STREAM_BYTES), abort)
  if (!coherent) machine.memory.writeBack(address, count * STREAM_BYTES)
  return address
}

/**
 * Takes an SMMU over: a stream table in which everything aborts, the queues, and translation on. In between nothing
 * passes. Throws ENODEV where it lacks what the driver needs, or does not answer; ENOMEM.
 */
export const takeOver = (machine: Machine, index: number, programming: Programming): Unit => {
  const { registers, memory } = machine
  const [IDR0, IDR1, IDR3, IDR5] = ([OFFSETS.IDR0, OFFSETS.IDR1, OFFSETS.IDR3, OFFSETS.IDR5] as const).map((offset) => registers.read32(offset)) as
    [number, number, number, number]
  const capabilities = readCapabilities({ IDR0, IDR1, IDR3, IDR5 })
  const why = obstacle(capabilities)
  if (why !== undefined) throw new IommuError('ENODEV', `the SMMU cannot be used: ${why}`)
  const { coherent, streamBits } = capabilities
  const split = capabilities.twoLevelStreams && streamBits > SPLIT ? SPLIT : 0
  const table = split === 0
    ? createEntries(machine, 2 ** streamBits, coherent)
    : allocate(machine, 2 ** (streamBits - split) * 8, 'the stream table')
  if (split > 0 && !coherent) memory.writeBack(table, 2 ** (streamBits - split) * 8)
  const queue = createQueue(machine, capabilities) ?? noMemory('the command queue')
  const events: EventQueue = { base: allocate(machine, 4096, 'the event queue'), log2size: Math.min(EVENT_LOG2, capabilities.eventQueue) }

  abortWhileOff(machine)
  setEnables(machine, {})
  setAttributes(machine)
  setStreamTable(machine, table, split === 0 ? { LOG2SIZE: streamBits } : { FMT: 1, SPLIT: split, LOG2SIZE: streamBits })
  setQueue(machine, 'CMDQ', queue.base, queue.log2size)
  setEnables(machine, { CMDQEN: 1 })
  memory.order()
  queue.submit([cfgiAll()])
  queue.submit([...(capabilities.hypervisor ? [tlbiHypervisor()] : []), tlbiEverything()])
  setQueue(machine, 'EVENTQ', events.base, events.log2size)
  const checks = capabilities.ats ? { ATSCHK: 1 } : {}
  setEnables(machine, { CMDQEN: 1, EVENTQEN: 1, ...checks })
  enableInterrupts(machine)
  setEnables(machine, { CMDQEN: 1, EVENTQEN: 1, ...checks, SMMUEN: 1 })

  /** Level 2 tables, by the index of their descriptor; `told` once hardware has forgotten that there was none. */
  const below = new Map<number, { readonly address: bigint; told: boolean }>()
  const levelTwo = (source: number): bigint => {
    const at = source >> split
    let known = below.get(at)
    if (known === undefined) {
      known = { address: createEntries(machine, 2 ** split, coherent), told: false }
      below.set(at, known)
      const descriptor = table + BigInt(at * 8)
      memory.order()
      memory.store64(descriptor, levelOneStreamWords(known.address, split)[0] as bigint)
      memory.order()
      if (!coherent) memory.writeBack(descriptor, 8)
    }
    if (!known.told) {
      // Level 1 may be cached too, an invalid descriptor like any other.
      queue.submit([cfgiStream(source, false)])
      known.told = true
    }
    return known.address
  }

  return {
    index,
    machine,
    capabilities,
    coherent,
    queue,
    events,
    programming,
    asids: createIds('ASID', FIRST_ID, 2 ** capabilities.asidBits),
    vmids: createIds('VMID', FIRST_ID, 2 ** capabilities.vmidBits),
    streamEntry(source) {
      if (!(source >= 0 && source < 2 ** streamBits)) throw new IommuError('EINVAL', 'the StreamID is beyond what the SMMU has', { source, streamBits })
      return split === 0 ? table + BigInt(source * STREAM_BYTES) : levelTwo(source) + BigInt((source & (2 ** split - 1)) * STREAM_BYTES)
    },
  }
}
