// The driver: IommuOps over one or more VT-d units. Short; domains, devices and units do the work.
import type { IommuOps, ReservedRegion } from '@iommu/core'
import { createFace, refuseUnbuilt } from '@iommu/core/driver'
import type { DriverFace, DriverOptions } from '@iommu/core/driver'
import { disableFeatures, enableFeatures } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import { probeLegacy } from './devices/legacy.js'
import { probeScalable } from './devices/scalable.js'
import type { DeviceState } from './devices/state.js'
import { createBlockedDomain } from './domains/blocked.js'
import { choosePagingFormat } from './domains/formats.js'
import { createIdentityDomain } from './domains/identity.js'
import { createPagingDomain } from './domains/paging.js'
import { createSvaDomain } from './domains/sva.js'
import { declare } from './manifest.js'
import { readFaults } from './programming/faults.js'
import type { FaultReport } from './programming/faults.js'
import { programming } from './programming/index.js'
import type { Programming } from './programming/index.js'
import { OFFSETS, readCapabilities } from './tables/index.js'
import { takeOver } from './unit.js'
import type { Unit } from './unit.js'

export interface VtdOptions extends DriverOptions<Machine, Programming> {
  /** Scalable where every unit has it, if absent. */
  readonly mode?: 'legacy' | 'scalable'
  /** Width of physical addresses in bits, as the firmware's DMAR table says: no register does. */
  readonly hostAddressBits: number
}

/** The driver, and what its fault interrupt would read. */
export interface IntelVtd extends IommuOps {
  /** Takes what a unit has recorded. */
  readFaults(unit?: number): FaultReport
  /** Domain ids that are taken, on all units together. */
  domainIdsInUse(): number
}

/** What domains need of the driver. */
export type Driver = DriverFace<DeviceState>

const INTERRUPT_RANGE: ReservedRegion = {
  start: 0xfee0_0000n, length: 0x10_0000n, kind: 'msi', access: { read: true, write: true },
}

const hasScalableMode = ({ registers }: Machine): boolean =>
  readCapabilities(registers.read64(OFFSETS.CAP), registers.read64(OFFSETS.ECAP)).scalable

/**
 * Takes the units over and answers their driver. From then on every DMA is blocked until a domain is set.
 * Throws ENODEV for a unit that does not answer or lacks the mode asked for, ENOMEM.
 */
export const createIntelVtd = (machine: Machine, options: VtdOptions): IntelVtd => {
  const machines = [machine, ...(options.moreUnits ?? [])]
  const scalable = options.mode === undefined ? machines.every(hasScalableMode) : options.mode === 'scalable'
  const units: Unit[] = machines.map((each, index) => takeOver(each, index, {
    scalable, hostAddressBits: options.hostAddressBits, programming: options.programming ?? programming,
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
      const { unit: { capabilities }, ats } = driver.stateOf(device)
      switch (capability) {
        case 'cache-coherency': case 'deferred-flush': return true
        case 'enforce-cache-coherency': return capabilities.snoopControl
        case 'ats': return ats
        case 'no-execute': case 'pre-boot-protection': case 'dirty-tracking': return false
        default: return capability satisfies never
      }
    },
    domainAllocPaging(device, request) {
      const { unit } = driver.stateOf(device)
      refuseUnbuilt(request, driver.pasids)
      return createPagingDomain(driver, choosePagingFormat(unit, request.format))
    },

    domainAllocSva: (device, space) => createSvaDomain(driver, driver.stateOf(device).unit, space),

    probeDevice(device) {
      devices.probe(device, (unit) => (unit.scalable ? probeScalable : probeLegacy)(unit, device, driver.warn))
    },
    probeFinalize(device) {
      const { unit, maxPasids, ats } = driver.stateOf(device)
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
    // Where identity is impossible a translating default is the only one.
    defDomainType: () => (manifest.identity.rid ? undefined : 'dma'),
    domainIdsInUse: () => units.reduce((sum, { domainIds }) => sum + domainIds.used, 0),

    readFaults(unit = 0) {
      const { machine: hardware, capabilities } = devices.unitAt(unit)
      return readFaults(hardware, capabilities.faultOffset, capabilities.faultRecords)
    },
  }
}
