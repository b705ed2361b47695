// The driver: IommuOps over one or more AMD IOMMUs. Short; domains, devices and units do the work.
import type { IommuOps, ReservedRegion } from '@iommu/core'
import { createFace, refuseUnbuilt } from '@iommu/core/driver'
import type { DriverFace, DriverOptions } from '@iommu/core/driver'
import { disableFeatures, enableFeatures } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import { probe } from './devices/probe.js'
import type { DeviceState } from './devices/state.js'
import { createBlockedDomain } from './domains/blocked.js'
import { choosePagingFormat } from './domains/formats.js'
import { createIdentityDomain } from './domains/identity.js'
import { createPagingDomain } from './domains/paging.js'
import { createSvaDomain } from './domains/sva.js'
import { declare } from './manifest.js'
import type { FaultReport } from './programming/faults.js'
import { programming } from './programming/index.js'
import type { Programming } from './programming/index.js'
import type { GuestLevels } from './tables/index.js'
import { takeOver } from './unit.js'
import type { FirmwareBits, Unit } from './unit.js'

export interface AmdViOptions extends DriverOptions<Machine, Programming> {
  /** Width of physical addresses in bits, as the firmware's IVRS table says: no register does. */
  readonly hostAddressBits: number
  /** The capability header in PCI configuration space, which says whether absent entries are cached (NpCache) and ATS allowed. */
  readonly capabilityHeader: number
  /** The highest device id of the machine (IVRS); 0xffff if absent. */
  readonly lastDeviceId?: number
  /** What the firmware wants in entries (IVRS), by device id; it stays there whatever is attached. */
  readonly firmware?: ReadonlyMap<number, FirmwareBits>
  /** Levels of the guest tables that PASIDs have: those of the CPU's; 4 if absent. */
  readonly pasidLevels?: GuestLevels
  /** log2 of the leaf sizes of host tables; all if absent (Linux, `amd_iommu=v2_pgsizes_only`). */
  readonly hostLeaves?: readonly number[]
}

/** The driver, and what its event interrupt would read. */
export interface AmdVi extends IommuOps {
  /** Takes what a unit has logged. */
  readFaults(unit?: number): FaultReport
  /** Domain ids that are taken, on all units together. */
  domainIdsInUse(): number
}

/** What domains need of the driver. */
export type Driver = DriverFace<DeviceState>

const INTERRUPT_RANGE: ReservedRegion = {
  start: 0xfee0_0000n, length: 0x10_0000n, kind: 'msi', access: { read: true, write: true },
}

/**
 * Takes the units over and answers their driver. From then on every DMA is blocked until a domain is set.
 * Throws ENODEV for a unit that does not answer, ENOMEM.
 */
export const createAmdVi = (machine: Machine, options: AmdViOptions): AmdVi => {
  const units: Unit[] = [machine, ...(options.moreUnits ?? [])].map((each, index) => takeOver(each, index, {
    hostAddressBits: options.hostAddressBits,
    capabilityHeader: options.capabilityHeader,
    lastDeviceId: options.lastDeviceId ?? 0xffff,
    firmware: options.firmware ?? new Map(),
    pasidLevels: options.pasidLevels ?? 4,
    hostLeaves: options.hostLeaves,
    programming: options.programming ?? programming,
  }))
  const manifest = declare(units)
  const { devices, driver } = createFace<Unit, DeviceState>(units, manifest, options.warn)
  const blockedDomain = createBlockedDomain(driver)

  return {
    manifest,
    owner: driver.owner,
    blockedDomain,
    identityDomain: createIdentityDomain(driver),
    releaseDomain: blockedDomain,

    capable(device, capability) {
      const { facts: { ats } } = driver.stateOf(device)
      switch (capability) {
        case 'cache-coherency': case 'deferred-flush': case 'enforce-cache-coherency': return true
        case 'ats': return ats
        case 'no-execute': case 'pre-boot-protection': case 'dirty-tracking': return false
        default: return capability satisfies never
      }
    },
    domainAllocPaging(device, request) {
      const { unit } = driver.stateOf(device)
      refuseUnbuilt(request, driver.pasids)
      return createPagingDomain(driver, choosePagingFormat(unit, request.format, request.pasid === true))
    },

    domainAllocSva: (device, space) => createSvaDomain(driver, driver.stateOf(device).unit, space),

    probeDevice(device) {
      devices.probe(device, (unit) => probe(unit, device, driver.warn))
    },
    probeFinalize(device) {
      const { unit, maxPasids, facts: { ats } } = driver.stateOf(device)
      enableFeatures(unit.machine.endpoint(device.requesterId).config, { pasid: maxPasids > 0, ats })
    },
    releaseDevice(device) {
      devices.release(device, (state) => {
        disableFeatures(state.unit.machine.endpoint(device.requesterId).config)
        state.release()
      })
    },
    deviceGroup: (device) => device.isolation ?? device.name,
    getResvRegions: (device) => [...(device.reserved ?? []), INTERRUPT_RANGE],
    maxPasids: (device) => driver.stateOf(device).maxPasids,
    // PASIDs need a requester id that leaves them room: without GIoV that is identity alone (Linux, `amd_iommu_def_domain_type`).
    defDomainType(device) {
      const { maxPasids, unit } = driver.stateOf(device)
      return maxPasids > 0 && !unit.capabilities.guestIo && device.untrusted !== true ? 'identity' : undefined
    },
    domainIdsInUse: () => units.reduce((sum, { domainIds }) => sum + domainIds.used, 0),

    readFaults: (unit = 0) => devices.unitAt(unit).events.take(),
  }
}
