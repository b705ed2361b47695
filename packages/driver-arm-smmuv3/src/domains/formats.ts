// Which page-table formats an SMMU has, by the names that the manifest gives them.
import { IommuError } from '@iommu/core'
import { armStage1, armStage2 } from '@iommu/page-table'
import type { Format } from '@iommu/page-table'
import type { Capabilities, GranuleShift } from '../tables/index.js'
import type { Unit } from '../unit.js'
import { outputBitsOf } from './words.js'

/** A paging format of an SMMU, chosen for a domain. */
export interface ChosenFormat {
  readonly name: string
  readonly stage: 1 | 2
  readonly granule: GranuleShift
  readonly format: Format
  /** The SMMU that it was made for: what it relies on must hold on every SMMU that the domain is set on. */
  readonly unit: Unit
}

type Facts = Pick<Capabilities, 'stage1' | 'stage2' | 'granules' | 'outputBits'>

const nameOf = (stage: 1 | 2, granule: GranuleShift): string => `stage-${stage}-${2 ** (granule - 10)}k`

/** Stage 1 first, and small pages first, as Linux. */
const available = ({ stage1, stage2, granules }: Facts): { name: string; stage: 1 | 2; granule: GranuleShift }[] =>
  ([...(stage1 ? [1] : []), ...(stage2 ? [2] : [])] as (1 | 2)[])
    .flatMap((stage) => granules.map((granule) => ({ name: nameOf(stage, granule), stage, granule })))

/** Names of all formats of an SMMU, the one that it takes by itself first. */
export const formatNames = ({ capabilities }: Unit): string[] => available(capabilities).map(({ name }) => name)

/** Those that contexts can have. */
export const pasidFormatNames = ({ capabilities }: Unit): string[] =>
  available(capabilities).filter(({ stage }) => stage === 1).map(({ name }) => name)

/** Device addresses of stage 1 have 48 bits; those of stage 2 as many as output addresses. */
export const formatOf = (stage: 1 | 2, granule: GranuleShift, capabilities: Pick<Capabilities, 'outputBits'>): Format => {
  const addressBits = outputBitsOf(capabilities)
  return stage === 1
    ? armStage1({ granuleShift: granule, inputBits: 48, addressBits })
    : armStage2({ granuleShift: granule, inputBits: addressBits, addressBits })
}

/** Throws EOPNOTSUPP for a format that the SMMU does not have. */
export const choosePagingFormat = (unit: Unit, name: string | undefined): ChosenFormat => {
  const all = available(unit.capabilities)
  const chosen = name === undefined ? all[0] : all.find((each) => each.name === name)
  if (chosen === undefined) {
    throw new IommuError('EOPNOTSUPP', `the SMMU has no format ${name ?? 'at all'}; it has ${all.map((each) => each.name).join(', ') || 'none'}`)
  }
  return { ...chosen, format: formatOf(chosen.stage, chosen.granule, unit.capabilities), unit }
}

/**
 * Why a domain of this format cannot be set on an SMMU, or undefined where it can. Asked before hardware is touched:
 * EINVAL has changed nothing.
 */
export const incompatibility = ({ name, stage, granule, unit: made }: ChosenFormat, unit: Unit): string | undefined => {
  const mine = unit.capabilities
  const theirs = made.capabilities
  if (!available(mine).some((each) => each.stage === stage && each.granule === granule)) return `the SMMU has no ${name}`
  if (outputBitsOf(theirs) > outputBitsOf(mine)) return 'the SMMU has narrower addresses'
  if (theirs.coherent && !mine.coherent) return 'the SMMU does not snoop, and the domain does not write back'
  if (theirs.breakBeforeMakeLevel > mine.breakBeforeMakeLevel) return 'the SMMU needs break-before-make, and the domain does not do it'
  return undefined
}
