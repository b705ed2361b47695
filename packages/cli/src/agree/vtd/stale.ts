// Changes of VT-d tables that caches may not have noticed: one entry, and the invalidations that it wants but one.
import { encode } from '@iommu/bits'
import {
  contextCacheDescriptor, contextEntry, DESCRIPTOR_TYPES, GRANULARITY, iotlbDescriptor, PASID_CACHE_GRANULARITY, pasidCacheDescriptor,
  pasidEntry, pasidIotlbDescriptor,
} from '@iommu/driver-intel-vtd/tables'
import { createVtdAdversary } from '@iommu/driver-intel-vtd/model'
import type { VtdMachine } from '@iommu/driver-intel-vtd/model'
import type { Random } from '../random.js'
import type { StaleCase, StaleSubject } from '../subject.js'
import { newPage, offsetIn, SOURCES, targetOf } from './generate.js'
import { submit } from './install.js'
import { build, DOMAIN_ID, FIRST_FRAME } from './plan.js'
import type { Page, VtdPlan } from './plan.js'

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

/** A command that a change wants, with its name. */
type Wanted = readonly [name: string, command: bigint[]]

/** Words that differ between two builds of the same shape. */
const differences = (before: ReadonlyMap<number, BigUint64Array>, after: ReadonlyMap<number, BigUint64Array>): (readonly [bigint, bigint])[] =>
  [...before].flatMap(([frame, words]) => [...words].flatMap((word, index) => {
    const now = after.get(frame)?.[index] ?? word
    return now === word ? [] : [[(BigInt(frame) << 12n) + BigInt(index * 8), now] as const]
  }))

const withFirst = (plan: VtdPlan, change: (page: Page) => Page): VtdPlan =>
  ({ ...plan, pages: plan.pages.map((page, at) => (at === 0 ? change(page) : page)) })

interface Change {
  readonly name: string
  make(random: Random, plan: VtdPlan): Pick<StaleCase<VtdPlan>, 'spare' | 'stores'>
  /** Everything that has to be forgotten. */
  wanted(plan: VtdPlan): readonly Wanted[]
}

const iovaOf = ({ pages: [page] }: VtdPlan): bigint => page?.iova ?? 0n

const leafMoves: Change = {
  name: 'a leaf names another page',
  make: (random, plan) => ({
    spare: new Map(),
    stores: differences(build(plan).frames, build(withFirst(plan, (page) => ({ ...page, target: targetOf(random, page.level) }))).frames),
  }),
  wanted: (plan) => [['IOTLB', onePage(plan.mode, iovaOf(plan), 1)]],
}

const leafGoes: Change = {
  name: 'a leaf goes',
  make: (_random, plan) => ({
    spare: new Map(),
    stores: differences(build(plan).frames, build(withFirst(plan, (page) => ({
      ...page, entries: { ...page.entries, [page.level]: { fields: plan.mode === 'first-stage' ? { P: 0 } : { R: 0, W: 0 } } },
    }))).frames),
  }),
  wanted: (plan) => [['IOTLB', onePage(plan.mode, iovaOf(plan), 1)]],
}

/** The entry that points to the page tables names others. */
const rootMoves: Change = {
  name: 'an entry names other page tables',
  make(random, plan) {
    const here = build(plan)
    const pages = plan.pages.map((page) => ({ ...page, target: targetOf(random, page.level) }))
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

const changes: readonly Change[] = [leafMoves, leafGoes, rootMoves]

const generate = (mode: Mode) => (random: Random): StaleCase<VtdPlan> => {
  const levels = mode === 'first-stage' ? 4 : random.pick([3, 4] as const)
  const page = newPage(random, levels, random.pick([1, 1, 2]))
  const plan: VtdPlan = { class: 'stale', source: random.pick(SOURCES), mode, levels, way: {}, pages: [page] }
  const change = random.pick(changes)
  const wanted = change.wanted(plan)
  const left = random.below(wanted.length + 2)
  const otherDomain = left === wanted.length + 1
  const sent: readonly Wanted[] = otherDomain
    ? [...wanted.slice(0, -1), ['IOTLB of another domain', allPages(mode, DOMAIN_ID + 1)]]
    : wanted.filter((_, index) => index !== left)
  const without = wanted[left]?.[0]
  const missing = otherDomain ? 'the IOTLB of another domain is invalidated' : without === undefined ? 'nothing is left out' : `${without} left out`
  return {
    plan,
    name: `${change.name}; ${missing}`,
    probe: { source: plan.source, address: page.iova + offsetIn(random, page), access: random.pick(['read', 'write'] as const) },
    ...change.make(random, plan),
    commands: sent.map(([, command]) => command),
  }
}

export const staleSubject = (mode: Mode): StaleSubject<VtdPlan> => ({
  generate: generate(mode),
  submit,
  createAdversary: (model) => createVtdAdversary(model as VtdMachine),
})
