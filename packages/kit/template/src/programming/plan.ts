// Plans the stores that turn one device entry into another. Pure: from words and to words become ordered steps.

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

/** V is bit 0 of word 0. */
const VALID = 1n
const isValid = (words: readonly bigint[]): boolean => ((words[0] as bigint) & VALID) === VALID

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
    now[0] = (from[0] as bigint) & ~VALID
    steps.push(store(0, now[0]), { do: 'order' })
    steps.push(...removed.filter((commands) => commands.length > 0).map((commands): PlanStep => ({ do: 'invalidate', commands })))
  }
  steps.push(...to.flatMap((word, index) => (index > 0 && word !== now[index] ? [store(index, word)] : [])))
  // Whoever sees V sees all the rest.
  steps.push({ do: 'order' })
  if (to[0] !== now[0]) steps.push(store(0, to[0] as bigint), { do: 'order' })
  return steps
}
