// Variants: the driver with one member of its pure half exchanged, so that it breaks in one named way.
import { decode, encode } from '@iommu/bits'
import { IommuError } from '@iommu/core'
import type { IommuOps } from '@iommu/core'
import type { ModelVariant, TestMachine } from '@iommu/hardware'
import { driverOver } from '../backends.js'
import { guestMode, IDENTITY_DOMAIN_ID } from '../domains/words.js'
import { flushDevicePages } from '../programming/invalidate.js'
import { programming } from '../programming/index.js'
import type { Programming } from '../programming/index.js'
import type { Flushes, PlanStep } from '../programming/plan.js'
import { deviceTableEntry, invalidateIommuPages, platformWords } from '../tables/index.js'
import { historicEntries } from './history.js'
import { alterSetters, hintsBeforeAsking, livePasids, setAgainWithoutTlb, silenceIsTimeout, triedWhileAttached } from './ops.js'

export type AmdVariant = ModelVariant<IommuOps>

type Facts = Pick<AmdVariant, 'id' | 'title' | 'breaks'> & Partial<Pick<AmdVariant, 'on' | 'adversary' | 'profile'>>

const PASIDS = ['guest tables of 4 levels']
const DEPTHS = ['guest and host tables']
const HOST = ['host tables']

type Alter = (ops: IommuOps, machines: readonly TestMachine[]) => IommuOps

const variant = (facts: Facts, change: Partial<Programming>, alter: Alter = (ops) => ops): AmdVariant => ({
  on: PASIDS,
  ...facts,
  createDriver: (machines, { warn }) => alter(driverOver(machines, warn, { programming: { ...programming, ...change } }), machines),
})

/** The flushes of a device table entry, changed. */
const entryFlushes = (change: (whole: Flushes) => Flushes): Partial<Programming> =>
  ({ flushEntry: (facts) => change(programming.flushEntry(facts)) })
const slotFlushes = (change: (whole: Flushes) => Flushes): Partial<Programming> =>
  ({ flushSlot: (facts) => change(programming.flushSlot(facts)) })
const without = (index: number) => (whole: Flushes): Flushes =>
  ({ ...whole, behind: whole.behind.map((each, at) => (at === index ? [] : each)) })

/** The stores of a plan in another order, or in smaller pieces. */
const plan = (change: (steps: readonly PlanStep[], from: readonly bigint[], to: readonly bigint[]) => readonly PlanStep[]): Partial<Programming> => ({
  planEntry: (from, to, flushes) => [...change(programming.planEntry(from, to, flushes), from, to)],
})

const inPieces = (order: (pieces: PlanStep[]) => PlanStep[]) => (steps: readonly PlanStep[]): PlanStep[] =>
  steps.flatMap((step): PlanStep[] => (step.do !== 'store' || step.values[1] === undefined ? [step] : order([
    { ...step, values: [step.values[0]] }, { ...step, index: step.index + 1, values: [step.values[1]] },
  ])))

/** The two halves in the other order, where both are stored and neither is an abort in between. */
const halvesExchanged = (steps: readonly PlanStep[]): readonly PlanStep[] => {
  const stores = steps.flatMap((step, at) => (step.do === 'store' ? [at] : []))
  const [first, second] = stores
  if (first === undefined || second === undefined || stores.length > 2) return steps
  return steps.map((step, at) => (at === first ? steps[second] as PlanStep : at === second ? steps[first] as PlanStep : step))
}

/** Linux clears the whole lower half where GuestPagingMode changes under GV, and V with it. */
const passesInBetween = (steps: readonly PlanStep[], from: readonly bigint[], to: readonly bigint[]): readonly PlanStep[] => {
  const [old, next] = [guestMode(from), guestMode(to)]
  if (old === undefined || next === undefined || old === next) return steps
  const first = steps.findIndex((step) => step.do === 'store' && step.index === 0)
  return steps.map((step, at): PlanStep => (at === first ? { do: 'store', index: 0, values: [0n, 0n] } : step))
}

/** A blocked device has IW and no table for a moment before it has its domain, as where erratum 63 is seen to first. */
const writesPassInBetween = (steps: readonly PlanStep[], from: readonly bigint[], to: readonly bigint[]): readonly PlanStep[] => {
  if (decode(deviceTableEntry, from).TV === 1 || decode(deviceTableEntry, to).TV === 0) return steps
  const [low, high] = encode(deviceTableEntry, { V: 1, TV: 1, IW: 1 }, platformWords(from)) as [bigint, bigint]
  return [{ do: 'store', index: 0, values: [low, high] }, ...steps]
}

/** Another entry for a blocked device. */
const blockedAs = (words: (current: readonly bigint[]) => bigint[]): Partial<Programming> => ({
  entryWords: (state, facts, current) => (state.kind === 'blocked' ? words(current) : programming.entryWords(state, facts, current)),
})
const historic = (id: string): ReturnType<typeof blockedAs> => {
  const found = historicEntries.find((each) => each.id === id)
  if (found === undefined) throw new RangeError(`there is no historic entry ${id}`)
  return blockedAs((current) => found.words(current))
}

const linux = (does: string, source: string): NonNullable<AmdVariant['profile']> => ({ name: 'linux-7.3', does, source })

/** As Linux detaches: every switch of the requester id takes the PASIDs' table away, and the book-keeping above does not know. */
const detachTakesPasids = (ops: IommuOps): IommuOps => {
  const live = livePasids()
  return alterSetters(ops, (domain) => ({
    attachDev(device, old) {
      for (const pasid of live.of(device)) ops.blockedDomain?.setDevPasid?.(device, pasid, undefined)
      domain.attachDev?.(device, old)
    },
    ...(domain.setDevPasid === undefined ? {} : {
      setDevPasid(device, pasid, old) {
        domain.setDevPasid?.(device, pasid, old)
        live.set(device, pasid, domain)
      },
    }),
  }))
}

/** As Linux sets a PASID: from nothing only, and blocked counts as something. */
const pasidsFromNothing = (ops: IommuOps): IommuOps => alterSetters(ops, (domain) => ({
  ...(domain.attachDev === undefined ? {} : { attachDev: (device, old) => domain.attachDev?.(device, old) }),
  ...(domain.setDevPasid === undefined ? {} : {
    setDevPasid(device, pasid, old) {
      if (domain.kind !== 'blocked' && old !== undefined) throw new IommuError('EOPNOTSUPP', 'a PASID is not replaced', { pasid })
      domain.setDevPasid?.(device, pasid, old)
    },
  }),
}))

export const variants: readonly AmdVariant[] = [
  variant({ id: 'no-entry-flush', title: 'the device table entry is not invalidated when it changes', breaks: [
    'C-ATTACH-05', 'C-ATTACH-18', 'C-ATTACH-06', 'C-ATTACH-17', 'C-BLOCK-06', 'C-IDENT-05', 'C-OWN-01', 'C-REL-04', 'C-TLB-02',
    'C-FREE-01', 'C-FREE-03',
  ], on: HOST },
    entryFlushes((whole) => ({ ...whole, entry: [] }))),
  variant({ id: 'no-pages-flush', title: 'cached translations are not invalidated when an entry changes', breaks: [
    'C-FREE-01', 'C-ATTACH-18', 'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-09', 'C-ATTACH-17', 'C-BLOCK-06', 'C-TLB-02',
  ], on: HOST },
    entryFlushes(without(0))),
  variant({ id: 'pages-before-entry', title: 'cached translations are invalidated before the entry: the stale one fills them again', breaks: ['C-FREE-01', 'C-ATTACH-18', 'C-ATTACH-05', 'C-ATTACH-06', 'C-TLB-02'], on: HOST },
    entryFlushes(({ entry, behind: [pages = [], ...rest] }) => ({ entry: pages, behind: [entry, ...rest] }))),
  variant({ id: 'one-wait', title: 'one wait for the entry and its pages, on hardware that does not order the two', breaks: ['C-FREE-01', 'C-ATTACH-18', 'C-ATTACH-05', 'C-ATTACH-06', 'C-TLB-02'], on: HOST },
    entryFlushes(({ entry, behind: [pages = [], ...rest] }) => ({ entry: [...entry, ...pages], behind: rest }))),
  variant({ id: 'no-slot-flush', title: 'a changed GCR3 entry is not invalidated', breaks: [
    'C-PASID-03', 'C-ATTACH-18', 'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-09', 'C-ATTACH-17', 'C-BLOCK-02', 'C-BLOCK-06',
    'C-OWN-01', 'C-REL-04', 'C-PASID-05', 'C-PASID-17', 'C-SVA-04', 'C-SVA-05', 'C-TLB-02', 'C-FREE-01',
  ] },
    slotFlushes((whole) => ({ ...whole, entry: [] }))),
  variant({ id: 'slot-leaves-only', title: 'a changed GCR3 entry is invalidated as if only leaves had changed', breaks: [
    'C-PASID-03', 'C-ATTACH-18', 'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-09', 'C-ATTACH-17', 'C-BLOCK-02', 'C-BLOCK-06',
    'C-OWN-01', 'C-REL-04', 'C-PASID-04', 'C-PASID-05', 'C-PASID-17', 'C-SVA-04', 'C-SVA-05', 'C-TLB-02',
    'C-FREE-01',
  ] },
    slotFlushes((whole) => ({ ...whole, entry: whole.entry.map((words) => encode(invalidateIommuPages, { PDE: 0 }, words)) }))),
  variant({ id: 'two-stores', title: 'the lower half is stored as two words, the first one first', breaks: ['C-ATTACH-06', 'C-ATTACH-18', 'C-TLB-02', 'C-FREE-01'], on: HOST },
    plan(inPieces((pieces) => pieces))),
  variant({ id: 'two-stores-descending', title: 'the lower half is stored as two words, the second one first', breaks: ['C-ATTACH-06', 'C-ATTACH-18', 'C-ATTACH-05', 'C-TLB-02', 'C-FREE-01', 'C-FREE-03'], on: HOST },
    plan(inPieces((pieces) => pieces.reverse()))),
  variant({ id: 'halves-exchanged', title: 'the two halves of an entry are stored in the other order', breaks: ['C-ATTACH-06', 'C-ATTACH-18', 'C-ATTACH-05', 'C-TLB-02'], on: DEPTHS }, plan(halvesExchanged)),
  variant({
    id: 'passes-in-between', title: 'where guest tables change their depth the device passes through for a moment', breaks: ['C-ATTACH-06', 'C-ATTACH-18', 'C-TLB-02', 'C-FREE-03'], on: DEPTHS,
    profile: linux('clears V too while GuestPagingMode changes, so that DMA passes untranslated for that moment', 'drivers/iommu/amd/iommu.c update_dte256, 7.3.4'),
  }, plan(passesInBetween)),
  variant({ id: 'writes-pass-in-between', title: 'a blocked device gets IW before it gets a table: for a moment its writes pass, and its reads do not', breaks: ['C-ATTACH-06', 'C-ATTACH-18', 'C-TLB-02'], on: HOST },
    plan(writesPassInBetween)),
  variant({ id: 'tried-while-attached', title: 'a domain is tried with a page for writes, which is there when it is attached and gone behind that', breaks: ['C-ATTACH-06', 'C-ATTACH-10', 'C-ATTACH-18', 'C-ROLL-05', 'C-TLB-02'], on: HOST },
    {}, triedWhileAttached),
  variant({ id: 'silence-is-timeout', title: 'a device whose TLB does not answer is ETIMEDOUT', breaks: ['C-ATTACH-08'] }, {}, silenceIsTimeout),
  variant({ id: 'set-again-without-tlb', title: 'a device whose TLB does not answer gets the domain without it, and the attach fails all the same', breaks: ['C-ATTACH-09'] },
    {}, setAgainWithoutTlb),
  variant({ id: 'hints-before-asking', title: 'an entry is stored to, 4 bytes of it, before the domain is asked whether it fits', breaks: ['C-ATTACH-10'], on: HOST },
    {}, hintsBeforeAsking),
  variant({ id: 'blocked-not-valid', title: 'blocked is an entry that is all zero: DMA passes', breaks: [
    'C-BLOCK-11', 'C-DRV-02', 'C-DRV-04', 'C-ATTACH-04', 'C-ATTACH-05', 'C-ATTACH-07', 'C-ATTACH-09',
    'C-ATTACH-10', 'C-ATTACH-17', 'C-BLOCK-01', 'C-BLOCK-02', 'C-BLOCK-03', 'C-BLOCK-04', 'C-BLOCK-06',
    'C-IDENT-05', 'C-OWN-01', 'C-OWN-04', 'C-ROLL-02', 'C-REL-01', 'C-REL-04', 'C-RESET-01', 'C-TLB-02',
  ], on: HOST },
    blockedAs((current) => current.map(() => 0n))),
  variant({
    id: 'blocked-without-room', title: 'blocked is V alone, whatever PASIDs are alive', breaks: ['C-BLOCK-05', 'C-PASID-18', 'C-SVA-03', 'C-SVA-04', 'C-TLB-02'],
    profile: linux('blocks with V alone, which aborts requests with PASID too', 'drivers/iommu/amd/iommu.c clear_dte_entry, 7.3.4'),
  }, historic('blocked-7.3')),
  variant({
    id: 'blocked-2022', title: 'blocked is V and TV with Mode 0 and no permission, whatever PASIDs are alive', breaks: ['C-BLOCK-05', 'C-PASID-18', 'C-SVA-03', 'C-SVA-04', 'C-TLB-02'],
  }, historic('detached-2022')),
  variant({
    id: 'blocked-erratum-63', title: 'blocked gets IW: writes pass through', breaks: [
    'C-BLOCK-02', 'C-DRV-02', 'C-BLOCK-03', 'C-BLOCK-04', 'C-BLOCK-11', 'C-OWN-01', 'C-ROLL-02', 'C-REL-01',
    'C-REL-04', 'C-RESET-01',
    'C-ATTACH-04', 'C-ATTACH-05', 'C-ATTACH-07', 'C-ATTACH-10', 'C-ATTACH-17', 'C-BLOCK-06', 'C-IDENT-05', 'C-OWN-04',
  ], on: HOST,
  }, historic('detached-2022-erratum-63')),
  variant({
    id: 'detach-takes-pasids', title: 'every switch of the requester id blocks its PASIDs', breaks: ['C-PASID-12', 'C-BLOCK-05'],
    profile: linux('detaches before it attaches, which gives the GCR3 table back and with it every PASID', 'drivers/iommu/amd/iommu.c detach_device, 7.3.4'),
  }, {}, detachTakesPasids),
  variant({
    id: 'pasids-from-nothing', title: 'a PASID is set from nothing only, and after a reset it does not come back', breaks: [
    'C-RESET-01', 'C-PASID-03', 'C-PASID-09', 'C-PASID-17', 'C-PASID-18', 'C-TLB-02', 'C-FREE-01',
    'C-PASID-08', 'C-PASID-10',
  ],
    profile: linux('refuses to set a PASID that has a domain, and counts blocked as one', 'drivers/iommu/amd/pasid.c iommu_sva_set_dev_pasid, 7.3.4'),
  }, {}, pasidsFromNothing),
  variant({ id: 'identity-not-flushed', title: 'leaving identity invalidates no entry', breaks: [
    'C-IDENT-05', 'C-ATTACH-18', 'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-17', 'C-BLOCK-02', 'C-TLB-02', 'C-FREE-03',
  ], on: HOST }, {
    flushEntry: (facts) => (facts.old?.domainId === IDENTITY_DOMAIN_ID ? { entry: [], behind: [] } : programming.flushEntry(facts)),
  }),
  variant({ id: 'entry-kept-at-release', title: 'the entry is not invalidated when a device without a domain is released', breaks: [
    'C-FREE-03', 'C-ATTACH-18', 'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-17', 'C-TLB-02', 'C-FREE-01',
  ] },
    { flushEntry: (facts) => (facts.old === undefined ? { entry: [], behind: [] } : programming.flushEntry(facts)) }),
  variant({ id: 'device-tlb-kept', title: 'the device\'s own TLB is not invalidated when an entry changes', breaks: ['C-TLB-02'] }, {
    ...entryFlushes(without(1)), ...slotFlushes(without(0)),
  }),
  variant({ id: 'device-tlb-pages-kept', title: 'the device\'s own TLB is told of another page than the one unmapped', breaks: ['C-TLB-02'] }, {
    flushDevicePages: (tlb, pasid, range) => programming.flushDevicePages(tlb, pasid,
      range && { start: range.start ^ 0x100_0000n, end: range.end ^ 0x100_0000n }),
  }),
  variant({ id: 'tables-not-forgotten', title: 'flushes say that only leaves changed, although tables were freed', breaks: [
    'C-UNMAP-04', 'C-UNMAP-02', 'C-UNMAP-07', 'C-UNMAP-08', 'C-UNMAP-09', 'C-TLB-02', 'C-FREE-02',
  ] }, {
    flushPages: (tag, start, end) => programming.flushPages(tag, start, end, true),
  }),
  variant({ id: 'first-page-only', title: 'an unmap flushes the first page of its range only', breaks: ['C-UNMAP-04', 'C-TLB-01', 'C-MAP-10', 'C-UNMAP-06'] }, {
    flushPages: (tag, start, _end, leavesOnly) => programming.flushPages(tag, start, start, leavesOnly),
  }),
  variant({ id: 'wrong-domain-flushed', title: 'an unmap flushes the domain with the next id', breaks: [
    'C-TLB-01', 'C-PASID-11', 'C-SVA-03', 'C-SVA-05', 'C-UNMAP-02', 'C-UNMAP-03', 'C-UNMAP-04', 'C-UNMAP-07',
    'C-UNMAP-08', 'C-UNMAP-09', 'C-TLB-02', 'C-FREE-02', 'C-MAP-10', 'C-UNMAP-06',
  ] }, {
    flushPages: (tag, ...rest) => programming.flushPages({ ...tag, domainId: tag.domainId + 1 }, ...rest),
  }),
  variant({ id: 'pasid-pages-not-flushed', title: 'an unmap flushes the requester id\'s translations, and no PASID\'s', breaks: [
    'C-PASID-11', 'C-SVA-03', 'C-SVA-05', 'C-UNMAP-07', 'C-UNMAP-08', 'C-UNMAP-09', 'C-TLB-02', 'C-FREE-02',
  ] }, {
    flushPages: (tag, ...rest) => (tag.pasid === undefined || tag.pasid === 0 ? programming.flushPages(tag, ...rest) : []),
  }),
  variant({ id: 'guest-flushed-as-host', title: 'guest tables are flushed without their PASID', breaks: [
    'C-PASID-11', 'C-SVA-03', 'C-SVA-05', 'C-UNMAP-02', 'C-UNMAP-03', 'C-UNMAP-04', 'C-UNMAP-07', 'C-UNMAP-08', 'C-UNMAP-09',
    'C-TLB-01', 'C-TLB-02', 'C-FREE-02', 'C-MAP-10', 'C-UNMAP-06',
  ] }, {
    flushPages: ({ domainId }, ...rest) => programming.flushPages({ domainId }, ...rest),
  }),
  variant({ id: 'device-tlb-always', title: 'every flush of pages goes to a device\'s TLB too, wherever the device is', breaks: ['C-RESET-04'] }, {
    flushPages: (...args) => [...programming.flushPages(...args), flushDevicePages({ source: 0x20, queueDepth: 0 }, 0)],
  }),
  variant({ id: 'no-flush-after-set', title: 'a GCR3 entry that comes is not invalidated, where absent ones are cached', breaks: ['C-PASID-03', 'C-ATTACH-18', 'C-ATTACH-05', 'C-PASID-17', 'C-PASID-18', 'C-TLB-02', 'C-ATTACH-17'], on: ['guest and host tables, absent entries cached'] }, {
    planSlot: (from, to, whole) => programming.planSlot(from, to, from[0] === 0n ? { entry: [], behind: [] } : whole),
  }),
]

export { historicEntries } from './history.js'
export type { HistoricEntry } from './history.js'
