// The RISC-V IOMMU as subjects of comparison: first stage, second stage, both, and the first stage from base contexts.
import { createRiscv } from '@iommu/driver-riscv'
import { faultCauses } from '@iommu/driver-riscv/queues'
import { riscv, riscvBase, withoutProcessDirectories } from '@iommu/machine-qemu'
import type { Board } from '@iommu/machine-qemu'
import type { DriverSubject } from '../driven.js'
import { describePlan, smallerPlans } from '../plan.js'
import type { Subject } from '../subject.js'
import { deviations } from './deviations.js'
import { generatePlan, probesOf, SOURCES } from './generate.js'
import type { Kind } from './generate.js'
import { install } from './install.js'
import { createModel } from './model.js'
import type { RiscvPlan } from './plan.js'
import { staleSubject } from './stale.js'

const HERE = [5, 7, 13, 15, 256, 257, 258, 259, 260] as const
/** Causes that devices of QEMU, and questions with PASIDs, can reach. */
const REACHABLE: Readonly<Record<Kind, readonly number[]>> = {
  first: [...HERE, 265, 266, 267],
  second: [5, 7, 21, 23, 256, 257, 258, 259, 260],
  nested: [...HERE, 21, 23, 266, 267],
}

/** 10.0 cannot be asked about PASIDs, and what else it does otherwise is not listed: its records lack addresses. */
const compared = (board: Board): Board => ({
  ...board,
  lacks: (facts) => board.lacks(facts) ?? (facts.installation.series === '10.0'
    ? 'the RISC-V IOMMU of QEMU 10.0 is not compared: it cannot be asked about PASIDs, and its deviations are not listed' : undefined),
})

const bits = (levels: number): string => `Sv${12 + 9 * levels}`

const kindText = ({ first, second, pasid, directory }: RiscvPlan): string => [
  ...(first === undefined ? [] : [bits(first)]), ...(second === undefined ? [] : [`${bits(second)}x4`]),
  `${directory}-level device directory`, ...(pasid === undefined ? [] : [`process contexts, PASID 0x${pasid.toString(16)}`]),
].join(', ')

interface Described {
  readonly target: string
  readonly board: Board
  readonly kind: Kind
  readonly extended: boolean
  readonly createDriver: DriverSubject['createDriver']
}

const subject = ({ target, board, kind, extended, createDriver }: Described): Subject<RiscvPlan> => ({
  target,
  board: compared(board),
  sources: SOURCES,
  createModel: (qemu) => createModel(qemu, board, SOURCES),
  generate: (random, turn) => generatePlan(random, { kind, extended }, turn),
  probes: probesOf,
  install,
  smaller: smallerPlans,
  describe: (plan) => [
    ...describePlan(plan, kindText(plan)),
    ...plan.guests === undefined ? [] : describePlan({ ...plan, way: {}, pages: plan.guests }, 'second stage').slice(1),
  ],
  deviations: deviations({ kind, extended }),
  // Two stages at once are not in the model's adversarial mode.
  ...(kind === 'nested' ? {} : { stale: staleSubject(kind, extended) }),
  // Domains are set on requester ids alone: of a large page QEMU's answer to a question is its beginning (riscv-response-base).
  driven: { source: SOURCES[0], createDriver },
  codes: new Map(REACHABLE[kind].map((code) => [code, faultCauses.get(code)?.meaning ?? 'unknown'])),
})

/** The driver puts everything into process contexts, or in every second round into device contexts, second stages too. */
const byTurns: DriverSubject['createDriver'] = (machine, _qemu, round) => createRiscv(round % 2 === 0 ? machine : withoutProcessDirectories(machine))

export const riscvSubjects: readonly Subject<RiscvPlan>[] = [
  subject({ target: 'riscv-first-stage', board: riscv, kind: 'first', extended: true, createDriver: byTurns }),
  subject({
    target: 'riscv-second-stage', board: riscv, kind: 'second', extended: true, createDriver: (machine) => createRiscv(withoutProcessDirectories(machine)),
  }),
  subject({ target: 'riscv-both-stages', board: riscv, kind: 'nested', extended: true, createDriver: byTurns }),
  subject({ target: 'riscv-base', board: riscvBase, kind: 'first', extended: false, createDriver: byTurns }),
]
