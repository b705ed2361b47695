// Changes of AMD tables that caches may not have noticed: one entry, and the invalidations that it wants but one.
import { encode } from '@iommu/bits'
import { createAmdAdversary } from '@iommu/driver-amd-vi/model'
import type { AmdMachine } from '@iommu/driver-amd-vi/model'
import { invalidateIommuPages, OPCODES } from '@iommu/driver-amd-vi/queues'
import type { Frames } from '../ground.js'
import { setField, tweakWay } from '../plan.js'
import type { Fields } from '../plan.js'
import { createRandom } from '../random.js'
import type { Random } from '../random.js'
import { caseOf, entryChange, leafChanges, leavingOut, rootChange } from '../stale-case.js'
import type { Change } from '../stale-case.js'
import type { StaleCase, StaleDeviation, StaleSubject } from '../subject.js'
import { onePage, probe } from './deviation-parts.js'
import { newPage, places, SOURCES } from './generate.js'
import { deviceEntry, submit } from './install.js'
import { build, DOMAIN_ID, FIRST_FRAME } from './plan.js'
import type { AmdPage, AmdPlan, Built } from './plan.js'

/** An address that stands for all of them, with S. */
const EVERY_ADDRESS = 0x7_ffff_ffff_ffffn << 12n

const pageAt = (ADDR: bigint): bigint[] =>
  encode(invalidateIommuPages, { Opcode: OPCODES.invalidateIommuPages, DomainID: DOMAIN_ID, ADDR })
export const allPages = (DomainID: number): bigint[] =>
  encode(invalidateIommuPages, { Opcode: OPCODES.invalidateIommuPages, DomainID, S: 1, PDE: 1, ADDR: EVERY_ADDRESS })

const iovaOf = ({ pages: [page] }: AmdPlan): bigint => page?.iova ?? 0n

const framesOf = (plan: AmdPlan): Frames => build(plan).frames

const leafChange = leafChanges<AmdPage, AmdPlan>(framesOf, (plan) => [['pages', pageAt(iovaOf(plan))]])

const leafMoves = leafChange('a leaf names another page', (_plan, random, { shift }) => ({ target: places.target(random, shift) }))

const leafGoes = leafChange('a leaf goes', (_plan, _random, { level, entries }) => ({ entries: { ...entries, [level]: { fields: { PR: 0 } } } }))

const wantedOfEntry: Change<AmdPlan>['wanted'] = ({ source }) => [['device table entry', deviceEntry(source)], ['pages', allPages(DOMAIN_ID)]]

const rootMoves = rootChange<AmdPage, AmdPlan, Built>({
  name: 'a device table entry names other tables',
  build,
  first: FIRST_FRAME,
  target: (_plan, { shift }, random) => places.target(random, shift),
  pointTo: (plan, { tables }) => setField(plan, 'device', 'HostPTRoot', tables),
  wanted: wantedOfEntry,
})

/** The device is blocked, or passes from now on. */
const entryChanges = (name: string, fields: Fields): Change<AmdPlan> =>
  entryChange(name, framesOf, (plan: AmdPlan) => tweakWay(plan, 'device', { fields }), wantedOfEntry)

const blocks = entryChanges('a device is blocked', { TV: 0, Mode: 0, HostPTRoot: 0n, IR: 0, IW: 0, DomainID: 0 })

const passes = entryChanges('a device passes', { Mode: 0, HostPTRoot: 0n })

const changes: readonly Change<AmdPlan>[] = [leafMoves, leafGoes, rootMoves, blocks, passes]

const generate = (random: Random): StaleCase<AmdPlan> => {
  const levels = random.pick([2, 3, 4, 6])
  const page = newPage(random, levels, random.pick([12, 12, 16, 21]))
  const plan: AmdPlan = { class: 'stale', source: random.pick(SOURCES), levels, way: {}, pages: [page] }
  const probe = { source: plan.source, address: page.iova + places.offset(random, page.shift), access: random.pick(['read', 'write'] as const) }
  return caseOf(random, { plan, change: random.pick(changes), probe }, ['the pages of another domain are invalidated', allPages(DOMAIN_ID + 1)])
}

const smallest = (change: Change<AmdPlan>, missing?: string, plan = onePage()): StaleCase<AmdPlan> =>
  leavingOut(createRandom(1, 'reproduction'), { plan, change, probe: probe('read', iovaOf(plan)) }, missing)

/** A page whose address is too wide for a device that passes. */
const widePage = (): AmdPlan => {
  const plan = onePage({ levels: 6 })
  return { ...plan, pages: plan.pages.map((page) => ({ ...page, iova: 1n << 60n })) }
}

const deviations: readonly StaleDeviation<AmdPlan>[] = [
  {
    id: 'amd-kept-by-device',
    says: 'a device that is blocked goes on by cached translations: QEMU looks them up by device before it looks at the device table entry; the specification has them by the domain that the entry names',
    cases: (name) => /^a device is blocked; .*pages/.test(name),
    reproduce: () => smallest(blocks, 'pages'),
  },
  {
    id: 'amd-kept-passing',
    says: 'a device that passes from now on goes on by cached translations, for the same reason, and by those of addresses that are too wide to pass; the specification blocks these',
    series: ['7.2'],
    cases: (name) => /^a device passes; .*pages/.test(name),
    reproduce: () => smallest(passes, 'pages', widePage()),
  },
  {
    id: 'amd-leaf-gone-ignored',
    says: 'a leaf whose PR is cleared, and nothing else: QEMU goes on by it, invalidated or not; see amd-leaf-present-ignored',
    series: ['7.2'],
    cases: (name) => name.startsWith(leafGoes.name),
    reproduce: () => smallest(leafGoes),
  },
]

export const staleSubject: StaleSubject<AmdPlan> = {
  generate,
  submit,
  createAdversary: (model) => createAmdAdversary(model as AmdMachine),
  deviations,
}
