// The words of each domain state, for a context entry in legacy mode and a PASID entry in scalable mode, and of what
// leads to PASID entries. Pure.
import { encode } from '@iommu/bits'
import type { PointState } from '../devices/state.js'
import { addressWidthOf, contextEntry, pasidDirectoryEntry, pasidEntry, scalableContextEntry } from '../tables/index.js'
import type { Capabilities } from '../tables/index.js'
import { IDENTITY_DOMAIN_ID } from '../unit.js'

/** What of a unit and a device decides the words. */
export interface WordFacts {
  readonly scalable: boolean
  readonly capabilities: Capabilities
  readonly ats: boolean
}

/** What of a page table decides the words. */
export interface TableFacts {
  readonly stage: 'first' | 'second'
  readonly levels: number
  readonly root: bigint
  readonly domainId: number
  readonly forceSnoop: boolean
}

/** Legacy TT: 1 lets ATS requests through where device and unit can do ATS. */
const TRANSLATION_TYPE = { secondStage: 0, secondStageAts: 1, passThrough: 2 } as const
const GRANULAR_TYPE = { first: 1, second: 2, passThrough: 4 } as const

/** A unit without second-stage widths has those of its first stages (Linux, `__iommu_calculate_sagaw`). */
const widest = ({ secondStageLevels, firstStageLevels }: Capabilities): number =>
  addressWidthOf(Math.max(...(secondStageLevels.length > 0 ? secondStageLevels : firstStageLevels)))
const walkSnoop = ({ scalableWalkCoherent }: Capabilities): number => (scalableWalkCoherent ? 1 : 0)

/** Pass-through. AW must be the widest that the unit has, in both forms (sections 9.3, 9.6). */
export const identityState = ({ scalable, capabilities }: WordFacts): PointState => ({
  words: scalable
    ? encode(pasidEntry, {
        P: 1, PGTT: GRANULAR_TYPE.passThrough, AW: widest(capabilities), DID: IDENTITY_DOMAIN_ID, PWSNP: walkSnoop(capabilities),
      })
    : encode(contextEntry, { P: 1, TT: TRANSLATION_TYPE.passThrough, AW: widest(capabilities), DID: IDENTITY_DOMAIN_ID }),
  tag: { domainId: IDENTITY_DOMAIN_ID, secondStage: false },
})

/**
 * Translation by a page table. First-stage entries have the unit's widest AW whatever their levels, as pass-through has: hardware
 * takes the levels of a first stage from FSPM. Linux writes the widest that both stages have (intel_pasid_setup_first_level,
 * __iommu_calculate_sagaw), which is the same wherever they are equally deep.
 */
export const pagingState = ({ scalable, capabilities, ats }: WordFacts, table: TableFacts): PointState => {
  const { stage, levels, root, domainId, forceSnoop } = table
  const tag = { domainId, secondStage: stage === 'second' }
  const AW = stage === 'first' ? widest(capabilities) : addressWidthOf(levels)
  if (!scalable) {
    const TT = ats ? TRANSLATION_TYPE.secondStageAts : TRANSLATION_TYPE.secondStage
    return { words: encode(contextEntry, { P: 1, TT, SSPTPTR: root, AW, DID: domainId }), tag }
  }
  const common = { P: 1, AW, DID: domainId, PWSNP: walkSnoop(capabilities) }
  return {
    words: stage === 'first'
      ? encode(pasidEntry, {
          ...common, PGTT: GRANULAR_TYPE.first, FSPTPTR: root, FSPM: levels === 5 ? 1 : 0, PGSNP: forceSnoop ? 1 : 0,
        })
      : encode(pasidEntry, { ...common, PGTT: GRANULAR_TYPE.second, SSPTPTR: root }),
    tag,
  }
}

/** An absent PASID entry whose faults are not recorded: what is left of an address space that has ended. */
export const silentState = (): PointState => ({ words: encode(pasidEntry, { FPD: 1 }), tag: undefined })

/** What decides a scalable-mode context entry. */
export interface DirectoryFacts {
  /** Address of the PASID directory. */
  readonly directory: bigint
  /** PDTS: the directory has 2^(PDTS+7) entries. */
  readonly sizeClass: number
  /** Whether requests with PASID are let through. */
  readonly pasids: boolean
  readonly ats: boolean
}

/** A scalable-mode context entry. It has no domain of its own, so requests without PASID are PASID 0's (RID_PASID). */
export const contextState = ({ directory, sizeClass, pasids, ats }: DirectoryFacts): PointState => ({
  words: encode(scalableContextEntry, {
    P: 1, PASIDDIRPTR: directory, PDTS: sizeClass, PASIDE: pasids ? 1 : 0, DTE: ats ? 1 : 0,
  }),
  tag: undefined,
})

/** A PASID directory entry that leads to a table. */
export const directoryWords = (table: bigint): readonly bigint[] => encode(pasidDirectoryEntry, { P: 1, SMPTBLPTR: table })
