// Changes of VT-d tables that caches may not have noticed: one entry, and the invalidations that it wants but one.
import { encode } from '@iommu/bits'
import {
  contextCacheDescriptor, DESCRIPTOR_TYPES, GRANULARITY, iotlbDescriptor, PASID_CACHE_GRANULARITY, pasidCacheDescriptor,
  pasidIotlbDescriptor,
} from '@iommu/driver-intel-vtd/queues'
import { contextEntry, pasidEntry } from '@iommu/driver-intel-vtd/tables'
import { createVtdAdversary } from '@iommu/driver-intel-vtd/model'
import type { VtdMachine } from '@iommu/driver-intel-vtd/model'
import type { Random } from '../random.js'
import { withPage } from '../plan.js'
import type { Page } from '../plan.js'
import { caseOf, entryChange } from '../stale-case.js'
import type { Change } from '../stale-case.js'
import type { StaleCase, StaleSubject } from '../subject.js'
import { newPage, places, shiftOf, SOURCES } from './generate.js'
import { submit } from './install.js'
import { build, DOMAIN_ID, FIRST_FRAME } from './plan.js'
import type { VtdPlan } from './plan.js'

type Mode = VtdPlan['mode']

const contextCache = (source: number, domainId: number): bigint[] => encode(contextCacheDescriptor, {
  Type: DESCRIPTOR_TYPES.contextCache, G: GRANULARITY.device, SID: source, DID: domainId,
})
const pasidCache = (): bigint[] => encode(pasidCacheDescriptor, {
  Type: DESCRIPTOR_TYPES.pasidCache, G: PASID_CACHE_GRANULARITY.pasid, DID: DOMAIN_ID, PASID: 0,
})
const allPages = (mode: Mode, DID: number): bigint[] => (mode === 'first-stage'
  ? encode(pasidIotlbDescriptor, { Type: DESCRIPTOR_TYPES.pasidIotlb, G: GRANULARITY.pasid, DID, PASID: 0 })
  : encode(iotlbDescriptor, { Type: DESCRIPTOR_TYPES.iotlb, G: GRANULARITY.domain, DID }))
const onePage = (mode: Mode, ADDR: bigint, IH: number): bigint[] => (mode === 'first-stage'
  ? encode(pasidIotlbDescriptor, { Type: DESCRIPTOR_TYPES.pasidIotlb, G: GRANULARITY.page, DID: DOMAIN_ID, PASID: 0, AM: 0, IH, ADDR })
  : encode(iotlbDescriptor, { Type: DESCRIPTOR_TYPES.iotlb, G: GRANULARITY.page, DID: DOMAIN_ID, AM: 0, IH, ADDR }))

const iovaOf = ({ pages: [page] }: VtdPlan): bigint => page?.iova ?? 0n

/** One leaf is another from now on. */
const leafChange = (name: string, change: (plan: VtdPlan, random: Random, page: Page) => Partial<Page>): Change<VtdPlan> => entryChange(
  name, (plan) => build(plan).frames,
  (plan: VtdPlan, random) => withPage<Page, VtdPlan>(plan, 0, (page) => ({ ...page, ...change(plan, random, page) })),
  (plan) => [['IOTLB', onePage(plan.mode, iovaOf(plan), 1)]])

/** The entry that points to the page tables names others. */
const rootMoves: Change<VtdPlan> = {
  name: 'an entry names other page tables',
  make(random, plan) {
    const here = build(plan)
    const pages = plan.pages.map((page) => ({ ...page, target: places.target(random, Number(shiftOf(page.level))) }))
    const other = build({ ...plan, pages }, FIRST_FRAME + here.frames.size)
    const [layout, field] = plan.mode === 'legacy' ? [contextEntry, 'SSPTPTR'] as const
      : [pasidEntry, plan.mode === 'first-stage' ? 'FSPTPTR' : 'SSPTPTR'] as const
    const [low] = layout.fields[field as 'SSPTPTR'].runs[0]?.slice(1) as [number]
    const at = here.entry + BigInt((low >> 6) * 8)
    const frame = here.frames.get(Number(at >> 12n)) as BigUint64Array
    const before = frame[Number(at & 0xfffn) / 8] as bigint
    return { spare: other.frames, stores: [[at, before - here.tables + other.tables]] }
  },
  wanted: (plan) => [
    plan.mode === 'legacy' ? ['context cache', contextCache(plan.source, DOMAIN_ID)] : ['PASID cache', pasidCache()],
    ['IOTLB', allPages(plan.mode, DOMAIN_ID)],
  ],
}

const changes: readonly Change<VtdPlan>[] = [
  leafChange('a leaf names another page', (_plan, random, { level }) => ({ target: places.target(random, Number(shiftOf(level))) })),
  leafChange('a leaf goes', ({ mode }, _random, { level, entries }) =>
    ({ entries: { ...entries, [level]: { fields: mode === 'first-stage' ? { P: 0 } : { R: 0, W: 0 } } } })),
  rootMoves,
]

const generate = (mode: Mode) => (random: Random): StaleCase<VtdPlan> => {
  const levels = mode === 'first-stage' ? 4 : random.pick([3, 4] as const)
  const page = newPage(random, levels, random.pick([1, 1, 2]))
  const plan: VtdPlan = { class: 'stale', source: random.pick(SOURCES), mode, levels, way: {}, pages: [page] }
  const address = page.iova + places.offset(random, Number(shiftOf(page.level)))
  const probe = { source: plan.source, address, access: random.pick(['read', 'write'] as const) }
  return caseOf(random, { plan, change: random.pick(changes), probe }, ['the IOTLB of another domain is invalidated', allPages(mode, DOMAIN_ID + 1)])
}

export const staleSubject = (mode: Mode): StaleSubject<VtdPlan> => ({
  generate: generate(mode),
  submit,
  createAdversary: (model) => createVtdAdversary(model as VtdMachine),
  deviations: [],
})
