// SMMUv3 as subjects of comparison: stage 1, stage 2, and stage 1 with CD tables of more contexts than one.
import { createArmSmmuv3 } from '@iommu/driver-arm-smmuv3'
import { events, EVENTS } from '@iommu/driver-arm-smmuv3/queues'
import { smmuv3, smmuv3Stage2 } from '@iommu/machine-qemu'
import type { Board } from '@iommu/machine-qemu'
import { describePlan, smallerPlans } from '../plan.js'
import type { Subject } from '../subject.js'
import { deviations } from './deviations.js'
import { generatePlan, probesOf, SOURCES } from './generate.js'
import { install } from './install.js'
import { lens, SSID_BITS, withSubstreams } from './lens.js'
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

const contextsText = ({ contexts: table }: ArmPlan): string => {
  if (table === undefined) return ''
  const { max, leafBits, ssid, others } = table
  return `, PASID ${ssid} of ${2 ** max}${leafBits === 0 ? '' : ` in leaves of ${2 ** leafBits}`}, and ${others.map((other) => other.ssid).join(', ') || 'no others'}`
}

const subject = (target: string, board: Board, stage: 1 | 2): Subject<ArmPlan> => ({
  target,
  board,
  sources: SOURCES,
  createModel: (qemu) => createModel(qemu, board),
  generate: (random, turn) => generatePlan(random, stage, turn),
  probes: probesOf,
  install,
  smaller: smallerPlans,
  describe: (plan) => describePlan(plan,
    `stage ${plan.stage}, ${2 ** (plan.granule - 10)} KiB, ${plan.inputBits} bits in ${plan.levels} levels${plan.upper ? ', upper half' : ''}${contextsText(plan)}`),
  deviations: deviations(stage),
  stale: staleSubject(stage),
  driven: { source: SOURCES[0], createDriver: (machine) => createArmSmmuv3(machine) },
  codes: new Map(REACHABLE.filter((code) => stage === 1 || !NOT_OF_STAGE_2.includes(code)).map((code) => [code, events.get(code)?.meaning ?? 'unknown'])),
})

/** PASIDs that the driver sets domains on: of two leaves where there are leaves. */
const PASIDS = [1, 2, 63, 1025]
/** PASIDs that devices have, in bits: the driver's table has leaves, or is one array. */
const PASID_WIDTHS = [SSID_BITS, 6]

/** Stage 1 with CD tables, which QEMU sees through the lens. */
const contexts = ({ stale: _stale, ...stage1 }: Subject<ArmPlan>): Subject<ArmPlan> => ({
  ...stage1,
  target: 'smmuv3-contexts',
  createModel: (qemu) => createModel(qemu, stage1.board, { substreamBits: SSID_BITS, twoLevelContexts: true }),
  generate: (random, turn) => generatePlan(random, 1, turn, true),
  lens,
  driven: {
    source: SOURCES[0],
    pasids: PASIDS,
    createDriver: (machine, _qemu, round) => createArmSmmuv3(withSubstreams(machine, PASID_WIDTHS[round % PASID_WIDTHS.length] as number)),
  },
})

const stage1 = subject('smmuv3-stage-1', smmuv3, 1)

export const armSubjects: readonly Subject<ArmPlan>[] = [stage1, subject('smmuv3-stage-2', smmuv3Stage2, 2), contexts(stage1)]
