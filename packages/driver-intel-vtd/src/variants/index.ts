// Variants: the driver with one member of its pure half exchanged, so that it breaks in one named way.
import { backends } from '../backends.js'
import { deviceTlb } from '../programming/invalidate.js'
import { programming } from '../programming/index.js'
import { adversaryVariants } from './adversary.js'
import { linuxVariants } from './linux.js'
import { flushes, LEGACY, plan, presentFirst, removedWithout, replacedInPlace, SCALABLE, variant } from './variant.js'
import type { VtdVariant } from './variant.js'

const named = (part: string): string[] => backends.map(({ backend }) => backend).filter((name) => name.includes(part))

const mutants: readonly VtdVariant[] = [
  variant('no-entry-cache-flush', 'the PASID cache is not invalidated when an entry goes',
    [
      'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-09', 'C-ATTACH-17', 'C-BLOCK-02', 'C-BLOCK-06', 'C-IDENT-05',
      'C-OWN-01', 'C-PASID-03', 'C-PASID-04', 'C-PASID-05', 'C-SVA-04', 'C-PASID-17', 'C-SVA-05', 'C-SVA-06',
      'C-TLB-02', 'C-FREE-01', 'C-FREE-03',
    ], SCALABLE, removedWithout(0)),
  variant('no-context-cache-flush', 'the context cache is not invalidated when an entry goes',
    [
      'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-09', 'C-ATTACH-17', 'C-BLOCK-02', 'C-BLOCK-06', 'C-IDENT-05',
      'C-OWN-01', 'C-REL-04', 'C-TLB-02', 'C-FREE-01', 'C-FREE-03',
    ], LEGACY, removedWithout(0)),
  variant('no-iotlb-flush', 'the IOTLB is not invalidated when an entry goes',
    [
      'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-09', 'C-ATTACH-17', 'C-BLOCK-06', 'C-PASID-03', 'C-PASID-04',
      'C-SVA-04', 'C-PASID-17', 'C-SVA-05', 'C-TLB-02', 'C-FREE-01',
    ], SCALABLE, removedWithout(1)),
  variant('no-iotlb-flush-legacy', 'the IOTLB is not invalidated when a context entry goes',
    ['C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-09', 'C-ATTACH-17', 'C-BLOCK-06', 'C-TLB-02', 'C-FREE-01'], LEGACY, removedWithout(1)),
  variant('iotlb-before-entry-cache', 'the IOTLB is invalidated before the PASID cache: a stale entry fills it again',
    ['C-ATTACH-06', 'C-PASID-03', 'C-ATTACH-05', 'C-PASID-17', 'C-SVA-05', 'C-TLB-02', 'C-FREE-01'], SCALABLE, flushes((whole) => ({ ...whole, removed: [1, 0, 2].flatMap((index) => (whole.removed[index] ? [whole.removed[index]] : [])) }))),
  variant('present-first', 'P is stored before the rest of the entry', [
    'C-ATTACH-06', 'C-PASID-03', 'C-ATTACH-05', 'C-PASID-17', 'C-TLB-02', 'C-FREE-01',
  ], SCALABLE, presentFirst),
  variant('replaced-in-place', 'a present entry is overwritten in place, and invalidated afterwards',
    ['C-ATTACH-06', 'C-PASID-03', 'C-ATTACH-05', 'C-PASID-17', 'C-TLB-02', 'C-FREE-01'], SCALABLE, replacedInPlace),
  variant('no-write-back', 'entries are not written back for a walker that does not snoop',
    [
      'C-ATTACH-05', 'C-ATTACH-04', 'C-ATTACH-06', 'C-ATTACH-10', 'C-ATTACH-11', 'C-ATTACH-12', 'C-ATTACH-17',
      'C-BLOCK-05', 'C-BLOCK-06', 'C-IDENT-01', 'C-IDENT-04', 'C-IDENT-05', 'C-OWN-01', 'C-OWN-04', 'C-ROLL-03',
      'C-REL-05', 'C-DEFER-01', 'C-RESV-01', 'C-RESV-02', 'C-RESV-03', 'C-RESET-01', 'C-RESET-04', 'C-PASID-03',
      'C-PASID-04', 'C-PASID-05', 'C-PASID-06', 'C-PASID-09', 'C-PASID-11', 'C-PASID-12', 'C-PASID-13', 'C-MAP-03',
      'C-MAP-05', 'C-MAP-07', 'C-MAP-08', 'C-MAP-09', 'C-UNMAP-01', 'C-UNMAP-02', 'C-I2P-01', 'C-TLB-01',
      'C-PASID-17', 'C-PASID-18', 'C-UNMAP-07', 'C-UNMAP-08', 'C-UNMAP-09', 'C-TLB-02', 'C-FREE-01', 'C-FREE-03',
      'C-PASID-08',
    ], named('does not snoop'), plan((steps) => steps.filter((step) => step.do !== 'write-back'))),
  variant('no-flush-after-set', 'in caching mode nothing is invalidated when an entry comes',
    ['C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-17', 'C-PASID-03', 'C-PASID-17', 'C-SVA-06', 'C-TLB-02'], named('caching mode'), flushes((whole) => ({ ...whole, added: [] }))),
  variant('identity-not-flushed', 'leaving identity invalidates no cached translation',
    [
      'C-IDENT-05', 'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-09', 'C-ATTACH-17', 'C-BLOCK-02', 'C-PASID-03',
      'C-PASID-04', 'C-SVA-04', 'C-PASID-17', 'C-SVA-05', 'C-SVA-06', 'C-TLB-02',
    ], SCALABLE, {
      flushPasid(facts, capabilities) {
        const whole = programming.flushPasid(facts, capabilities)
        return facts.old?.domainId === 1 ? { ...whole, removed: [] } : whole
      },
    }),
  variant('pasid-iotlb-kept', 'the IOTLB is not invalidated when a PASID\'s entry goes', [
    'C-FREE-01', 'C-PASID-17', 'C-PASID-03', 'C-PASID-04', 'C-SVA-04', 'C-SVA-05', 'C-TLB-02',
  ], SCALABLE, {
    flushPasid(facts, capabilities) {
      const whole = programming.flushPasid(facts, capabilities)
      return facts.pasid === 0 ? whole : { ...whole, removed: whole.removed.filter((_, index) => index !== 1) }
    },
  }),
  variant('context-kept', 'the context cache is not invalidated when a device is released', ['C-FREE-03', 'C-TLB-02'], SCALABLE, {
    flushScalableContext: (source, capabilities) => ({ ...programming.flushScalableContext(source, capabilities), removed: [] }),
  }),
  variant('device-tlb-kept', 'the device\'s own TLB is not invalidated when an entry goes', ['C-TLB-02'], SCALABLE, removedWithout(2)),
  variant('device-tlb-pages-kept', 'the device\'s own TLB is told of another page than the one unmapped', ['C-TLB-02'], SCALABLE, {
    flushDevicePages: (tlb, pasid, start, end) => programming.flushDevicePages(tlb, pasid, start ^ 0x100_0000n, end ^ 0x100_0000n),
  }),
  variant('tables-not-forgotten', 'flushes say that only leaves changed, although tables were freed',
    ['C-UNMAP-04', 'C-UNMAP-02', 'C-UNMAP-07', 'C-UNMAP-08', 'C-UNMAP-09', 'C-TLB-02', 'C-FREE-02'], SCALABLE, {
      flushPages: (tag, start, end, _leavesOnly, capabilities) => programming.flushPages(tag, start, end, true, capabilities),
    }),
  variant('first-page-only', 'an unmap flushes the first page of its range only',
    ['C-UNMAP-04', 'C-TLB-01', 'C-MAP-10', 'C-UNMAP-06'], SCALABLE, {
      flushPages: (tag, start, _end, leavesOnly, capabilities) => programming.flushPages(tag, start, start, leavesOnly, capabilities),
    }),
  variant('wrong-domain-flushed', 'an unmap flushes the domain with the next id',
    [
      'C-TLB-01', 'C-PASID-11', 'C-SVA-03', 'C-UNMAP-02', 'C-UNMAP-03', 'C-UNMAP-04', 'C-SVA-05', 'C-UNMAP-07',
      'C-UNMAP-08', 'C-UNMAP-09', 'C-TLB-02', 'C-FREE-02', 'C-MAP-10', 'C-UNMAP-06',
    ], SCALABLE, {
      flushPages: (tag, ...rest) => programming.flushPages({ ...tag, domainId: tag.domainId + 1 }, ...rest),
    }),
  variant('pasid-pages-not-flushed', 'an unmap flushes the requester id\'s translations, and no PASID\'s',
    ['C-PASID-11', 'C-SVA-03', 'C-SVA-05', 'C-UNMAP-07', 'C-UNMAP-08', 'C-UNMAP-09', 'C-TLB-02', 'C-FREE-02'], SCALABLE, {
      flushPages: (tag, ...rest) => (tag.pasid === undefined || tag.pasid === 0 ? programming.flushPages(tag, ...rest) : []),
    }),
  variant('device-tlb-always', 'every flush of pages goes to a device\'s TLB too, wherever the device is',
    ['C-RESET-04'], SCALABLE, {
      flushPages: (...args) => [...programming.flushPages(...args), deviceTlb({ source: 0x20, queueDepth: 0 }, 0)],
    }),
]

/** What adversarial mode alone can see, where the suite has nothing like it already. */
const momentary: readonly VtdVariant[] = adversaryVariants.flatMap(({ id, title, statements, stores, queue, cachingMode, createDriver }) =>
  (statements === undefined ? [] : [{
    id,
    title,
    breaks: statements,
    on: cachingMode === true ? ['scalable mode, caching mode'] : SCALABLE,
    adversary: { ...(stores === undefined ? {} : { stores }), ...(queue === undefined ? {} : { queue }) },
    createDriver,
  }]))

export const variants: readonly VtdVariant[] = [...mutants, ...momentary, ...linuxVariants]

export { adversaryVariants } from './adversary.js'
export type { AdversaryVariant } from './adversary.js'
export type { VtdVariant } from './variant.js'
