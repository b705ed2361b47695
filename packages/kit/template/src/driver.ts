// The driver: IommuOps over one unit. Short; domains, devices and the unit do the work.
import type { IommuOps } from '@iommu/core'
import { createFace } from '@iommu/core/driver'
import type { DriverFace, Warn } from '@iommu/core/driver'
import type { Machine } from '@iommu/hardware'
import { probe } from './devices/state.js'
import type { DeviceState } from './devices/state.js'
import { createBlockedDomain } from './domains/blocked.js'
import { manifest } from './manifest.js'
import { readFaults } from './programming/faults.js'
import type { FaultReport } from './programming/faults.js'
import { programming } from './programming/index.js'
import type { Programming } from './programming/index.js'
import { takeOver } from './unit.js'
import type { Unit } from './unit.js'

export interface AcmeOptions {
  /** Told of what cannot be helped: a unit that does not answer while a device is blocked. */
  readonly warn?: Warn
  /** The pure half of the driver; variants replace a member of it. */
  readonly programming?: Programming
}

/** The driver, and what its fault interrupt would read. */
export interface Acme extends IommuOps {
  readFaults(): FaultReport
}

/** What domains need of the driver. @public */
export type Driver = DriverFace<DeviceState>

/** Takes the unit over and answers its driver. From then on every DMA is blocked. Throws ENODEV, ENOMEM. */
export const createAcme = (machine: Machine, options: AcmeOptions = {}): Acme => {
  const unit = takeOver(machine, options.programming ?? programming)
  const { devices, driver } = createFace<Unit, DeviceState>([unit], manifest, options.warn)
  const blockedDomain = createBlockedDomain(driver)

  return {
    manifest,
    owner: driver.owner,
    blockedDomain,
    releaseDomain: blockedDomain,

    probeDevice(device) {
      devices.probe(device, () => probe(unit, device, driver.warn))
    },
    releaseDevice(device) {
      devices.release(device, (state) => state.release())
    },
    deviceGroup: (device) => device.isolation ?? device.name,
    getResvRegions: (device) => device.reserved ?? [],
    // What is not declared is no default; with both the core layer chooses.
    defDomainType: () => (!manifest.identity.rid ? 'dma' : manifest.paging.rid ? undefined : 'identity'),

    readFaults: () => readFaults(machine),
  }
}
