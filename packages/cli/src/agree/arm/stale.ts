// Changes of SMMU tables that caches may not have noticed: one entry, and the invalidations that it wants but one.
import { encode } from '@iommu/bits'
import { createSmmuAdversary } from '@iommu/driver-arm-smmuv3/model'
import type { SmmuMachine } from '@iommu/driver-arm-smmuv3/model'
import {
  cfgiCdCommand, cfgiSteCommand, OPCODES, tlbiNhAsidCommand, tlbiNhVaCommand, tlbiS12VmallCommand, tlbiS2IpaCommand,
} from '@iommu/driver-arm-smmuv3/queues'
import type { Frames } from '../ground.js'
import { setField, tweakWay } from '../plan.js'
import type { Page } from '../plan.js'
import type { Random } from '../random.js'
import { caseOf, entryChange, leafChanges, rootChange } from '../stale-case.js'
import type { Change, Wanted } from '../stale-case.js'
import type { StaleCase, StaleSubject } from '../subject.js'
import { BYPASS, newPage, places, SOURCES } from './generate.js'
import { submit } from './install.js'
import { ASID, build, FIRST_FRAME, shiftOf, VMID } from './plan.js'
import type { ArmPlan, Built } from './plan.js'

const streamEntry = (SID: number): Wanted => ['stream', encode(cfgiSteCommand, { Opcode: OPCODES.cfgiSte, SID, Leaf: 1 })]
const context = (SID: number): Wanted => ['context', encode(cfgiCdCommand, { Opcode: OPCODES.cfgiCd, SID, SSID: 0, Leaf: 1 })]

const onePage = ({ stage }: ArmPlan, Address: bigint): Wanted => ['TLB', stage === 1
  ? encode(tlbiNhVaCommand, { Opcode: OPCODES.tlbiNhVa, ASID, Address, Leaf: 1 })
  : encode(tlbiS2IpaCommand, { Opcode: OPCODES.tlbiS2Ipa, VMID, Address, Leaf: 1 })]

const everyPage = (stage: 1 | 2, name: string, more: number): Wanted => [name, stage === 1
  ? encode(tlbiNhAsidCommand, { Opcode: OPCODES.tlbiNhAsid, ASID: ASID + more })
  : encode(tlbiS12VmallCommand, { Opcode: OPCODES.tlbiS12Vmall, VMID: VMID + more })]

const framesOf = (plan: ArmPlan): Frames => build(plan).frames

const leafChange = leafChanges<Page, ArmPlan>(framesOf, (plan) => [onePage(plan, plan.pages[0]?.iova ?? 0n)])

const rootMoves = rootChange<Page, ArmPlan, Built>({
  name: 'an entry names other page tables',
  build,
  first: FIRST_FRAME,
  target: (plan, { level }, random) => places.target(random, shiftOf(plan, level)),
  pointTo: (plan, { tables }) => (plan.stage === 1 ? setField(plan, 'context', 'TTB0', tables) : setField(plan, 'stream', 'S2TTB', tables)),
  wanted: ({ stage, source }) => [stage === 1 ? context(source) : streamEntry(source), everyPage(stage, 'TLB', 0)],
})

const streamChanges = (name: string, Config: number): Change<ArmPlan> => entryChange(name, framesOf,
  (plan: ArmPlan) => tweakWay(plan, 'stream', { fields: { Config } }),
  ({ stage, source }) => [streamEntry(source), everyPage(stage, 'TLB', 0)])

const changes: readonly Change<ArmPlan>[] = [
  leafChange('a leaf names another page', (plan, random, { level }) => ({ target: places.target(random, shiftOf(plan, level)) })),
  leafChange('a leaf goes', (_plan, _random, { level, entries }) => ({ entries: { ...entries, [level]: { fields: { Valid: 0 } } } })),
  rootMoves,
  streamChanges('a stream is aborted', 0),
  streamChanges('a stream bypasses', BYPASS),
]

const SHAPES = [
  { granule: 12, inputBits: 39, levels: 3, upper: false }, { granule: 14, inputBits: 36, levels: 2, upper: false },
  { granule: 16, inputBits: 42, levels: 2, upper: false },
] as const

const generate = (stage: 1 | 2) => (random: Random): StaleCase<ArmPlan> => {
  const shape = random.pick(SHAPES)
  const page = newPage(random, shape, random.pick([1, 1, 2]))
  const offset = places.offset(random, shiftOf(shape, page.level))
  const plan: ArmPlan = { class: 'stale', source: random.pick(SOURCES), stage, ...shape, way: {}, pages: [page] }
  const probe = { source: plan.source, address: page.iova + offset, access: random.pick(['read', 'write'] as const) }
  return caseOf(random, { plan, change: random.pick(changes), probe }, everyPage(stage, `the TLB of another ${stage === 1 ? 'ASID' : 'VMID'} is invalidated`, 1))
}

export const staleSubject = (stage: 1 | 2): StaleSubject<ArmPlan> => ({
  generate: generate(stage),
  submit,
  createAdversary: (model) => createSmmuAdversary(model as SmmuMachine),
  deviations: [],
})
