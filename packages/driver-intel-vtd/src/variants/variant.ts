// What variants are made with: the driver with members of its pure half exchanged, and ways to change a plan or its flushes.
import type { IommuOps } from '@iommu/core'
import type { ModelVariant, TestMachine } from '@iommu/hardware'
import { driverOver } from '../backends.js'
import { programming } from '../programming/index.js'
import type { Programming } from '../programming/index.js'
import type { Flushes, PlanStep } from '../programming/plan.js'

export type VtdVariant = ModelVariant<IommuOps>

export const SCALABLE = ['scalable mode']
export const LEGACY = ['legacy mode']

/** Physical width of a modelled machine; only models are broken on purpose. */
export const hostAddressBits = (machine: TestMachine | undefined): number =>
  (machine as (TestMachine & { readonly profile?: { readonly hostAddressBits: number } }) | undefined)?.profile?.hostAddressBits ?? 46

export const variant = (
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
export const flushes = (change: (whole: Flushes) => Flushes): Partial<Programming> => ({
  flushContext: (facts, capabilities) => change(programming.flushContext(facts, capabilities)),
  flushPasid: (facts, capabilities) => change(programming.flushPasid(facts, capabilities)),
})

/** The submissions when an entry goes, changed: 0 its own cache, 1 the IOTLB, 2 device TLBs. */
export const removed = (change: (groups: Flushes['removed']) => Flushes['removed']): Partial<Programming> =>
  flushes((whole) => ({ ...whole, removed: change(whole.removed) }))

export const removedWithout = (index: number): Partial<Programming> =>
  removed((groups) => groups.filter((_, each) => each !== index))

/** The stores of a plan in another order, or fewer of them. */
export const plan = (change: (steps: readonly PlanStep[], from: readonly bigint[], to: readonly bigint[]) => PlanStep[]): Partial<Programming> => ({
  planEntry: (from, to, whole) => change(programming.planEntry(from, to, whole), from, to),
})

export const present = (words: readonly bigint[]): boolean => ((words[0] ?? 0n) & 1n) === 1n

export const invalidate = (groups: Flushes['removed']): PlanStep[] =>
  groups.filter((each) => each.length > 0).map((descriptors) => ({ do: 'invalidate', descriptors }))

/** P is stored before the rest of the entry. */
export const presentFirst = plan((steps, from, to) => {
  if (!present(to) || steps.length === 0) return [...steps]
  const last = steps.findLastIndex((step) => step.do === 'store' && step.index === 0)
  const start = Math.max(0, present(from) ? steps.findIndex((step) => step.do === 'store' && step.index > 0) : 0)
  return [...steps.slice(0, start), steps[last] as PlanStep, ...steps.slice(start, last), ...steps.slice(last + 1)]
})

/** All words of a present entry go to zero before anything is invalidated. */
export const zeroedAtOnce: Partial<Programming> = {
  planEntry(from, to, whole) {
    if (!present(from)) return programming.planEntry(from, to, whole)
    const zero = from.map(() => 0n)
    const stores = from.flatMap((value, index): PlanStep[] => (value === 0n ? [] : [{ do: 'store', index, value: 0n }]))
    return [...stores, { do: 'order' }, { do: 'write-back' }, ...invalidate(whole.removed), ...programming.planEntry(zero, to, whole)]
  },
}

/** A present entry that stays present is overwritten where it is, and invalidated afterwards. */
export const replacedInPlace: Partial<Programming> = {
  planEntry(from, to, whole) {
    if (!present(from) || !present(to)) return programming.planEntry(from, to, whole)
    const stores = to.flatMap((value, index): PlanStep[] => (value === from[index] ? [] : [{ do: 'store', index, value }]))
    return [...stores, { do: 'order' }, { do: 'write-back' }, ...invalidate(whole.removed)]
  },
}
