// Plans the stores that turn one context into another. Pure: from words and to words become ordered steps.
import { decode, usedMask } from '@iommu/bits'
import type { Words } from '@iommu/bits'
import { baseDeviceContext, deviceContext, processContext } from '../tables/index.js'

export type Command = Words

/** One step of a change. An `invalidate` step is one submission: its commands, then a fence, complete before the next step. */
export type PlanStep =
  | { readonly do: 'store'; readonly index: number; readonly value: bigint }
  | { readonly do: 'order' }
  | { readonly do: 'invalidate'; readonly commands: readonly Command[] }

/** What has to be flushed around a change of a context; see invalidate.ts. */
export interface Flushes {
  /** Hardware forgets its copy of the context, and what it is about to read of it. */
  readonly context: readonly Command[]
  /** Once nothing is made of the old context any more: one submission per element. */
  readonly removed: readonly (readonly Command[])[]
}

/** Ones over the bits that hardware looks at, given what the others say. */
export type Used = (words: readonly bigint[]) => readonly bigint[]

/** V, in word 0 of device contexts and process contexts alike. */
const [VALID] = usedMask(processContext, ['V']) as [bigint]
const isValid = (words: readonly bigint[]): boolean => ((words[0] as bigint) & VALID) === VALID

/** An invalid context is its V bit. A stage that is bare has no root and no identifier. */
export const usedOfDevice: Used = (words) => {
  const layout = words.length === 4 ? baseDeviceContext : deviceContext
  if (!isValid(words)) return usedMask(layout, ['V'])
  const { IOHGATP_MODE, FSC_MODE, PDTV } = decode(baseDeviceContext, words.slice(0, 4))
  const control = [
    'V', 'EN_ATS', 'EN_PRI', 'T2GPA', 'DTF', 'PDTV', 'PRPR', 'GADE', 'SADE', 'DPE', 'SBE', 'SXL', 'RCID', 'MCID',
    'IOHGATP_MODE', 'FSC_MODE',
  ] as const
  const used = usedMask(baseDeviceContext, [
    ...control,
    ...(IOHGATP_MODE === 0 ? [] : ['IOHGATP_PPN', 'GSCID'] as const),
    ...(FSC_MODE === 0 ? [] : ['FSC_PPN'] as const),
    ...(FSC_MODE === 0 || PDTV === 1 ? [] : ['PSCID'] as const),
  ])
  return words.length === 4 ? used : [...used, ...usedMask(deviceContext).slice(4)]
}

export const usedOfProcess: Used = (words) => {
  if (!isValid(words)) return usedMask(processContext, ['V'])
  const { FSC_MODE } = decode(processContext, words)
  return usedMask(processContext, ['V', 'ENS', 'SUM', 'FSC_MODE', ...(FSC_MODE === 0 ? [] : ['FSC_PPN', 'PSCID'] as const)])
}

const store = (index: number, value: bigint): PlanStep => ({ do: 'store', index, value })
const invalidations = (groups: readonly (readonly Command[])[]): PlanStep[] =>
  groups.filter((commands) => commands.length > 0).map((commands) => ({ do: 'invalidate', commands }))

/** Stores of the words that differ, `last` after all the others. */
const stores = (now: readonly bigint[], to: readonly bigint[], last?: number): PlanStep[] =>
  to.flatMap((word, index) => (index !== last && word !== now[index] ? [store(index, word)] : []))

/**
 * The steps from `from` to `to`. Hardware reads eight bytes at a time, in any order, and keeps valid contexts only.
 *
 * 1. What the old context does not use takes its new value, and what has been begun to be read is drained.
 * 2. Where the two then differ in one word only, that word makes the switch: nothing is blocked in between. Otherwise
 *    V goes first, every cache forgets the context, the rest is written and drained, and V comes last.
 * 3. What only the old context used is cleared.
 */
export const planEntry = (from: readonly bigint[], to: readonly bigint[], { context, removed }: Flushes, used: Used): PlanStep[] => {
  if (from.every((word, index) => word === to[index])) return []
  if (!isValid(from) && !isValid(to)) return stores(from, to)
  const before = used(from)
  const after = used(to)
  const quiet = from.map((word, index) => {
    const kept = before[index] as bigint
    return (word & kept) | ((to[index] as bigint) & ~kept)
  })
  const telling = quiet.flatMap((word, index) => ((word ^ (to[index] as bigint)) & (after[index] as bigint)) === 0n ? [] : [index])
  const settle: PlanStep[] = [{ do: 'order' }, ...invalidations([context])]
  const left = isValid(from) ? [...settle, ...invalidations(removed)] : [{ do: 'order' } as const]

  if (telling.length > 1) {
    const invalid = from.with(0, (from[0] as bigint) & ~VALID)
    return [store(0, invalid[0] as bigint), ...left, ...stores(invalid, to, 0), ...settle, store(0, to[0] as bigint), { do: 'order' }]
  }
  const [word] = telling
  const first = stores(from, quiet, word)
  const steps: PlanStep[] = first.length === 0 ? [] : [...first, ...settle]
  if (word === undefined) return [...steps, ...stores(quiet, to), ...settle]
  // The word may hold bits that only the new context uses, and bits that only the old one did.
  const last = stores(quiet, to, word)
  steps.push(store(word, to[word] as bigint), ...left, ...last)
  if (last.length > 0 && isValid(to)) steps.push(...settle)
  return steps
}
