// From a recorded entry to what it stands for, and from that alone to the driver's own words for it.
import { decode } from '@iommu/bits'
import { absent, contextState, directoryWords, identityState, pagingState } from '@iommu/driver-intel-vtd/reproduce'
import type { TableFacts, WordFacts } from '@iommu/driver-intel-vtd/reproduce'
import { contextEntry, pasidDirectoryEntry, pasidEntry, scalableContextEntry } from '@iommu/driver-intel-vtd/tables'
import type { Capabilities, Levels } from '@iommu/driver-intel-vtd/registers'
import { refused } from '../gathering.js'
import type { Rewritten } from '../gathering.js'

/** The driver's words for an entry, and the facts of the page tables behind it. */
export interface RewrittenPoint extends Rewritten {
  readonly tables?: TableFacts & { readonly levels: Levels }
}

const blocked = (words: readonly bigint[]): Rewritten => ({ words: absent(words.length).words })

/** Domain id 0 is never given out, and ids from `domainIds` on the unit does not have. */
const hasDomain = (domainId: number, { domainIds }: Capabilities): boolean => domainId > 0 && domainId < domainIds

const paging = (facts: WordFacts, tables: TableFacts): RewrittenPoint => {
  const { stage, levels, domainId } = tables
  const { firstStageLevels, secondStageLevels, firstStage, secondStage } = facts.capabilities
  const has = stage === 'first'
    ? firstStage && firstStageLevels.some((each) => each === levels)
    : (!facts.scalable || secondStage) && secondStageLevels.some((each) => each === levels)
  if (!has) return refused(`the unit has no ${stage}-stage tables of ${levels} levels`)
  if (!hasDomain(domainId, facts.capabilities)) return refused(`domain id ${domainId} is never given out here`)
  return { words: pagingState(facts, tables).words, tables: { ...tables, levels: levels as Levels } }
}

const identity = (facts: WordFacts): Rewritten =>
  facts.capabilities.passThrough ? { words: identityState(facts).words } : refused('the unit cannot pass through')

/** A context entry in legacy mode: TT and AW say the kind, SSPTPTR and DID which tables and domain. */
export const rewriteContext = (capabilities: Capabilities, words: readonly bigint[]): RewrittenPoint => {
  const { P, TT, SSPTPTR, AW, DID } = decode(contextEntry, words)
  if (P === 0) return blocked(words)
  const facts: WordFacts = { scalable: false, capabilities, ats: TT === 1 && capabilities.deviceTlb }
  if (TT === 2) return identity(facts)
  if (TT === 3) return refused('TT=3 is reserved')
  return paging(facts, { stage: 'second', levels: AW + 2, root: SSPTPTR, domainId: DID, forceSnoop: false })
}

/** A context entry in scalable mode: where the directory is and how large, and what the device may send. */
export const rewriteScalableContext = (capabilities: Capabilities, words: readonly bigint[]): Rewritten => {
  const { P, PASIDDIRPTR, PDTS, PASIDE, DTE } = decode(scalableContextEntry, words)
  if (P === 0) return blocked(words)
  return {
    words: contextState({
      directory: PASIDDIRPTR, sizeClass: PDTS,
      // What the unit cannot do the driver never writes, whatever is recorded.
      pasids: PASIDE === 1 && capabilities.pasidBits > 0, ats: DTE === 1 && capabilities.deviceTlb,
    }).words,
  }
}

export const rewriteDirectory = (words: readonly bigint[]): Rewritten => {
  const { P, SMPTBLPTR } = decode(pasidDirectoryEntry, words)
  return P === 0 ? blocked(words) : { words: directoryWords(SMPTBLPTR) }
}

/** A PASID entry: PGTT says the kind; the levels are in AW or FSPM. */
export const rewritePasid = (capabilities: Capabilities, words: readonly bigint[]): RewrittenPoint => {
  const e = decode(pasidEntry, words)
  if (e.P === 0) return blocked(words)
  const facts: WordFacts = { scalable: true, capabilities, ats: false }
  switch (e.PGTT) {
    case 1: return paging(facts, {
      stage: 'first', levels: 4 + e.FSPM, root: e.FSPTPTR, domainId: e.DID,
      forceSnoop: e.PGSNP === 1 && capabilities.snoopControl,
    })
    case 2: return paging(facts, {
      stage: 'second', levels: e.AW + 2, root: e.SSPTPTR, domainId: e.DID, forceSnoop: false,
    })
    case 3: return refused('the driver has no nested translation')
    case 4: return identity(facts)
    default: return refused(`PGTT=${e.PGTT} is reserved`)
  }
}
