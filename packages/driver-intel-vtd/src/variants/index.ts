// Variants: the driver with one member of its pure half exchanged, so that it breaks in one named way.
import type { IommuOps } from '@iommu/core'
import type { TestMachine } from '@iommu/hardware'
import { backends, driverOver } from '../backends.js'
import { deviceTlb } from '../programming/invalidate.js'
import { programming } from '../programming/index.js'
import type { Programming } from '../programming/index.js'
import type { Flushes, PlanStep } from '../programming/plan.js'

/** The shape that @iommu/conformance takes. */
export interface VtdVariant {
  readonly id: string
  readonly title: string
  /** The first statement must fail; none outside of the list may. */
  readonly breaks: readonly string[]
  readonly on: readonly string[]
  createDriver(machines: readonly TestMachine[], setup: { readonly warn: (sentence: string) => void }): IommuOps
}

const named = (part: string): string[] => backends.map(({ backend }) => backend).filter((name) => name.includes(part))
const SCALABLE = ['scalable mode']
const LEGACY = ['legacy mode']

/** Physical width of a modelled machine; only models are broken on purpose. */
const hostAddressBits = (machine: TestMachine | undefined): number =>
  (machine as (TestMachine & { readonly profile?: { readonly hostAddressBits: number } }) | undefined)?.profile?.hostAddressBits ?? 46

const variant = (
  id: string, title: string, breaks: readonly string[], on: readonly string[], change: Partial<Programming>,
): VtdVariant => ({
  id,
  title,
  breaks,
  on,
  createDriver: (machines, { warn }) =>
    driverOver(machines, warn, hostAddressBits(machines[0]), { programming: { ...programming, ...change } }),
})

/** The submissions around a change, changed. */
const flushes = (change: (whole: Flushes) => Flushes): Partial<Programming> => ({
  flushContext: (facts, capabilities) => change(programming.flushContext(facts, capabilities)),
  flushPasid: (facts, capabilities) => change(programming.flushPasid(facts, capabilities)),
})

const removedWithout = (index: number): Partial<Programming> =>
  flushes((whole) => ({ ...whole, removed: whole.removed.filter((_, each) => each !== index) }))

/** The stores of a plan in another order, or fewer of them. */
const plan = (change: (steps: readonly PlanStep[], from: readonly bigint[], to: readonly bigint[]) => PlanStep[]): Partial<Programming> => ({
  planEntry: (from, to, whole) => change(programming.planEntry(from, to, whole), from, to),
})

const present = (words: readonly bigint[]): boolean => ((words[0] ?? 0n) & 1n) === 1n

export const variants: readonly VtdVariant[] = [
  variant('no-entry-cache-flush', 'the PASID cache is not invalidated when an entry goes',
    [
      'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-09', 'C-ATTACH-17', 'C-BLOCK-02', 'C-BLOCK-06', 'C-IDENT-05',
      'C-OWN-01', 'C-PASID-03', 'C-PASID-04', 'C-PASID-05', 'C-SVA-04',
    ], SCALABLE, removedWithout(0)),
  variant('no-context-cache-flush', 'the context cache is not invalidated when an entry goes',
    [
      'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-09', 'C-ATTACH-17', 'C-BLOCK-02', 'C-BLOCK-06', 'C-IDENT-05',
      'C-OWN-01', 'C-REL-04',
    ], LEGACY, removedWithout(0)),
  variant('no-iotlb-flush', 'the IOTLB is not invalidated when an entry goes',
    [
      'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-09', 'C-ATTACH-17', 'C-BLOCK-06', 'C-PASID-03', 'C-PASID-04',
      'C-SVA-04',
    ], SCALABLE, removedWithout(1)),
  variant('no-iotlb-flush-legacy', 'the IOTLB is not invalidated when a context entry goes',
    ['C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-09', 'C-ATTACH-17', 'C-BLOCK-06'], LEGACY, removedWithout(1)),
  variant('iotlb-before-entry-cache', 'the IOTLB is invalidated before the PASID cache: a stale entry fills it again',
    ['C-ATTACH-06', 'C-PASID-03'], SCALABLE, flushes((whole) => ({ ...whole, removed: [1, 0, 2].flatMap((index) => (whole.removed[index] ? [whole.removed[index]] : [])) }))),
  variant('present-first', 'P is stored before the rest of the entry',
    ['C-ATTACH-06', 'C-PASID-03'], SCALABLE, plan((steps, from, to) => {
      if (!present(to) || steps.length === 0) return [...steps]
      const last = steps.findLastIndex((step) => step.do === 'store' && step.index === 0)
      const first = present(from) ? steps.findIndex((step) => step.do === 'store' && step.index > 0) : 0
      const moved = steps[last] as PlanStep
      return [...steps.slice(0, Math.max(first, 0)), moved, ...steps.slice(Math.max(first, 0), last), ...steps.slice(last + 1)]
    })),
  variant('replaced-in-place', 'a present entry is overwritten in place, and invalidated afterwards',
    ['C-ATTACH-06', 'C-PASID-03'], SCALABLE, {
      planEntry(from, to, whole) {
        if (!present(from) || !present(to)) return programming.planEntry(from, to, whole)
        const stores = to.flatMap((value, index): PlanStep[] => (value === from[index] ? [] : [{ do: 'store', index, value }]))
        return [
          ...stores, { do: 'order' }, { do: 'write-back' },
          ...whole.removed.filter((each) => each.length > 0).map((descriptors): PlanStep => ({ do: 'invalidate', descriptors })),
        ]
      },
    }),
  variant('no-write-back', 'entries are not written back for a walker that does not snoop',
    [
      'C-ATTACH-05', 'C-ATTACH-04', 'C-ATTACH-06', 'C-ATTACH-10', 'C-ATTACH-11', 'C-ATTACH-12', 'C-ATTACH-17',
      'C-BLOCK-05', 'C-BLOCK-06', 'C-IDENT-01', 'C-IDENT-04', 'C-IDENT-05', 'C-OWN-01', 'C-OWN-04', 'C-ROLL-03',
      'C-REL-05', 'C-DEFER-01', 'C-RESV-01', 'C-RESV-02', 'C-RESV-03', 'C-RESET-01', 'C-RESET-04', 'C-PASID-03',
      'C-PASID-04', 'C-PASID-05', 'C-PASID-06', 'C-PASID-09', 'C-PASID-11', 'C-PASID-12', 'C-PASID-13', 'C-MAP-03',
      'C-MAP-05', 'C-MAP-07', 'C-MAP-08', 'C-MAP-09', 'C-UNMAP-01', 'C-UNMAP-02', 'C-I2P-01', 'C-TLB-01',
    ], named('does not snoop'), plan((steps) => steps.filter((step) => step.do !== 'write-back'))),
  variant('no-flush-after-set', 'in caching mode nothing is invalidated when an entry comes',
    ['C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-17', 'C-PASID-03'], named('caching mode'), flushes((whole) => ({ ...whole, added: [] }))),
  variant('identity-not-flushed', 'leaving identity invalidates no cached translation',
    [
      'C-IDENT-05', 'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-09', 'C-ATTACH-17', 'C-BLOCK-02', 'C-PASID-03',
      'C-PASID-04', 'C-SVA-04',
    ], SCALABLE, {
      flushPasid(facts, capabilities) {
        const whole = programming.flushPasid(facts, capabilities)
        return facts.old?.domainId === 1 ? { ...whole, removed: [] } : whole
      },
    }),
  variant('tables-not-forgotten', 'flushes say that only leaves changed, although tables were freed',
    ['C-UNMAP-04', 'C-UNMAP-02'], SCALABLE, {
      flushPages: (tag, start, end, _leavesOnly, capabilities) => programming.flushPages(tag, start, end, true, capabilities),
    }),
  variant('first-page-only', 'an unmap flushes the first page of its range only',
    ['C-UNMAP-04', 'C-TLB-01'], SCALABLE, {
      flushPages: (tag, start, _end, leavesOnly, capabilities) => programming.flushPages(tag, start, start, leavesOnly, capabilities),
    }),
  variant('wrong-domain-flushed', 'an unmap flushes the domain with the next id',
    ['C-TLB-01', 'C-PASID-11', 'C-SVA-03', 'C-UNMAP-02', 'C-UNMAP-03', 'C-UNMAP-04'], SCALABLE, {
      flushPages: (tag, ...rest) => programming.flushPages({ ...tag, domainId: tag.domainId + 1 }, ...rest),
    }),
  variant('pasid-pages-not-flushed', 'an unmap flushes the requester id\'s translations, and no PASID\'s',
    ['C-PASID-11', 'C-SVA-03'], SCALABLE, {
      flushPages: (tag, ...rest) => (tag.pasid === undefined || tag.pasid === 0 ? programming.flushPages(tag, ...rest) : []),
    }),
  variant('device-tlb-always', 'every flush of pages goes to a device\'s TLB too, wherever the device is',
    ['C-RESET-04'], SCALABLE, {
      flushPages: (...args) => [...programming.flushPages(...args), deviceTlb({ source: 0x20, queueDepth: 0 }, 0)],
    }),
]

export { adversaryVariants } from './adversary.js'
export type { AdversaryVariant } from './adversary.js'
