// The driver: IommuOps over one unit. Short; domains, devices and the unit do the work.
import { IommuError } from '@iommu/core'
import type { Device, IommuOps } from '@iommu/core'
import { vacate } from '@iommu/core/driver'
import type { Warn } from '@iommu/core/driver'
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

/** What domains need of the driver. */
export interface Driver {
  readonly owner: symbol
  readonly warn: Warn
  /** Throws EINVAL for a device that this driver has not probed: it is behind somebody else's IOMMU. */
  stateOf(device: Device): DeviceState
}

/** Takes the unit over and answers its driver. From then on every DMA is blocked. Throws ENODEV, ENOMEM. */
export const createAcme = (machine: Machine, options: AcmeOptions = {}): Acme => {
  const unit = takeOver(machine, options.programming ?? programming)
  const states = new Map<Device, DeviceState>()
  const warn: Warn = options.warn ?? (() => undefined)
  const driver: Driver = {
    owner: Symbol(manifest.name),
    warn,
    stateOf(device) {
      const state = states.get(device)
      if (state === undefined) throw new IommuError('EINVAL', 'the device is not behind this driver', { device: device.name })
      return state
    },
  }
  const blockedDomain = createBlockedDomain(driver)

  return {
    manifest,
    owner: driver.owner,
    blockedDomain,
    releaseDomain: blockedDomain,

    probeDevice(device) {
      if (states.has(device)) throw new IommuError('EBUSY', 'the device has been probed already', { device: device.name })
      states.set(device, probe(unit, device, warn))
    },
    releaseDevice(device) {
      const state = driver.stateOf(device)
      vacate(state, 0)
      state.release()
      states.delete(device)
    },
    deviceGroup: (device) => device.isolation ?? device.name,
    getResvRegions: (device) => device.reserved ?? [],
    // What is not declared is no default; with both the core layer chooses.
    defDomainType: () => (!manifest.identity.rid ? 'dma' : manifest.paging.rid ? undefined : 'identity'),

    readFaults: () => readFaults(machine),
  }
}
