// Plans the stores that turn one entry into another. Pure: from words and to words become ordered steps.
import { usedMask } from '@iommu/bits'
import type { Words } from '@iommu/bits'
import { pasidEntry } from '../tables/index.js'

/** A descriptor as its first two words; queues of 256-bit descriptors add two zero words. */
export type Descriptor = Words

/**
 * One step of a change. An `invalidate` step is one submission: its descriptors, then a wait that has completed
 * before the next step.
 */
export type PlanStep =
  | { readonly do: 'store'; readonly index: number; readonly value: bigint }
  | { readonly do: 'order' }
  | { readonly do: 'write-back' }
  | { readonly do: 'invalidate'; readonly descriptors: readonly Descriptor[] }
  | { readonly do: 'flush-write-buffer' }

/** What has to be flushed around a change of an entry; see invalidate.ts. */
export interface Flushes {
  /** After the entry stopped being present, before anything of it is used again: one submission per element. */
  readonly removed: readonly (readonly Descriptor[])[]
  /** After the entry became present. */
  readonly added: readonly (readonly Descriptor[])[]
  /** Stores that only add must be pushed out of the write buffer (CAP.RWBF). */
  readonly writeBuffer: boolean
}

/** Present, in word 0 of context entries and PASID entries alike. */
const [PRESENT] = usedMask(pasidEntry, ['P']) as [bigint]
/** Fault Processing Disable, in the same word of both: it speaks while the entry is not present. */
const [FAULTS_IGNORED] = usedMask(pasidEntry, ['FPD']) as [bigint]

/** Whether hardware takes the entry for present. */
export const isPresent = (words: readonly bigint[]): boolean => ((words[0] ?? 0n) & PRESENT) === PRESENT

const store = (index: number, value: bigint): PlanStep => ({ do: 'store', index, value })
const invalidations = (groups: Flushes['removed']): PlanStep[] =>
  groups.filter((descriptors) => descriptors.length > 0).map((descriptors) => ({ do: 'invalidate', descriptors }))

/**
 * The steps from `from` to `to`. A present entry is never replaced in place: hardware may fetch it in 16-byte
 * pieces, so first only P goes and every cache forgets the entry, then the rest is written, P last (Linux, `intel_pasid_tear_down_entry`).
 */
export const planEntry = (from: readonly bigint[], to: readonly bigint[], flushes: Flushes): PlanStep[] => {
  if (from.every((word, index) => word === to[index])) return []
  const steps: PlanStep[] = []
  const now = [...from]
  if (isPresent(from)) {
    // Silence that is wanted comes with the same store: a copy of the absent entry may be kept.
    now[0] = ((from[0] as bigint) & ~PRESENT) | (isPresent(to) ? 0n : (to[0] as bigint) & FAULTS_IGNORED)
    steps.push(store(0, now[0]), { do: 'order' }, { do: 'write-back' }, ...invalidations(flushes.removed))
  }
  const rest = to.flatMap((word, index) => (index > 0 && word !== now[index] ? [store(index, word)] : []))
  steps.push(...rest)
  if (isPresent(to)) {
    // P's word goes last: whoever sees P sees all the rest.
    steps.push({ do: 'order' }, store(0, to[0] as bigint), { do: 'write-back' })
    if (flushes.writeBuffer) steps.push({ do: 'flush-write-buffer' })
    steps.push(...invalidations(flushes.added))
    return steps
  }
  if (to[0] !== now[0]) steps.push(store(0, to[0] as bigint))
  if (rest.length > 0 || to[0] !== now[0]) steps.push({ do: 'write-back' })
  return steps
}
