// AMD-Vi as a subject of comparison: host tables.
import { createAmdVi } from '@iommu/driver-amd-vi'
import { EVENT_CODES, events } from '@iommu/driver-amd-vi/queues'
import { amdCapabilityHeader, amdVi, withoutGuestTables } from '@iommu/machine-qemu'
import { describePlan, smallerPlans } from '../plan.js'
import type { Subject } from '../subject.js'
import { deviations } from './deviations.js'
import { generatePlan, probesOf, SOURCES } from './generate.js'
import { install } from './install.js'
import { ADDRESS_BITS, createModel } from './model.js'
import { staleSubject } from './stale.js'
import type { AmdPlan } from './plan.js'

/** Events of requests that devices of QEMU can make: without PASID and ATS. */
const REACHABLE = [
  EVENT_CODES.illegalDevTableEntry, EVENT_CODES.ioPageFault, EVENT_CODES.devTabHardwareError, EVENT_CODES.pageTabHardwareError,
]

export const amdSubject: Subject<AmdPlan> = {
  target: amdVi.name,
  board: amdVi,
  sources: SOURCES,
  createModel: (qemu) => createModel(qemu, amdVi),
  generate: generatePlan,
  probes: probesOf,
  install,
  smaller: smallerPlans,
  describe: (plan) => describePlan(plan, `host tables of ${plan.levels} levels`),
  deviations,
  stale: staleSubject,
  driven: {
    source: SOURCES[0],
    attachedFirst: 'amd-all-without-devices',
    createDriver: (machine, qemu) => createAmdVi(withoutGuestTables(machine), {
      hostAddressBits: ADDRESS_BITS, capabilityHeader: amdCapabilityHeader(qemu), lastDeviceId: 0xff,
    }),
  },
  codes: new Map(REACHABLE.map((code) => [code, events.get(code)?.meaning ?? 'unknown'])),
}
