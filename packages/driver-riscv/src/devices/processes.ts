// A device with PASIDs: its device context leads to a process directory; its points are the process contexts.
import { IommuError } from '@iommu/core'
import type { Device, Pasid } from '@iommu/core'
import { noMemory, sourcesOf } from '@iommu/core/driver'
import type { Warn } from '@iommu/core/driver'
import { frameAddress, frameOf } from '@iommu/hardware'
import { directoryState, directoryWord } from '../domains/words.js'
import { usedOfDevice, usedOfProcess } from '../programming/plan.js'
import { indexes, processSplit, splitLimit } from '../tables/index.js'
import type { DirectoryLevels } from '../tables/index.js'
import type { Unit } from '../unit.js'
import { blockEntries, canAts, enabledTlbs, force, invalid, switchEntries } from './state.js'
import type { DeviceState, EntryPlace, PointState } from './state.js'

const CONTEXT_WORDS = 2
const CONTEXT_BYTES = 16n

/** A device's process directory, and the tables that it has so far. */
interface Directory {
  readonly root: bigint
  /** Address of a PASID's context, or undefined where its table does not exist. */
  entry(pasid: Pasid): bigint | undefined
  /** Makes the tables down to a PASID's context. Throws ENOMEM, with nothing left behind. */
  reserve(pasid: Pasid): void
  free(): void
}

const createDirectory = ({ machine: { memory } }: Unit, levels: DirectoryLevels): Directory => {
  const split = processSplit(levels)
  const allocate = (pasid: Pasid): bigint => frameAddress(memory.pages.allocate() ?? noMemory('a process directory', { pasid }))
  const root = allocate(0)
  /** Tables below the root by the indexes that lead to them. */
  const tables = new Map<string, bigint>([['', root]])
  const nameOf = (path: readonly number[]): string => path.join('/')
  return {
    root,
    entry(pasid) {
      const path = indexes(split, pasid)
      const table = tables.get(nameOf(path.slice(0, -1)))
      return table === undefined ? undefined : table + BigInt(path.at(-1) as number) * CONTEXT_BYTES
    },
    reserve(pasid) {
      const path = indexes(split, pasid)
      // From the top: what has been linked stays, empty, and serves the next PASID.
      for (let depth = 1; depth < path.length; depth++) {
        const name = nameOf(path.slice(0, depth))
        if (tables.has(name)) continue
        const above = tables.get(nameOf(path.slice(0, depth - 1))) as bigint
        const table = allocate(pasid)
        memory.order()
        memory.store64(above + BigInt((path[depth - 1] as number) * 8), directoryWord(table))
        tables.set(name, table)
      }
    },
    free() {
      for (const table of tables.values()) memory.pages.free(frameOf(table))
      tables.clear()
    },
  }
}

/** Levels of the smallest directory that holds PASIDs of so many bits, or of the largest that the unit has. */
const levelsFor = ({ capabilities: { processLevels } }: Unit, bits: number): DirectoryLevels =>
  processLevels.find((levels) => splitLimit(processSplit(levels)) >= 2 ** bits) ?? processLevels.at(-1) as DirectoryLevels

/**
 * Installs the device contexts at once; they stay until release. Requests without PASID are those of process context 0
 * (DPE), so that every state of a requester id is a state of a process context. Throws ENOMEM, EINVAL or ENODEV, with
 * nothing left behind.
 */
export const probeProcesses = (unit: Unit, device: Device, pasidWidth: number, warn: Warn): DeviceState => {
  const { programming } = unit
  const sources = sourcesOf(device)
  const levels = levelsFor(unit, pasidWidth)
  const maxPasids = Math.min(2 ** pasidWidth, splitLimit(processSplit(levels)))
  // What the device can do, not what is enabled yet.
  const ats = canAts(unit, device)
  const deviceTlbs = (): number[] => enabledTlbs(unit, sources)

  const contexts: readonly EntryPlace[] = sources.map((source) => ({
    address: unit.deviceContext(source),
    used: usedOfDevice,
    flushes: () => programming.flushDevice(source, deviceTlbs().filter((each) => each === source)),
  }))
  const directory = createDirectory(unit, levels)
  const none = invalid(unit.contextWords)
  const context = directoryState({ root: directory.root, levels, ats, words: unit.contextWords })
  try {
    directory.reserve(0)
    switchEntries(unit, contexts, none, context)
  } catch (error) {
    for (const place of contexts) force(unit, place, none)
    directory.free()
    throw error
  }

  const points = new Map<Pasid, PointState>()
  const live = (pasid: Pasid): PointState => points.get(pasid) ?? invalid(CONTEXT_WORDS)
  const place = (pasid: Pasid): EntryPlace | undefined => {
    const address = directory.entry(pasid)
    return address === undefined ? undefined : {
      address, used: usedOfProcess, flushes: () => programming.flushProcess(sources, pasid, deviceTlbs()),
    }
  }
  const reserve = (pasid: Pasid): void => {
    if (pasid >= maxPasids) {
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
    point: 'process',
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
