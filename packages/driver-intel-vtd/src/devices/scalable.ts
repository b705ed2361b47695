// Scalable mode: context entries point to one PASID directory; a device's points are its PASID entries.
import { IommuError } from '@iommu/core'
import type { Device, Pasid } from '@iommu/core'
import { noMemory, sourcesOf } from '@iommu/core/driver'
import type { Warn } from '@iommu/core/driver'
import { frameAddress, frameOf } from '@iommu/hardware'
import { contextState, directoryWords } from '../domains/words.js'
import type { Unit } from '../unit.js'
import { absent, blockEntries, canAts, enabledTlbs, force, switchEntries } from './state.js'
import type { DeviceState, EntryPlace, PointState } from './state.js'

const PASID_WORDS = 8
const CONTEXT_WORDS = 4
/** A directory entry stands for 64 PASIDs, a table holds them. */
const TABLE_SHIFT = 6

/** A device's PASID directory, and the tables that it has so far. */
interface Directory {
  readonly address: bigint
  /** PDTS: 2^(PDTS+7) entries. */
  readonly sizeClass: number
  /** Address of a PASID's entry, or undefined where its table does not exist. */
  entry(pasid: Pasid): bigint | undefined
  /** Makes the table of a PASID. Throws ENOMEM. */
  reserve(pasid: Pasid): void
  free(): void
}

const createDirectory = (unit: Unit, pasidBits: number): Directory => {
  const { memory } = unit.machine
  const settle = (address: bigint, bytes: number): void => {
    if (!unit.coherent) memory.writeBack(address, bytes)
  }
  const sizeClass = Math.max(0, pasidBits - 13)
  const frames = Math.max(1, (2 ** (sizeClass + 7) * 8) / 4096)
  const first = memory.pages.allocate(frames) ?? noMemory('a PASID directory', { frames })
  const address = frameAddress(first)
  settle(address, frames * 4096)
  const tables = new Map<number, bigint>()
  return {
    address,
    sizeClass,
    entry(pasid) {
      const table = tables.get(pasid >> TABLE_SHIFT)
      return table === undefined ? undefined : table + BigInt((pasid & ((1 << TABLE_SHIFT) - 1)) * PASID_WORDS * 8)
    },
    reserve(pasid) {
      const index = pasid >> TABLE_SHIFT
      if (tables.has(index)) return
      const table = frameAddress(memory.pages.allocate() ?? noMemory('a PASID table', { pasid }))
      settle(table, 4096)
      memory.order()
      const at = address + BigInt(index * 8)
      memory.store64(at, directoryWords(table)[0] as bigint)
      settle(at, 8)
      tables.set(index, table)
    },
    free() {
      for (const table of tables.values()) memory.pages.free(frameOf(table))
      memory.pages.free(first, frames)
      tables.clear()
    },
  }
}

/** Installs the context entries at once; they stay until release. Throws ENOMEM or ENODEV, with nothing left behind. */
export const probeScalable = (unit: Unit, device: Device, warn: Warn): DeviceState => {
  const { capabilities, programming } = unit
  const sources = sourcesOf(device)
  const { capabilities: endpoint } = unit.machine.endpoint(device.requesterId).config
  const pasidBits = Math.min(endpoint.pasidWidth ?? 0, capabilities.pasidBits)
  const maxPasids = pasidBits > 0 ? 2 ** pasidBits : 0
  // DTE covers RID and PASIDs together, and says what the device can do, not what is enabled yet (Linux, `context_entry_set_pasid_table`).
  const ats = canAts(unit, device)

  const contexts: readonly EntryPlace[] = sources.map((source) => ({
    address: unit.contextEntry(source),
    flushes: () => programming.flushScalableContext(source, capabilities),
  }))
  const directory = createDirectory(unit, pasidBits)
  const noContext = absent(CONTEXT_WORDS)
  const context = contextState({
    directory: directory.address, sizeClass: directory.sizeClass, pasids: maxPasids > 0, ats,
  })
  try {
    directory.reserve(0)
    switchEntries(unit, contexts, noContext, context)
  } catch (error) {
    for (const place of contexts) force(unit, place, noContext.words)
    directory.free()
    throw error
  }

  const points = new Map<Pasid, PointState>()
  const deviceTlbs = (): ReturnType<typeof enabledTlbs> => enabledTlbs(unit, sources)
  const live = (pasid: Pasid): PointState => points.get(pasid) ?? absent(PASID_WORDS)
  const place = (pasid: Pasid): EntryPlace | undefined => {
    const address = directory.entry(pasid)
    return address === undefined ? undefined : {
      address,
      flushes: (from, to) => programming.flushPasid({ pasid, old: from.tag, next: to.tag, deviceTlbs: deviceTlbs() }, capabilities),
    }
  }
  const reserve = (pasid: Pasid): void => {
    if (pasid !== 0 && pasid >= maxPasids) {
      throw new IommuError('EINVAL', 'the PASID is beyond what device and unit have', { pasid, maxPasids })
    }
    directory.reserve(pasid)
  }
  const block = (pasid: Pasid): void => {
    const entry = place(pasid)
    if (entry === undefined) return
    blockEntries(unit, [entry], live(pasid), device, warn)
    points.delete(pasid)
  }
  return {
    device,
    unit,
    sources,
    maxPasids,
    occupants: new Map(),
    ats,
    deviceTlbs,
    reserve,
    set(pasid, next) {
      reserve(pasid)
      switchEntries(unit, [place(pasid) as EntryPlace], live(pasid), next)
      points.set(pasid, next)
    },
    block,
    release() {
      for (const pasid of [...points.keys()]) block(pasid)
      blockEntries(unit, contexts, context, device, warn)
      directory.free()
    },
  }
}
