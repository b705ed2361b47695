// From a recorded entry to what it stands for, and from that alone to the driver's own words for it.
import { decode } from '@iommu/bits'
import {
  abortWords, contextWords, endedContextWords, levelOneContextWords, levelOneStreamWords, streamWords, tablesFormat,
} from '@iommu/driver-arm-smmuv3/reproduce'
import type { StreamFacts, TablesFacts } from '@iommu/driver-arm-smmuv3/reproduce'
import { granuleOf } from '@iommu/driver-arm-smmuv3/registers'
import { contextDescriptor, levelOneContext, levelOneStream, streamEntry } from '@iommu/driver-arm-smmuv3/tables'
import type { Capabilities } from '@iommu/driver-arm-smmuv3/registers'
import { refused } from '../gathering.js'
import type { Rewritten } from '../gathering.js'

/** The driver's words for an entry, and the page tables behind it. */
export interface RewrittenPoint extends Rewritten {
  readonly tables?: { readonly facts: TablesFacts; readonly root: bigint }
}

/** A stream's words, and its CD table. */
export interface RewrittenStream extends RewrittenPoint {
  readonly contexts?: { readonly address: bigint; readonly max: number; readonly leaves: boolean }
}

/** VMID 0 is that of streams with stage 1. ASIDs begin with 1. */
const NO_DOMAIN = 0

const tablesOf = (
  capabilities: Capabilities, stage: 1 | 2, code: number, inputBits: number, root: bigint,
): RewrittenPoint['tables'] | string => {
  const granule = granuleOf(code)
  if (granule === undefined || !capabilities.granules.includes(granule)) return 'the SMMU has no such granule'
  const facts: TablesFacts = { stage, granule, capabilities }
  const own = tablesFormat(facts).inputBits
  return own === inputBits ? { facts, root } : `the driver's tables of stage ${stage} translate ${own} bits here, not ${inputBits}`
}

/** A stream table entry: Config says the kind; S1DSS what becomes of requests without SSID where SSIDs are alive. */
export const rewriteStream = (capabilities: Capabilities, words: readonly bigint[]): RewrittenStream => {
  const e = decode(streamEntry, words)
  const ats = e.EATS === 1 && capabilities.ats
  const facts: StreamFacts = { capabilities, ats, contexts: undefined }
  if (e.V === 0) return refused('the driver never leaves an entry invalid: streams that nobody set abort')
  if (e.Config < 4) return { words: abortWords() }
  switch (e.Config) {
    case 4: return { words: streamWords(facts, { kind: 'bypass' }, false) }
    case 5: {
      const contexts = { address: e.S1ContextPtr, max: e.S1CDMax, leaves: e.S1Fmt === 2 }
      if (e.S1CDMax > capabilities.substreamBits) return refused(`the SMMU has no SSIDs of ${e.S1CDMax} bits`)
      const alive = e.S1CDMax > 0
      const rid = alive && e.S1DSS === 0 ? { kind: 'blocked' as const }
        : alive && e.S1DSS === 1 ? { kind: 'bypass' as const } : { kind: 'stage 1' as const, context: [] }
      return { words: streamWords({ ...facts, contexts }, rid, alive), contexts }
    }
    case 6: {
      const tables = tablesOf(capabilities, 2, e.S2TG, 64 - e.S2T0SZ, e.S2TTB)
      if (typeof tables === 'string') return refused(tables)
      if (tables === undefined || e.S2VMID === NO_DOMAIN) return refused('VMID 0 is never given out')
      const format = tablesFormat(tables.facts)
      return { words: streamWords(facts, { kind: 'stage 2', format, root: e.S2TTB, vmid: e.S2VMID }, false), tables }
    }
    default: return refused('the driver has no nested translation')
  }
}

export const rewriteLevelOneStream = (words: readonly bigint[]): Rewritten => {
  const { Span, L2Ptr } = decode(levelOneStream, words)
  return { words: Span === 0 ? [0n] : levelOneStreamWords(L2Ptr, Span - 1) }
}

export const rewriteLevelOneContext = (words: readonly bigint[]): Rewritten => {
  const { V, L2Ptr } = decode(levelOneContext, words)
  return { words: V === 0 ? [0n] : levelOneContextWords(L2Ptr) }
}

/** A context descriptor: EPD0 says whether it still has tables, T0SZ and TG0 which. */
export const rewriteContext = (capabilities: Capabilities, words: readonly bigint[]): RewrittenPoint => {
  const d = decode(contextDescriptor, words)
  if (d.V === 0) return { words: words.map(() => 0n) }
  if (d.ASID === NO_DOMAIN) return refused('ASID 0 is never given out')
  const about = { capabilities, asid: d.ASID }
  if (d.EPD0 === 1) return { words: endedContextWords(contextWords({ ...about, granule: 12, inputBits: 48, root: 0n })) }
  const inputBits = 64 - d.T0SZ
  const tables = tablesOf(capabilities, 1, d.TG0, inputBits, d.TTB0)
  if (typeof tables === 'string') return refused(tables)
  if (tables === undefined) return refused('there are no tables')
  return { words: contextWords({ ...about, granule: tables.facts.granule, inputBits, root: d.TTB0 }), tables }
}
