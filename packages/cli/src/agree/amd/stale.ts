// Changes of AMD tables that caches may not have noticed: one entry, and the invalidations that it wants but one.
import { encode } from '@iommu/bits'
import { createAmdAdversary } from '@iommu/driver-amd-vi/model'
import type { AmdMachine } from '@iommu/driver-amd-vi/model'
import { invalidateIommuPages, OPCODES } from '@iommu/driver-amd-vi/tables'
import { differences, tweakWay, withPage } from '../plan.js'
import type { Random } from '../random.js'
import { caseOf } from '../stale-case.js'
import type { Change } from '../stale-case.js'
import type { StaleCase, StaleSubject } from '../subject.js'
import { staleDeviations } from './deviations.js'
import { newPage, places, SOURCES } from './generate.js'
import { deviceEntry, submit } from './install.js'
import { build, DOMAIN_ID, FIRST_FRAME } from './plan.js'
import type { AmdPage, AmdPlan } from './plan.js'

/** An address that stands for all of them, with S. */
const EVERY_ADDRESS = 0x7_ffff_ffff_ffffn << 12n

const onePage = (ADDR: bigint): bigint[] =>
  encode(invalidateIommuPages, { Opcode: OPCODES.invalidateIommuPages, DomainID: DOMAIN_ID, ADDR })
const allPages = (DomainID: number): bigint[] =>
  encode(invalidateIommuPages, { Opcode: OPCODES.invalidateIommuPages, DomainID, S: 1, PDE: 1, ADDR: EVERY_ADDRESS })

const iovaOf = ({ pages: [page] }: AmdPlan): bigint => page?.iova ?? 0n
const withLeaf = (plan: AmdPlan, change: (page: AmdPage) => Partial<AmdPage>): AmdPlan =>
  withPage<AmdPage, AmdPlan>(plan, 0, (page) => ({ ...page, ...change(page) }))

const leafMoves: Change<AmdPlan> = {
  name: 'a leaf names another page',
  make: (random, plan) => ({
    spare: new Map(),
    stores: differences(build(plan).frames, build(withLeaf(plan, ({ shift }) => ({ target: places.target(random, shift) }))).frames),
  }),
  wanted: (plan) => [['pages', onePage(iovaOf(plan))]],
}

const leafGoes: Change<AmdPlan> = {
  name: 'a leaf goes',
  make: (_random, plan) => ({
    spare: new Map(),
    stores: differences(build(plan).frames, build(withLeaf(plan, ({ level, entries }) =>
      ({ entries: { ...entries, [level]: { fields: { PR: 0 } } } }))).frames),
  }),
  wanted: (plan) => [['pages', onePage(iovaOf(plan))]],
}

/** The device table entry names other tables. */
const rootMoves: Change<AmdPlan> = {
  name: 'a device table entry names other tables',
  make(random, plan) {
    const here = build(plan)
    const pages = plan.pages.map((page) => ({ ...page, target: places.target(random, page.shift) }))
    const other = build({ ...plan, pages }, FIRST_FRAME + here.frames.size)
    const moved = build(tweakWay(plan, 'device', { fields: { HostPTRoot: other.tables } }))
    return { spare: other.frames, stores: differences(here.frames, moved.frames) }
  },
  wanted: ({ source }) => [['device table entry', deviceEntry(source)], ['pages', allPages(DOMAIN_ID)]],
}

/** The device is blocked, or passes from now on. */
const entryChanges = (name: string, fields: Readonly<Record<string, number | bigint>>): Change<AmdPlan> => ({
  name,
  make: (_random, plan) => ({ spare: new Map(), stores: differences(build(plan).frames, build(tweakWay(plan, 'device', { fields })).frames) }),
  wanted: ({ source }) => [['device table entry', deviceEntry(source)], ['pages', allPages(DOMAIN_ID)]],
})

const changes: readonly Change<AmdPlan>[] = [
  leafMoves, leafGoes, rootMoves,
  entryChanges('a device is blocked', { TV: 0, Mode: 0, HostPTRoot: 0n, IR: 0, IW: 0, DomainID: 0 }),
  entryChanges('a device passes', { Mode: 0, HostPTRoot: 0n }),
]

const generate = (random: Random): StaleCase<AmdPlan> => {
  const levels = random.pick([2, 3, 4, 6])
  const page = newPage(random, levels, random.pick([12, 12, 16, 21]))
  const plan: AmdPlan = { class: 'stale', source: random.pick(SOURCES), levels, way: {}, pages: [page] }
  const probe = { source: plan.source, address: page.iova + places.offset(random, page.shift), access: random.pick(['read', 'write'] as const) }
  return caseOf(random, plan, random.pick(changes), probe, ['the pages of another domain are invalidated', allPages(DOMAIN_ID + 1)])
}

export const staleSubject: StaleSubject<AmdPlan> = {
  generate,
  submit,
  createAdversary: (model) => createAmdAdversary(model as AmdMachine),
  deviations: staleDeviations,
}
