// The driver: IommuOps over any of the seven kinds of hardware. Short; planners, domains and tables do the work.
import { IommuError } from '@iommu/core'
import type { IommuOps } from '@iommu/core'
import { createFace, refuseUnbuilt } from '@iommu/core/driver'
import type { DriverFace, Warn } from '@iommu/core/driver'
import type { Machine } from '@iommu/hardware'
import { probe } from './device.js'
import type { DeviceState } from './device.js'
import { createBlockedDomain } from './domains/blocked.js'
import { createIdentityDomain } from './domains/identity.js'
import { createPagingDomain } from './domains/paging.js'
import { BLOCKED, IDENTITY } from './programming/planner.js'
import type { Planner, RecordedFault } from './programming/planner.js'
import type { Shape } from './tables/shape.js'
import type { Storage } from './tables/page-table.js'
import { memoryStorage, takeOver } from './unit.js'
import type { Unit } from './unit.js'

export interface LegacyOptions {
  /** Told of what cannot be helped: hardware that does not answer while a device is blocked. */
  readonly warn?: Warn
}

/** The driver, and what its fault interrupt would read. */
export interface LegacyDriver extends IommuOps {
  /** Takes what the hardware has recorded, and clears it. */
  readFaults(): readonly RecordedFault[]
  /** Ids that are taken: ASIDs, context banks. */
  idsInUse(): number
}

/** What domains need of the driver. */
export interface Driver extends DriverFace<DeviceState> {
  readonly unit: Unit
}

/**
 * Takes the hardware over and answers its driver. Throws ENOMEM, or ENODEV where an instruction is refused.
 * `storageOf`: where page tables lie, if not in memory.
 */
export const createLegacyDriver = (
  machine: Machine, planner: Planner, { warn = () => undefined }: LegacyOptions = {},
  storageOf: (shape: Shape) => Storage = (shape) => memoryStorage(machine.memory, shape, planner.coherent),
): LegacyDriver => {
  const { manifest } = planner
  const unit = takeOver(machine, planner, storageOf, warn)
  const { devices, driver: face } = createFace<Unit, DeviceState>([unit], manifest, warn)
  const driver: Driver = { ...face, unit }
  const blockedDomain = manifest.blocked.rid ? createBlockedDomain(driver) : undefined

  return {
    manifest,
    owner: driver.owner,
    ...(blockedDomain === undefined ? {} : { blockedDomain, releaseDomain: blockedDomain }),
    identityDomain: createIdentityDomain(driver),

    capable(device, capability) {
      driver.stateOf(device)
      switch (capability) {
        case 'cache-coherency': return planner.coherent
        case 'deferred-flush': return planner.shape !== undefined
        case 'no-execute': case 'pre-boot-protection': case 'enforce-cache-coherency': case 'dirty-tracking': case 'ats': return false
        default: return capability satisfies never
      }
    },
    domainAllocPaging(device, request) {
      driver.stateOf(device)
      if (planner.shape === undefined) throw new IommuError('EOPNOTSUPP', manifest.limits['paging'] ?? 'the hardware has no page tables')
      refuseUnbuilt(request, false)
      const { format } = request
      if (format !== undefined && !manifest.formats.includes(format)) {
        throw new IommuError('EOPNOTSUPP', 'there is no such page-table format', { format })
      }
      return createPagingDomain(driver)
    },

    probeDevice(device) {
      devices.probe(device, () => probe(unit, device, manifest.blocked.rid ? BLOCKED : IDENTITY, warn))
    },
    releaseDevice(device) {
      devices.release(device, (state) => state.release())
    },
    deviceGroup: (device) => device.isolation ?? planner.groupOf?.(device.requesterId) ?? device.name,
    maxPasids: () => 0,
    defDomainType: () => (planner.shape === undefined ? 'identity' : manifest.identity.rid ? undefined : 'dma'),
    idsInUse: () => unit.idsInUse,
    readFaults: () => unit.readFaults(),
  }
}
