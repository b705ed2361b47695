// Changes of RISC-V tables that caches may not have noticed: one entry, and the invalidations that it wants but one.
import { encode } from '@iommu/bits'
import { createRiscvAdversary } from '@iommu/driver-riscv/model'
import type { RiscvMachine } from '@iommu/driver-riscv/model'
import { COMMANDS, invalidateDevice, invalidateFirstStage, invalidateProcess, invalidateSecondStage } from '@iommu/driver-riscv/queues'
import { riscv } from '@iommu/machine-qemu'
import type { Frames } from '../ground.js'
import { setField, tweakWay } from '../plan.js'
import type { Random } from '../random.js'
import { createRandom } from '../random.js'
import { caseOf, entryChange, leafChanges, leavingOut, rootChange } from '../stale-case.js'
import type { Change, Wanted } from '../stale-case.js'
import type { Probe, StaleCase, StaleDeviation, StaleSubject } from '../subject.js'
import { newPage, places, SOURCES } from './generate.js'
import { submit } from './install.js'
import { build, FIRST_FRAME, GSCID, PSCID, shiftOf } from './plan.js'
import type { Built, RiscvPage, RiscvPlan } from './plan.js'

/** Only one stage: the other is bare. */
export type StaleKind = 'first' | 'second'

const isSecond = ({ first }: RiscvPlan): boolean => first === undefined

const onePage = (plan: RiscvPlan): Wanted => {
  const address = { AV: 1, ADDR: plan.pages[0]?.iova ?? 0n }
  return ['IOTLB', isSecond(plan)
    ? encode(invalidateSecondStage, { ...COMMANDS.invalidateSecondStage, ...address, GV: 1, GSCID })
    : encode(invalidateFirstStage, { ...COMMANDS.invalidateFirstStage, ...address, PSCV: 1, PSCID })]
}

const everyPage = (kind: StaleKind, name: string, more: number): Wanted => [name, kind === 'second'
  ? encode(invalidateSecondStage, { ...COMMANDS.invalidateSecondStage, GV: 1, GSCID: GSCID + more })
  : encode(invalidateFirstStage, { ...COMMANDS.invalidateFirstStage, PSCV: 1, PSCID: PSCID + more })]

/** What says which tables there are: the device context, or with process contexts the one of the probe's PASID. */
const context = ({ source, pasid }: RiscvPlan, asked: number): Wanted => (pasid === undefined
  ? ['context', encode(invalidateDevice, { ...COMMANDS.invalidateDevice, DV: 1, DID: source })]
  : ['context', encode(invalidateProcess, { ...COMMANDS.invalidateProcess, DV: 1, DID: source, PID: asked })])

const pointOf = ({ pasid }: RiscvPlan): 'device' | 'process' => (pasid === undefined ? 'device' : 'process')

const framesOf = (plan: RiscvPlan): Frames => build(plan).frames

const leafChange = leafChanges<RiscvPage, RiscvPlan>(framesOf, (plan) => [onePage(plan)])

const changesOfLeaf = (what: string): Change<RiscvPlan>[] => [
  leafChange(`${what} names another page`, (_plan, random, page) => ({ target: places.target(random, shiftOf(page)) })),
  leafChange(`${what} goes`, (_plan, _random, { level, entries }) => ({ entries: { ...entries, [level]: { fields: { V: 0 } } } })),
]

/** Changes of the entry that points to the page tables; `asked` is the PASID of the requests that go by it. */
const contextChanges = (kind: StaleKind, asked: number): Change<RiscvPlan>[] => {
  const wanted = (plan: RiscvPlan): Wanted[] => [context(plan, asked), everyPage(kind, 'IOTLB', 0)]
  const changed = (name: string, change: (plan: RiscvPlan) => RiscvPlan): Change<RiscvPlan> => entryChange(name, framesOf, change, wanted)
  const rootMoves = rootChange<RiscvPage, RiscvPlan, Built>({
    name: 'a context names other page tables',
    build,
    first: FIRST_FRAME,
    target: (_plan, page, random) => places.target(random, shiftOf(page)),
    pointTo: (plan, { roots }) =>
      (isSecond(plan) ? setField(plan, 'device', 'IOHGATP_PPN', roots.second) : setField(plan, pointOf(plan), 'FSC_PPN', roots.first)),
    wanted,
  })
  return [
    rootMoves,
    changed('a context is not valid any more', (plan) => tweakWay(plan, pointOf(plan), { fields: { V: 0 } })),
    // A question about what passes is answered with an address where nothing need be.
    ...(asked > 0 ? [] : [changed('a context passes everything', (plan) =>
      tweakWay(plan, pointOf(plan), { fields: isSecond(plan) ? { IOHGATP_MODE: 0, IOHGATP_PPN: 0n } : { FSC_MODE: 0 } }))]),
  ]
}

const SMALL = changesOfLeaf('a leaf')
const LARGE = changesOfLeaf('a large leaf')
const LARGE_LEVEL = 2
const PAGE_BYTES = 0x1000n

const planOf = (kind: StaleKind, extended: boolean, source: number, page: RiscvPage, pasid?: number): RiscvPlan => ({
  class: 'stale', source, extended, directory: 2, ...(kind === 'second' ? { second: 3 } : { first: 3 }), way: {}, pages: [page],
  ...(pasid === undefined ? {} : { pasid }),
})

const generate = (kind: StaleKind, extended: boolean) => (random: Random): StaleCase<RiscvPlan> => {
  const large = random.chance(25)
  const page = newPage(random, { levels: 3, secondStage: kind === 'second' }, large ? LARGE_LEVEL : 1)
  const pasid = kind === 'first' && random.chance(60) ? random.pick([1, 5, 200]) : undefined
  const plan = planOf(kind, extended, random.pick(SOURCES), page, pasid)
  // Beyond the first 4 KiB of a large page; questions with PASIDs are about pages.
  const offset = places.offset(random, shiftOf(page)) | (large ? PAGE_BYTES : 0n)
  const asked = pasid !== undefined && !large && random.chance(40) ? { pasid } : {}
  const access = random.pick(['read', 'write'] as const)
  const probe: Probe = { source: plan.source, ...asked, address: 'pasid' in asked ? page.iova : page.iova + offset, access }
  const change = random.pick([...(large ? LARGE : SMALL), ...contextChanges(kind, probe.pasid ?? 0)])
  const id = kind === 'second' ? 'GSCID' : 'PSCID'
  return caseOf(random, { plan, change, probe }, everyPage(kind, `the IOTLB of another ${id} is invalidated`, 1))
}

const goes = (changes: readonly Change<RiscvPlan>[]): Change<RiscvPlan> => changes.at(-1) as Change<RiscvPlan>

const onePageOnly = (kind: StaleKind, extended: boolean): StaleDeviation<RiscvPlan> => ({
  id: 'riscv-iotinval-one-page',
  says: 'IOTINVAL with an address in a leaf of more than 4 KiB: QEMU forgets 4 KiB of it; the specification has everything that came of the leaf forgotten',
  cases: (name) => LARGE.some((each) => name === `${each.name}; nothing is left out`),
  reproduce() {
    const page = { iova: 0x20_0000n, level: LARGE_LEVEL, target: riscv.data.start & ~0x1f_ffffn, entries: {} }
    const plan = planOf(kind, extended, SOURCES[0], page)
    return leavingOut(createRandom(1, 'reproduction'), {
      plan, change: goes(LARGE), probe: { source: plan.source, address: page.iova + 0x10_0000n, access: 'read' },
    })
  },
})

export const staleSubject = (kind: StaleKind, extended: boolean): StaleSubject<RiscvPlan> => ({
  generate: generate(kind, extended),
  submit,
  createAdversary: (model) => createRiscvAdversary(model as RiscvMachine),
  deviations: [onePageOnly(kind, extended)],
})
