// The driver: IommuOps over one or more RISC-V IOMMUs. Short; domains, devices and units do the work.
import type { IommuOps } from '@iommu/core'
import { createFace, refuseUnbuilt } from '@iommu/core/driver'
import type { DriverFace, DriverOptions } from '@iommu/core/driver'
import { disableFeatures, enableFeatures } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import { probePlain } from './devices/plain.js'
import { probeProcesses } from './devices/processes.js'
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
import { takeOver } from './unit.js'
import type { Unit } from './unit.js'

export type RiscvOptions = DriverOptions<Machine, Programming>

/** The driver, and what its fault interrupt would read. */
export interface Riscv extends IommuOps {
  /** Takes what a unit has recorded. */
  readFaults(unit?: number): FaultReport
  /** PSCIDs and GSCIDs that are taken, on all units together. */
  identifiersInUse(): number
}

/** What domains need of the driver. */
export type Driver = DriverFace<DeviceState>

/**
 * Takes the units over and answers their driver. From then on every DMA is blocked until a domain is set.
 * Throws ENODEV for a unit that does not answer, ENOMEM.
 */
export const createRiscv = (machine: Machine, options: RiscvOptions = {}): Riscv => {
  const machines = [machine, ...(options.moreUnits ?? [])]
  const units: Unit[] = machines.map((each, index) => takeOver(each, index, options.programming ?? programming))
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
      const { ats } = driver.stateOf(device)
      switch (capability) {
        case 'cache-coherency': case 'deferred-flush': case 'no-execute': return true
        case 'ats': return ats
        case 'enforce-cache-coherency': case 'pre-boot-protection': case 'dirty-tracking': return false
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
      devices.probe(device, (unit) => {
        const { pasidWidth = 0 } = unit.machine.endpoint(device.requesterId).config.capabilities
        return unit.pasids && pasidWidth > 0 ? probeProcesses(unit, device, pasidWidth, driver.warn) : probePlain(unit, device, driver.warn)
      })
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
    // No window for interrupts: they are writes like others, translated like others.
    getResvRegions: (device) => device.reserved ?? [],
    maxPasids: (device) => driver.stateOf(device).maxPasids,
    identifiersInUse: () => units.reduce((sum, { pscids, gscids }) => sum + pscids.used + gscids.used, 0),

    readFaults(unit = 0) {
      const { machine: hardware, faultQueue } = devices.unitAt(unit)
      return readFaults(hardware, faultQueue.base, faultQueue.log2Entries)
    },
  }
}
