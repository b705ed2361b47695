// SMMUv3 as subjects of comparison: stage 1, and stage 2.
import { createArmSmmuv3 } from '@iommu/driver-arm-smmuv3'
import { events, EVENTS } from '@iommu/driver-arm-smmuv3/tables'
import { smmuv3, smmuv3Stage2 } from '@iommu/machine-qemu'
import type { Board } from '@iommu/machine-qemu'
import { describePlan, smallerPlans } from '../plan.js'
import type { Subject } from '../subject.js'
import { deviations } from './deviations.js'
import { generatePlan, probesOf, SOURCES } from './generate.js'
import { install } from './install.js'
import { createModel } from './model.js'
import { staleSubject } from './stale.js'
import type { ArmPlan } from './plan.js'

/** Events of requests that devices of QEMU can make: without SSID and ATS. */
const REACHABLE = [
  EVENTS.C_BAD_STREAMID, EVENTS.F_STE_FETCH, EVENTS.C_BAD_STE, EVENTS.F_CD_FETCH, EVENTS.C_BAD_CD, EVENTS.F_WALK_EABT,
  EVENTS.F_TRANSLATION, EVENTS.F_ADDR_SIZE, EVENTS.F_ACCESS, EVENTS.F_PERMISSION,
]
/** Stage 2 has no contexts; its stream table is linear, and what cannot be read of it is not tried. */
const NOT_OF_STAGE_2: readonly number[] = [EVENTS.F_CD_FETCH, EVENTS.C_BAD_CD, EVENTS.F_STE_FETCH]

const subject = (target: string, board: Board, stage: 1 | 2): Subject<ArmPlan> => ({
  target,
  board,
  sources: SOURCES,
  unless: (series) => (series === '7.2'
    ? 'the SMMU of QEMU 7.2 lacks access flags and 64-bit addresses, and its deviations are not listed; the suite runs on it' : undefined),
  createModel: (qemu) => createModel(qemu, board),
  generate: (random, turn) => generatePlan(random, stage, turn),
  probes: probesOf,
  install,
  smaller: smallerPlans,
  describe: (plan) => describePlan(plan,
    `stage ${plan.stage}, ${2 ** (plan.granule - 10)} KiB, ${plan.inputBits} bits in ${plan.levels} levels${plan.upper ? ', upper half' : ''}`),
  deviations: deviations(stage),
  stale: staleSubject(stage),
  driven: { source: SOURCES[0], createDriver: (machine) => createArmSmmuv3(machine) },
  codes: new Map(REACHABLE.filter((code) => stage === 1 || !NOT_OF_STAGE_2.includes(code)).map((code) => [code, events.get(code)?.meaning ?? 'unknown'])),
})

export const armSubjects: readonly Subject<ArmPlan>[] = [subject('smmuv3-stage-1', smmuv3, 1), subject('smmuv3-stage-2', smmuv3Stage2, 2)]
