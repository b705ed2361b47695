// One IOMMU under the driver's control: its device table, its rings and its domain ids.
import { encode } from '@iommu/bits'
import { IommuError } from '@iommu/core'
import { createIds, noMemory } from '@iommu/core/driver'
import type { Ids } from '@iommu/core/driver'
import { frameAddress } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import { IDENTITY_DOMAIN_ID } from './domains/words.js'
import { createEventReader } from './programming/faults.js'
import type { EventReader } from './programming/faults.js'
import type { Programming } from './programming/index.js'
import { everything } from './programming/invalidate.js'
import { createCommandBuffer } from './programming/queue.js'
import type { CommandQueue } from './programming/queue.js'
import { enableTranslation, prepare } from './programming/registers.js'
import { deviceTableEntry, OFFSETS, readCapabilities } from './tables/index.js'
import type { Capabilities, GuestLevels } from './tables/index.js'

/** Domain ids and device ids have 16 bits. */
const DOMAIN_IDS = 0x1_0000
const DEVICE_IDS = 0x1_0000
const ENTRY_BYTES = 32

/** What firmware says of a device's entry (IVRS), by the fields of the entry. */
export type FirmwareBits = Partial<Record<
  'SysMgt' | 'EX' | 'InitPass' | 'EIntPass' | 'NMIPass' | 'Lint0Pass' | 'Lint1Pass', number
>>

export interface Unit {
  readonly index: number
  readonly machine: Machine
  readonly capabilities: Capabilities
  /** Width of physical addresses in bits. */
  readonly hostAddressBits: number
  /** Levels of the guest tables that PASIDs have. */
  readonly pasidLevels: GuestLevels
  /** log2 of the leaf sizes of host tables; undefined: all that there are. */
  readonly hostLeaves: readonly number[] | undefined
  readonly queue: CommandQueue
  readonly events: EventReader
  readonly programming: Programming
  readonly domainIds: Ids
  /** Address of a source's device table entry. Throws ENODEV for a source beyond the table. */
  entryAddress(source: number): bigint
}

export interface UnitOptions {
  readonly hostAddressBits: number
  /** The capability header of PCI configuration space. */
  readonly capabilityHeader: number
  readonly lastDeviceId: number
  readonly firmware: ReadonlyMap<number, FirmwareBits>
  readonly pasidLevels: GuestLevels
  readonly hostLeaves: readonly number[] | undefined
  readonly programming: Programming
}

/**
 * Takes an IOMMU over: a device table in which every entry aborts, both rings, and translation on. Throws ENODEV where
 * it cannot invalidate everything at once or does not answer, EINVAL for device ids beyond 16 bits, and ENOMEM.
 */
export const takeOver = (machine: Machine, index: number, options: UnitOptions): Unit => {
  const { memory, registers } = machine
  const { hostAddressBits, lastDeviceId, firmware, programming } = options
  const capabilities = readCapabilities(registers.read64(OFFSETS.EFR), options.capabilityHeader)
  if (!capabilities.invalidateAll) throw new IommuError('ENODEV', 'the unit has no INVALIDATE_IOMMU_ALL: what it cached before cannot be named')
  if (!(lastDeviceId >= 0 && lastDeviceId < DEVICE_IDS)) throw new IommuError('EINVAL', 'a device id has 16 bits', { lastDeviceId })
  const pages = Math.ceil(((lastDeviceId + 1) * ENTRY_BYTES) / 4096)
  const table = frameAddress(memory.pages.allocate(pages) ?? noMemory('the device table'))
  const commands = createCommandBuffer(machine) ?? noMemory('the command buffer')
  const events = createEventReader(machine) ?? noMemory('the event log')
  // V alone: an entry that is all zero would let its device through, and hardware takes the last page whole.
  const aborting = encode(deviceTableEntry, { V: 1 })
  for (let source = 0; source < (pages * 4096) / ENTRY_BYTES; source++) {
    const bits = firmware.get(source)
    const words = bits === undefined ? aborting : encode(deviceTableEntry, bits, aborting)
    const at = table + BigInt(source * ENTRY_BYTES)
    memory.store128(at + 16n, words[2] as bigint, words[3] as bigint)
    memory.store128(at, words[0] as bigint, words[1] as bigint)
  }
  memory.order()
  prepare(machine, { table: { base: table, pages }, commands, events }, capabilities.guest)
  const queue = commands.open(events)
  enableTranslation(machine)
  queue.submit([everything()])

  return {
    index,
    machine,
    capabilities,
    hostAddressBits,
    pasidLevels: options.pasidLevels,
    hostLeaves: options.hostLeaves,
    queue,
    events,
    programming,
    domainIds: createIds('domain id', IDENTITY_DOMAIN_ID + 1, DOMAIN_IDS),
    entryAddress(source) {
      if (!(source >= 0 && source <= lastDeviceId)) throw new IommuError('ENODEV', 'the device table has no entry for the source', { source, lastDeviceId })
      return table + BigInt(source * ENTRY_BYTES)
    },
  }
}
