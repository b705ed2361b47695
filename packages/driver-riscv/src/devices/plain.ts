// A device without PASIDs: its one point is its device context, repeated for its aliases.
import { IommuError } from '@iommu/core'
import type { Device } from '@iommu/core'
import { sourcesOf } from '@iommu/core/driver'
import type { Warn } from '@iommu/core/driver'
import { usedOfDevice } from '../programming/plan.js'
import type { Unit } from '../unit.js'
import { blockEntries, canAts, enabledTlbs, invalid, switchEntries } from './state.js'
import type { DeviceState, EntryPlace } from './state.js'

/** Throws ENOMEM where a directory is needed and there is no memory, EINVAL for a requester id beyond the directory. */
export const probePlain = (unit: Unit, device: Device, warn: Warn): DeviceState => {
  const sources = sourcesOf(device)
  const deviceTlbs = (): number[] => enabledTlbs(unit, sources)
  const places: readonly EntryPlace[] = sources.map((source) => ({
    address: unit.deviceContext(source),
    used: usedOfDevice,
    flushes: () => unit.programming.flushDevice(source, deviceTlbs().filter((each) => each === source)),
  }))
  let live = invalid(unit.contextWords)
  const block = (): void => {
    blockEntries(unit, places, live, device, warn)
    live = invalid(unit.contextWords)
  }
  return {
    device,
    unit,
    sources,
    point: 'device',
    maxPasids: 0,
    occupants: new Map(),
    ats: canAts(unit, device),
    deviceTlbs,
    reserve(pasid) {
      if (pasid !== 0) throw new IommuError('EINVAL', 'device and unit have no PASIDs together', { pasid })
    },
    set(_pasid, next) {
      switchEntries(unit, places, live, next)
      live = next
    },
    block,
    release: block,
  }
}
