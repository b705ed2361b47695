// The driver: IommuOps over one or more SMMUs. Short; domains, devices and units do the work.
import { IommuError } from '@iommu/core'
import type { IommuOps, ReservedRegion } from '@iommu/core'
import { createFace, refuseUnbuilt } from '@iommu/core/driver'
import type { DriverFace, DriverOptions } from '@iommu/core/driver'
import { disableFeatures, enableFeatures } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import { probeStream } from './devices/stream.js'
import type { DeviceState } from './devices/state.js'
import { createBlockedDomain } from './domains/blocked.js'
import { choosePagingFormat, pasidFormatNames } from './domains/formats.js'
import { createIdentityDomain } from './domains/identity.js'
import { createPagingDomain } from './domains/paging.js'
import { createSvaDomain } from './domains/sva.js'
import { declare } from './manifest.js'
import { readEvents } from './programming/events.js'
import type { EventReport } from './programming/events.js'
import { programming } from './programming/index.js'
import type { Programming } from './programming/index.js'
import { terminate } from './programming/invalidate.js'
import { takeOver } from './unit.js'
import type { Unit } from './unit.js'

export type SmmuOptions = DriverOptions<Machine, Programming>

/** The driver, and what its event interrupt would read. */
export interface ArmSmmuv3 extends IommuOps {
  /** Takes what an SMMU has recorded, and ends the DMA that waits for an answer. */
  readEvents(unit?: number): EventReport
  /** ASIDs and VMIDs that are taken, on all SMMUs together. */
  idsInUse(): number
}

/** What domains need of the driver. */
export type Driver = DriverFace<DeviceState>

/** Where Linux maps the doorbell of interrupts that are translated like any other write (MSI_IOVA_BASE). */
const DOORBELL: ReservedRegion = {
  start: 0x800_0000n, length: 0x10_0000n, kind: 'software-msi', access: { read: true, write: true },
}

/**
 * Takes the SMMUs over and answers their driver. From then on every DMA is blocked until a domain is set.
 * Throws ENODEV for an SMMU that does not answer or lacks what is needed, ENOMEM.
 */
export const createArmSmmuv3 = (machine: Machine, options: SmmuOptions = {}): ArmSmmuv3 => {
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
      const { unit: { capabilities: { coherent } }, ats } = driver.stateOf(device)
      switch (capability) {
        case 'cache-coherency': return coherent
        case 'deferred-flush': case 'no-execute': return true
        case 'ats': return ats
        case 'enforce-cache-coherency': case 'pre-boot-protection': case 'dirty-tracking': return false
        default: return capability satisfies never
      }
    },
    domainAllocPaging(device, request) {
      const { unit } = driver.stateOf(device)
      refuseUnbuilt(request, driver.pasids)
      const { pasid, format } = request
      if (pasid === true && format !== undefined && !pasidFormatNames(unit).includes(format)) {
        throw new IommuError('EOPNOTSUPP', `contexts of PASIDs are of stage 1, and not ${format}`)
      }
      return createPagingDomain(driver, choosePagingFormat(unit, format))
    },

    domainAllocSva: (device, space) => createSvaDomain(driver, driver.stateOf(device).unit, space),

    probeDevice(device) {
      const { unit, maxPasids } = devices.probe(device, (each) => probeStream(each, device, driver.warn))
      // ATS comes with an attach.
      enableFeatures(unit.machine.endpoint(device.requesterId).config, { pasid: maxPasids > 0, ats: false })
    },
    releaseDevice(device) {
      devices.release(device, (state) => {
        state.release()
        disableFeatures(state.unit.machine.endpoint(device.requesterId).config)
      })
    },
    deviceGroup: (device) => device.isolation ?? device.name,
    getResvRegions: (device) => [...(device.reserved ?? []), DOORBELL],
    maxPasids: (device) => driver.stateOf(device).maxPasids,
    idsInUse: () => units.reduce((sum, { asids, vmids }) => sum + asids.used + vmids.used, 0),

    readEvents(unit = 0) {
      const { machine: hardware, events, queue } = devices.unitAt(unit)
      const report = readEvents(hardware, events)
      const stalled = report.events.flatMap(({ source, stalled: tag }) => (tag === undefined ? [] : [terminate(source, tag)]))
      if (stalled.length > 0) queue.submit(stalled)
      return report
    },
  }
}
