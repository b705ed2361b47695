// VT-d as subjects of comparison: legacy mode, and scalable mode with either stage.
import { createIntelVtd } from '@iommu/driver-intel-vtd'
import { faultReasons } from '@iommu/driver-intel-vtd/registers'
import { vtdFirstStage, vtdLegacy, vtdSecondStage } from '@iommu/machine-qemu'
import type { Board } from '@iommu/machine-qemu'
import { describePlan, smallerPlans } from '../plan.js'
import type { Subject } from '../subject.js'
import { deviations } from './deviations.js'
import { generatePlan, probesOf, SOURCES } from './generate.js'
import { install } from './install.js'
import { ADDRESS_BITS, createModel } from './model.js'
import { staleSubject } from './stale.js'
import type { VtdPlan } from './plan.js'

const describe = (plan: VtdPlan): string[] =>
  describePlan(plan, `${plan.mode === 'legacy' ? 'legacy mode' : `scalable mode, ${plan.mode}`}, ${plan.levels} levels`)

/** Codes of requests that devices of QEMU can make: without PASID, ATS or interrupt remapping. */
const reachable: Readonly<Record<VtdPlan['mode'], readonly number[]>> = {
  'legacy': [0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x09, 0x0a, 0x0b, 0x0c],
  'second-stage': [0x39, 0x3a, 0x40, 0x41, 0x42, 0x50, 0x51, 0x52, 0x58, 0x59, 0x5a, 0x5b, 0x78, 0x79, 0x7a, 0x7b, 0x83],
  'first-stage': [0x39, 0x3a, 0x40, 0x41, 0x42, 0x50, 0x51, 0x52, 0x58, 0x59, 0x5a, 0x5b, 0x70, 0x71, 0x72, 0x73, 0x80, 0x81, 0x85],
}

const subject = (board: Board, mode: VtdPlan['mode']): Subject<VtdPlan> => ({
  target: board.name,
  board,
  sources: SOURCES,
  createModel: (qemu) => createModel(qemu, board),
  generate: (random, turn) => generatePlan(random, mode, turn),
  probes: probesOf,
  install,
  smaller: smallerPlans,
  describe,
  deviations: deviations(mode),
  stale: staleSubject(mode),
  driven: {
    source: SOURCES[0],
    createDriver: (machine) => createIntelVtd(machine, { hostAddressBits: ADDRESS_BITS, mode: mode === 'legacy' ? 'legacy' : 'scalable' }),
    ...(mode === 'legacy' ? {} : { withoutIdentity: 'vtd-pass-through-sticks' }),
  },
  codes: new Map(reachable[mode].map((code) => [code, faultReasons.get(code)?.meaning ?? 'unknown'])),
})

export const vtdSubjects: readonly Subject<VtdPlan>[] = [
  subject(vtdLegacy, 'legacy'), subject(vtdSecondStage, 'second-stage'), subject(vtdFirstStage, 'first-stage'),
]
