// Variants: the driver with one member of its pure half exchanged, so that it breaks in one named way.
import type { IommuOps } from '@iommu/core'
import type { ModelVariant } from '@iommu/hardware'
import { backends, driverOver } from '../backends.js'
import { programming } from '../programming/index.js'
import type { Programming } from '../programming/index.js'
import type { Flushes, PlanStep } from '../programming/plan.js'

export type RiscvVariant = ModelVariant<IommuOps>

/** Few formats make a suite that is soon run. */
const PASIDS = ['Sv39']
const NO_PASIDS = ['no PASIDs, base contexts, Sv39 and Sv39x4']

const variant = (
  id: string, title: string, breaks: readonly string[], on: readonly string[], change: Partial<Programming>,
): RiscvVariant => ({
  id,
  title,
  breaks,
  on: on.filter((each) => backends.some(({ backend }) => backend === each)),
  createDriver: (machines, { warn }) => driverOver(machines, warn, { programming: { ...programming, ...change } }),
})

/** The flushes around a change, changed. */
const flushes = (change: (whole: Flushes) => Flushes): Partial<Programming> => ({
  flushDevice: (...args) => change(programming.flushDevice(...args)),
  flushProcess: (...args) => change(programming.flushProcess(...args)),
})

const valid = (words: readonly bigint[]): boolean => ((words[0] ?? 0n) & 1n) === 1n

/** The stores of a plan in another order, or fewer of them. */
const plan = (change: (steps: readonly PlanStep[], from: readonly bigint[], to: readonly bigint[]) => PlanStep[]): Partial<Programming> => ({
  planEntry: (from, to, ...rest) => change(programming.planEntry(from, to, ...rest), from, to),
})

const inPlace: Partial<Programming> = {
  planEntry(from, to, whole, used) {
    if (!valid(from) || !valid(to)) return programming.planEntry(from, to, whole, used)
    const stores = to.flatMap((value, index): PlanStep[] => (value === from[index] ? [] : [{ do: 'store', index, value }]))
    return [...stores, { do: 'order' }, ...[whole.context, ...whole.removed].map((commands): PlanStep => ({ do: 'invalidate', commands }))]
  },
}

const validFirst = plan((steps, from, to) => {
  if (!valid(to) || valid(from)) return [...steps]
  const last = steps.findLastIndex((step) => step.do === 'store' && step.index === 0)
  return [steps[last] as PlanStep, ...steps.slice(0, last), ...steps.slice(last + 1)]
})

export const variants: readonly RiscvVariant[] = [
  variant('no-context-flush', 'hardware is not told to forget a process context that goes', [
      'C-FREE-03', 'C-ATTACH-05', 'C-ATTACH-08', 'C-ATTACH-09', 'C-ATTACH-17', 'C-ATTACH-18', 'C-BLOCK-02',
      'C-BLOCK-06', 'C-IDENT-05', 'C-OWN-01', 'C-REL-04', 'C-PASID-03', 'C-PASID-05', 'C-PASID-17', 'C-SVA-04',
      'C-SVA-05', 'C-TLB-02', 'C-FREE-01', 'C-ATTACH-06',
    ], PASIDS, flushes((whole) => ({ ...whole, context: [] }))),
  variant('no-device-context-flush', 'hardware is not told to forget a device context that goes', [
      'C-IDENT-05', 'C-ATTACH-05', 'C-ATTACH-08', 'C-ATTACH-09', 'C-ATTACH-17', 'C-ATTACH-18', 'C-BLOCK-02',
      'C-BLOCK-06', 'C-ATTACH-06', 'C-OWN-01', 'C-REL-04', 'C-TLB-02', 'C-FREE-01', 'C-FREE-03',
    ], NO_PASIDS, flushes((whole) => ({ ...whole, context: [] }))),
  variant('wrong-identifier-flushed', 'before an identifier is given back the next one is flushed', [
      'C-FREE-01', 'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-17', 'C-ATTACH-18', 'C-BLOCK-06', 'C-PASID-03',
      'C-PASID-04', 'C-PASID-17', 'C-SVA-04', 'C-SVA-05', 'C-UNMAP-05', 'C-UNMAP-07', 'C-UNMAP-08', 'C-UNMAP-09', 'C-TLB-02',
      'C-FREE-02',
    ], PASIDS, {
    flushTag: (tag) => programming.flushTag({ ...tag, id: tag.id + 1 }),
  }),
  variant('valid-first', 'V is stored before the rest of the context', ['C-ATTACH-06', 'C-ATTACH-18', 'C-TLB-02', 'C-FREE-01'], NO_PASIDS, validFirst),
  variant('replaced-in-place', 'a valid context is overwritten in place, and forgotten afterwards', [
      'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-18', 'C-TLB-02', 'C-FREE-01',
    ], NO_PASIDS, inPlace),
  variant('pages-of-next-identifier', 'an unmap flushes the domain with the next identifier', [
      'C-TLB-01', 'C-PASID-11', 'C-SVA-03', 'C-SVA-05', 'C-UNMAP-02', 'C-UNMAP-03', 'C-UNMAP-04', 'C-UNMAP-07',
      'C-UNMAP-08', 'C-UNMAP-09', 'C-TLB-02', 'C-FREE-02', 'C-MAP-10', 'C-UNMAP-06',
    ], PASIDS, {
    flushPages: (tag, ...rest) => programming.flushPages({ ...tag, id: tag.id + 1 }, ...rest),
  }),
  variant('tables-not-forgotten', 'flushes name leaves only, although tables were freed', ['C-FREE-02', 'C-UNMAP-07', 'C-UNMAP-08', 'C-UNMAP-09', 'C-TLB-02'], PASIDS, {
    flushPages: (tag, start, end, stride, _leavesOnly, capabilities) => programming.flushPages(tag, start, end, stride, true, capabilities),
  }),
  variant('first-page-only', 'an unmap flushes the first page of its range only', ['C-TLB-01', 'C-MAP-10', 'C-UNMAP-06'], PASIDS, {
    flushPages: (tag, start, _end, ...rest) => programming.flushPages(tag, start, start, ...rest),
  }),
  variant('stride-of-large-pages', 'an unmap of small pages flushes one in 512', ['C-TLB-01', 'C-MAP-10', 'C-UNMAP-06'], PASIDS, {
    flushPages: (tag, start, end, _stride, ...rest) => programming.flushPages(tag, start, end, 0x20_0000n, ...rest),
  }),
  variant('device-tlb-not-told', 'a device is not told of pages that are unmapped', ['C-TLB-02'], PASIDS, {
    flushDeviceTlb: (source, pasid) => programming.flushDeviceTlb(source, pasid, { start: 0x7000_0000_0000n, end: 0x7000_0000_0fffn }),
  }),
  variant('device-tlb-keeps-old-domain', 'a device is not told that its context changed', ['C-TLB-02'], PASIDS, flushes((whole) => ({ ...whole, removed: [] }))),
  variant('device-tlb-always', 'every flush of pages goes to a device\'s TLB too, wherever the device is', ['C-RESET-04'], PASIDS, {
    flushPages: (...args) => [...programming.flushPages(...args), programming.flushDeviceTlb(0x20, 0)],
  }),
]
