// Plans a change: from the words that an entry has to the words that it is to have. Pure.
import { decode, encode } from '@iommu/bits'
import type { Words } from '@iommu/bits'
import { deviceTableEntry, platformWords } from '../tables/index.js'

/** A command as the buffer takes it. */
export type Command = Words

/**
 * One step of a change. A store of two values is one indivisible 16-byte store, of one value an 8-byte store; `index`
 * counts 64-bit words of the entry. An `invalidate` step is one submission: its commands, then a COMPLETION_WAIT that
 * has completed before the next step.
 */
export type PlanStep =
  | { readonly do: 'store'; readonly index: number; readonly values: readonly [bigint] | readonly [bigint, bigint] }
  | { readonly do: 'order' }
  | { readonly do: 'invalidate'; readonly commands: readonly Command[] }

/** What has to be flushed around a change of an entry; see invalidate.ts. */
export interface Flushes {
  /** So that hardware forgets the entry itself, wherever that is needed on the way. */
  readonly entry: readonly Command[]
  /** Behind the change, one submission per element. */
  readonly behind: readonly (readonly Command[])[]
}

type Half = 0 | 2

const half = (words: Words, index: Half): readonly [bigint, bigint] => [words[index] as bigint, words[index + 1] as bigint]
const differs = (from: Words, to: Words, index: Half): boolean =>
  from[index] !== to[index] || from[index + 1] !== to[index + 1]
const invalidate = (commands: readonly Command[]): PlanStep[] => (commands.length === 0 ? [] : [{ do: 'invalidate', commands }])

/** Whether hardware takes GuestPagingMode, and all that belongs to guest tables, from an entry. */
export const usesGuestTables = (words: Words): boolean => {
  const { V, TV, GV } = decode(deviceTableEntry, words)
  return V === 1 && TV === 1 && GV === 1
}

/** V alone aborts all DMA. V=0 would let it pass, so that is not what an entry is on its way. */
const aborting = (words: Words): Words => encode(deviceTableEntry, { V: 1 }, platformWords(words))

/**
 * The steps of a device table entry. Hardware reads it as a whole, software stores a half at a time. The lower half
 * has all of DMA's fields but GuestPagingMode, so that a change of it alone is seen whole or not at all. The upper
 * half goes first where the old entry does not use GuestPagingMode, last where the new one does not, and where both do
 * the device is aborted in between (Linux, `update_dte256`, which lets it pass for that moment).
 */
export const planEntry = (from: Words, to: Words, { entry, behind }: Flushes): PlanStep[] => {
  const store = (index: Half, words: Words): PlanStep => ({ do: 'store', index, values: half(words, index) })
  const [lower, upper] = [differs(from, to, 0), differs(from, to, 2)]
  if (!lower && !upper) return []
  const remain = [...invalidate(entry), ...behind.flatMap(invalidate)]
  const lows = lower ? [store(0, to)] : []
  if (!upper) return [{ do: 'order' }, ...lows, ...remain]
  if (!usesGuestTables(from)) return [{ do: 'order' }, store(2, to), { do: 'order' }, ...lows, ...remain]
  if (!usesGuestTables(to)) return [{ do: 'order' }, ...lows, { do: 'order' }, store(2, to), ...remain]
  return [
    store(0, aborting(from)), ...invalidate(entry),
    store(2, to), { do: 'order' }, store(0, to), ...remain,
  ]
}

/** The steps of an entry of 8 bytes (a GCR3 table's): it is replaced where it is, and seen as one or the other. */
export const planSlot = (from: Words, to: Words, { entry, behind }: Flushes): PlanStep[] =>
  (from[0] === to[0] ? [] : [
    { do: 'order' }, { do: 'store', index: 0, values: [to[0] as bigint] },
    ...invalidate(entry), ...behind.flatMap(invalidate),
  ])
