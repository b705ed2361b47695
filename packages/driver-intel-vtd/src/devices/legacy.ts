// Legacy mode: a device's one point is the context entry of its source, repeated for its aliases.
import { IommuError } from '@iommu/core'
import type { Device } from '@iommu/core'
import { sourcesOf } from '@iommu/core/driver'
import type { Warn } from '@iommu/core/driver'
import type { Unit } from '../unit.js'
import { absent, blockEntries, canAts, enabledTlbs, switchEntries } from './state.js'
import type { DeviceState, EntryPlace, PointState } from './state.js'

const CONTEXT_WORDS = 2

/** Throws ENOMEM where a context table is needed and there is no memory. */
export const probeLegacy = (unit: Unit, device: Device, warn: Warn): DeviceState => {
  const sources = sourcesOf(device)
  const deviceTlbs = (): ReturnType<typeof enabledTlbs> => enabledTlbs(unit, sources)
  const places: readonly EntryPlace[] = sources.map((source) => ({
    address: unit.contextEntry(source),
    flushes: (from, to) => unit.programming.flushContext({
      source,
      oldDomainId: from.tag?.domainId,
      newDomainId: to.tag?.domainId,
      // A pass-through entry answers no translation request: there is nothing of it in a device's TLB.
      deviceTlbs: from.tag?.secondStage === true ? deviceTlbs().filter((each) => each.source === source) : [],
    }, unit.capabilities),
  }))
  let live: PointState = absent(CONTEXT_WORDS)
  const block = (): void => {
    blockEntries(unit, places, live, device, warn)
    live = absent(CONTEXT_WORDS)
  }
  return {
    device,
    unit,
    sources,
    maxPasids: 0,
    occupants: new Map(),
    ats: canAts(unit, device),
    deviceTlbs,
    reserve(pasid) {
      if (pasid !== 0) throw new IommuError('EINVAL', 'the unit is in legacy mode and has no PASIDs', { pasid })
    },
    set(_pasid, next) {
      switchEntries(unit, places, live, next)
      live = next
    },
    block,
    release: block,
  }
}
