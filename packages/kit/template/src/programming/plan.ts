// Plans the stores that turn one device entry into another. Pure: from words and to words become ordered steps.
import { usedMask } from '@iommu/bits'
import { deviceEntry } from '../tables/index.js'

export type Command = readonly [bigint, bigint]

/** One step of a change. An `invalidate` step is one submission: its commands, then a fence, complete before the next step. */
export type PlanStep =
  | { readonly do: 'store'; readonly index: number; readonly value: bigint }
  | { readonly do: 'order' }
  | { readonly do: 'invalidate'; readonly commands: readonly Command[] }

/** What has to be flushed around a change of an entry; see invalidate.ts. */
export interface Flushes {
  /** After the entry stopped being valid, before anything of it is used again: one submission per element. */
  readonly removed: readonly (readonly Command[])[]
}

/** The word that V is in, and V in it, as the layout says. */
const validity = usedMask(deviceEntry, ['V'])
const SWITCH = validity.findIndex((mask) => mask !== 0n)
const VALID = validity[SWITCH] as bigint
const isValid = (words: readonly bigint[]): boolean => ((words[SWITCH] as bigint) & VALID) !== 0n

const store = (index: number, value: bigint): PlanStep => ({ do: 'store', index, value })

/**
 * The steps from `from` to `to`. A valid entry is never replaced in place: first only V goes and every cache forgets the
 * entry, then the rest is written, V last.
 */
export const planEntry = (from: readonly bigint[], to: readonly bigint[], { removed }: Flushes): PlanStep[] => {
  if (from.every((word, index) => word === to[index])) return []
  const steps: PlanStep[] = []
  const now = [...from]
  if (isValid(from)) {
    now[SWITCH] = (from[SWITCH] as bigint) & ~VALID
    steps.push(store(SWITCH, now[SWITCH]), { do: 'order' })
    steps.push(...removed.filter((commands) => commands.length > 0).map((commands): PlanStep => ({ do: 'invalidate', commands })))
  }
  steps.push(...to.flatMap((word, index) => (index !== SWITCH && word !== now[index] ? [store(index, word)] : [])))
  // Whoever sees V sees all the rest.
  steps.push({ do: 'order' })
  if (to[SWITCH] !== now[SWITCH]) steps.push(store(SWITCH, to[SWITCH] as bigint), { do: 'order' })
  return steps
}
