// Plans the stores that turn one entry into another. Pure: from words and to words become ordered steps.
//
// Hardware fetches an entry in 64-bit words, each at a moment of its own (IHI0070 3.21.3), so an entry may be seen half
// way only where no bit differs that the half-way entry makes hardware use:
//
//   1. words that hardware does not use now take their new value        ─▶ sync
//   2. one word, the critical one, changes everything at once           ─▶ sync
//   3. words that hardware uses no more take their new value            ─▶ sync
//
// Where two words would have to change at once, the entry is made invalid meanwhile.
import { decode, decodeField, encode, usedMask } from '@iommu/bits'
import type { Entry, Words } from '@iommu/bits'
import { contextDescriptor, streamEntry } from '../tables/index.js'

/** A command as its two words. */
export type Command = Words

/** One step of a change. An `invalidate` step is one submission: its commands, then a SYNC that has completed. */
export type PlanStep =
  | { readonly do: 'store'; readonly index: number; readonly value: bigint }
  | { readonly do: 'order' }
  | { readonly do: 'write-back' }
  | { readonly do: 'invalidate'; readonly commands: readonly Command[] }

/** What hardware uses of a kind of entry. */
interface Rules {
  readonly words: number
  /** Ones over the bits that hardware uses of an entry. */
  used(entry: Words): readonly bigint[]
  /** Ones over bits that may change while both entries use them: hardware takes either value, and both are right. */
  safe(from: Words, to: Words): readonly bigint[]
}

const WORD = (1n << 64n) - 1n
const or = (a: Words, b: Words): bigint[] => a.map((word, index) => word | (b[index] as bigint))
const and = (a: Words, b: Words): bigint[] => a.map((word, index) => word & (b[index] as bigint))
const not = (a: Words): bigint[] => a.map((word) => ~word & WORD)

const maskOf = (layout: Entry, ...names: string[]): readonly bigint[] => usedMask(layout, names)

const STREAM = {
  valid: maskOf(streamEntry, 'V'),
  config: maskOf(streamEntry, 'V', 'Config'),
  shareability: maskOf(streamEntry, 'SHCFG'),
  // Stage 1 is tagged with S2VMID too, wherever stage 2 exists.
  stage1: maskOf(streamEntry, 'S1Fmt', 'S1ContextPtr', 'S1CDMax', 'S1DSS', 'S1CIR', 'S1COR', 'S1CSH', 'S1STALLD', 'STRW', 'EATS', 'MEV', 'S2VMID'),
  stage2: maskOf(streamEntry, 'S2FWB', 'EATS', 'SHCFG', 'MEV', 'S2VMID', 'S2T0SZ', 'S2SL0', 'S2IR0', 'S2OR0', 'S2SH0', 'S2TG', 'S2PS',
    'S2AA64', 'S2ENDI', 'S2PTW', 'S2S', 'S2R', 'S2TTB'),
  mergeEvents: maskOf(streamEntry, 'MEV'),
  none: maskOf(streamEntry, 'MEV').map(() => 0n),
} as const

const isStage1 = (config: number): boolean => (config & 5) === 5
const isStage2 = (config: number): boolean => (config & 6) === 6
const BYPASS = 4
const BYPASS_STAGE_1 = 1

const streamUsed = (entry: Words): readonly bigint[] => {
  const { V, Config, S1DSS } = decode(streamEntry, entry)
  if (V === 0) return STREAM.valid
  let used = STREAM.config
  if (isStage1(Config)) used = or(used, S1DSS === BYPASS_STAGE_1 ? or(STREAM.stage1, STREAM.shareability) : STREAM.stage1)
  if (isStage2(Config)) used = or(used, STREAM.stage2)
  return Config === BYPASS ? or(used, STREAM.shareability) : used
}

/** EATS on or off is for the endpoint to follow; not so where it decides about stage 2 by itself or with S2S. */
const streamSafe = (from: Words, to: Words): readonly bigint[] => {
  const [a, b] = [decode(streamEntry, from), decode(streamEntry, to)]
  const plain = (a.EATS & 2) === 0 && (b.EATS & 2) === 0 && a.S2S === 0 && b.S2S === 0
  return plain ? or(STREAM.mergeEvents, FULL_ATS) : STREAM.mergeEvents
}
/** The bit of EATS that tells off from full. */
const FULL_ATS: readonly bigint[] = encode(streamEntry, { EATS: 1 })

const CONTEXT = {
  valid: maskOf(contextDescriptor, 'V'),
  all: maskOf(contextDescriptor, 'T0SZ', 'TG0', 'IR0', 'OR0', 'SH0', 'EPD0', 'ENDI', 'EPD1', 'V', 'IPS', 'TBI0', 'AA64', 'HD', 'HA', 'HAFT',
    'S', 'R', 'A', 'ASET', 'ASID', 'TTB0', 'MAIR'),
  table: maskOf(contextDescriptor, 'T0SZ', 'TG0', 'IR0', 'OR0', 'SH0', 'TTB0'),
} as const

const contextUsed = (entry: Words): readonly bigint[] => {
  if (decodeField(contextDescriptor, entry, 'V') === 0) return CONTEXT.valid
  return decodeField(contextDescriptor, entry, 'EPD0') === 1 ? and(CONTEXT.all, not(CONTEXT.table)) : CONTEXT.all
}

const streamRules: Rules = { words: 8, used: streamUsed, safe: streamSafe }
const contextRules: Rules = { words: 8, used: contextUsed, safe: () => STREAM.none }

const settled: readonly PlanStep[] = [{ do: 'order' }, { do: 'write-back' }]

const plan = (rules: Rules, from: Words, to: Words, sync: readonly Command[]): PlanStep[] => {
  const steps: PlanStep[] = []
  const now = [...from]
  /** Stores the words that differ, in ascending order; where any did, hardware is made to fetch the entry again. */
  const write = (target: Words, indexes: readonly number[]): void => {
    const stores = indexes.filter((index) => now[index] !== target[index])
    for (const index of stores) steps.push({ do: 'store', index, value: (now[index] = target[index] as bigint) })
    if (stores.length > 0) steps.push(...settled, { do: 'invalidate', commands: sync })
  }
  const every = Array.from({ length: rules.words }, (_, index) => index)
  const usedAfter = rules.used(to)
  const usedNow = and(rules.used(from), not(and(rules.safe(from, to), usedAfter)))
  const first = or(and(from, usedNow), and(to, not(usedNow)))
  const critical = every.filter((index) => ((first[index] as bigint) & (usedAfter[index] as bigint)) !== to[index])
  if (critical.length > 1) {
    const invalid = to.map((word, index) => (index === 0 ? 0n : word))
    write([0n, ...from.slice(1)], [0])
    write(invalid, every.slice(1))
    write(to, [0])
    return steps
  }
  write(first, every.filter((index) => !critical.includes(index)))
  write(to, critical)
  write(to, every)
  return steps
}

/** The steps from one stream table entry to another; `sync` makes hardware forget the entry. */
export const planStream = (from: Words, to: Words, sync: readonly Command[]): PlanStep[] => plan(streamRules, from, to, sync)

/** The same for a context descriptor. */
export const planContext = (from: Words, to: Words, sync: readonly Command[]): PlanStep[] => plan(contextRules, from, to, sync)
