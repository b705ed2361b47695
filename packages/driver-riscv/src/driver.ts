// The driver: IommuOps over one or more RISC-V IOMMUs. Short; domains, devices and units do the work.
import { IommuError } from '@iommu/core'
import type { Device, IommuOps } from '@iommu/core'
import { vacate } from '@iommu/core/driver'
import type { Warn } from '@iommu/core/driver'
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

export interface RiscvOptions {
  /** Further units of the same machine; a device names its own by `unit`, counted from 0. */
  readonly moreUnits?: readonly Machine[]
  /** Told of what cannot be helped: a unit that does not answer while a device is blocked. */
  readonly warn?: Warn
  /** The pure half of the driver; variants replace a member of it. */
  readonly programming?: Programming
}

/** The driver, and what its fault interrupt would read. */
export interface Riscv extends IommuOps {
  /** Takes what a unit has recorded. */
  readFaults(unit?: number): FaultReport
  /** PSCIDs and GSCIDs that are taken, on all units together. */
  identifiersInUse(): number
}

/** What domains need of the driver. */
export interface Driver {
  readonly owner: symbol
  /** Whether domains can be set on PASIDs. */
  readonly pasids: boolean
  readonly warn: Warn
  /** Throws EINVAL for a device that this driver has not probed: it is behind somebody else's IOMMU. */
  stateOf(device: Device): DeviceState
}

/**
 * Takes the units over and answers their driver. From then on every DMA is blocked until a domain is set.
 * Throws ENODEV for a unit that does not answer, ENOMEM.
 */
export const createRiscv = (machine: Machine, options: RiscvOptions = {}): Riscv => {
  const machines = [machine, ...(options.moreUnits ?? [])]
  const units: Unit[] = machines.map((each, index) => takeOver(each, index, options.programming ?? programming))
  const unitAt = (index: number): Unit => {
    const unit = units[index]
    if (unit === undefined) throw new IommuError('ENODEV', 'there is no such unit', { unit: index })
    return unit
  }
  const manifest = declare(units)
  const states = new Map<Device, DeviceState>()
  const warn: Warn = options.warn ?? (() => undefined)
  const driver: Driver = {
    owner: Symbol(manifest.name),
    pasids: manifest.maxPasids > 0,
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
    domainAllocPaging(device, { pasid, format, dirtyTracking, nestParent }) {
      const { unit } = driver.stateOf(device)
      if (pasid === true && !driver.pasids) throw new IommuError('EOPNOTSUPP', 'the unit has no PASIDs')
      if (dirtyTracking === true || nestParent === true) {
        throw new IommuError('EOPNOTSUPP', 'dirty tracking and nesting are not built yet')
      }
      return createPagingDomain(driver, choosePagingFormat(unit, format))
    },

    domainAllocSva: (device, space) => createSvaDomain(driver, driver.stateOf(device).unit, space),

    probeDevice(device) {
      if (states.has(device)) throw new IommuError('EBUSY', 'the device has been probed already', { device: device.name })
      const unit = unitAt(device.unit ?? 0)
      const { pasidWidth = 0 } = unit.machine.endpoint(device.requesterId).config.capabilities
      states.set(device, unit.pasids && pasidWidth > 0 ? probeProcesses(unit, device, pasidWidth, warn) : probePlain(unit, device, warn))
    },
    probeFinalize(device) {
      const { unit, sources, maxPasids, ats } = driver.stateOf(device)
      const { config } = unit.machine.endpoint(sources[0] as number)
      // PCIe: the PASID enable must not change while ATS is enabled.
      if (maxPasids > 0) config.enable('pasid')
      if (ats) config.enable('ats')
    },
    releaseDevice(device) {
      const state = driver.stateOf(device)
      for (const pasid of [...state.occupants.keys()]) vacate(state, pasid)
      const { config } = state.unit.machine.endpoint(device.requesterId)
      if (config.enabled.ats) config.disable('ats')
      if (config.enabled.pasid) config.disable('pasid')
      state.release()
      states.delete(device)
    },
    deviceGroup: (device) => device.isolation ?? device.name,
    // No window for interrupts: they are writes like others, translated like others.
    getResvRegions: (device) => device.reserved ?? [],
    maxPasids: (device) => driver.stateOf(device).maxPasids,
    identifiersInUse: () => units.reduce((sum, { pscids, gscids }) => sum + pscids.used + gscids.used, 0),

    readFaults(unit = 0) {
      const { machine: hardware, faultQueue } = unitAt(unit)
      return readFaults(hardware, faultQueue.base, faultQueue.log2Entries)
    },
  }
}
