// Changes of VT-d tables that caches may not have noticed: one entry, and the invalidations that it wants but one.
import { encode } from '@iommu/bits'
import {
  contextCacheDescriptor, DESCRIPTOR_TYPES, GRANULARITY, iotlbDescriptor, PASID_CACHE_GRANULARITY, pasidCacheDescriptor,
  pasidIotlbDescriptor,
} from '@iommu/driver-intel-vtd/queues'
import { createVtdAdversary } from '@iommu/driver-intel-vtd/model'
import type { VtdMachine } from '@iommu/driver-intel-vtd/model'
import type { Random } from '../random.js'
import { setField } from '../plan.js'
import type { Page } from '../plan.js'
import { caseOf, leafChanges, rootChange } from '../stale-case.js'
import type { Change } from '../stale-case.js'
import type { StaleCase, StaleSubject } from '../subject.js'
import { newPage, places, shiftOf, SOURCES } from './generate.js'
import { submit } from './install.js'
import { build, DOMAIN_ID, FIRST_FRAME } from './plan.js'
import type { Built, VtdPlan } from './plan.js'

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

const leafChange = leafChanges<Page, VtdPlan>((plan) => build(plan).frames, (plan) => [['IOTLB', onePage(plan.mode, iovaOf(plan), 1)]])

const rootMoves = rootChange<Page, VtdPlan, Built>({
  name: 'an entry names other page tables',
  build,
  first: FIRST_FRAME,
  target: (_plan, page, random) => places.target(random, shiftOf(page)),
  pointTo: (plan, { tables }) => (plan.mode === 'legacy' ? setField(plan, 'context', 'SSPTPTR', tables)
    : setField(plan, 'pasid', plan.mode === 'first-stage' ? 'FSPTPTR' : 'SSPTPTR', tables)),
  wanted: (plan) => [
    plan.mode === 'legacy' ? ['context cache', contextCache(plan.source, DOMAIN_ID)] : ['PASID cache', pasidCache()],
    ['IOTLB', allPages(plan.mode, DOMAIN_ID)],
  ],
})

const changes: readonly Change<VtdPlan>[] = [
  leafChange('a leaf names another page', (_plan, random, { level }) => ({ target: places.target(random, shiftOf({ level })) })),
  leafChange('a leaf goes', ({ mode }, _random, { level, entries }) =>
    ({ entries: { ...entries, [level]: { fields: mode === 'first-stage' ? { P: 0 } : { R: 0, W: 0 } } } })),
  rootMoves,
]

const generate = (mode: Mode) => (random: Random): StaleCase<VtdPlan> => {
  const levels = mode === 'first-stage' ? 4 : random.pick([3, 4] as const)
  const page = newPage(random, levels, random.pick([1, 1, 2]))
  const plan: VtdPlan = { class: 'stale', source: random.pick(SOURCES), mode, levels, way: {}, pages: [page] }
  const address = page.iova + places.offset(random, shiftOf(page))
  const probe = { source: plan.source, address, access: random.pick(['read', 'write'] as const) }
  return caseOf(random, { plan, change: random.pick(changes), probe }, ['the IOTLB of another domain is invalidated', allPages(mode, DOMAIN_ID + 1)])
}

export const staleSubject = (mode: Mode): StaleSubject<VtdPlan> => ({
  generate: generate(mode),
  submit,
  createAdversary: (model) => createVtdAdversary(model as VtdMachine),
  deviations: [],
})
