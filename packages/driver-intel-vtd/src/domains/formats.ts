// Which page-table formats a unit has, by the names that the manifest gives them.
import { IommuError } from '@iommu/core'
import { firstStage, secondStage } from '@iommu/page-table'
import type { Format } from '@iommu/page-table'
import type { Capabilities, Levels } from '../tables/index.js'
import type { Unit } from '../unit.js'

/** A paging format of a unit, chosen for a domain. */
export interface ChosenFormat {
  readonly name: string
  readonly stage: 'first' | 'second'
  readonly levels: Levels
  readonly format: Format
  /** Page sizes in bytes, one bit each. */
  readonly pageSizes: bigint
  /** The unit that it was made for: what it relies on must hold on every unit that the domain is set on. */
  readonly unit: Unit
}

type Stage = ChosenFormat['stage']
type LeafShifts = (12 | 21 | 30)[]

const available = (capabilities: Capabilities, scalable: boolean): { name: string; stage: Stage; levels: Levels }[] => {
  const of = (stage: Stage, levels: readonly Levels[]): { name: string; stage: Stage; levels: Levels }[] =>
    levels.map((each) => ({ name: `${stage}-stage-${each}`, stage, levels: each }))
  // 4 levels first: enough for everybody, and what every unit of a machine is likely to have.
  const ordered = (levels: readonly Levels[]): Levels[] => [...levels].sort((a, b) => Math.abs(a - 4) - Math.abs(b - 4) || b - a)
  return [
    ...(scalable && capabilities.firstStage ? of('first', ordered(capabilities.firstStageLevels)) : []),
    ...(!scalable || capabilities.secondStage ? of('second', ordered(capabilities.secondStageLevels)) : []),
  ]
}

/** Names of all formats of a unit, the one that it takes by itself first: first stage where there is one, as Linux. */
export const formatNames = (unit: Unit): string[] => available(unit.capabilities, unit.scalable).map(({ name }) => name)

/** The tables that a unit walks, as the driver writes them. */
export const formatOf = (
  stage: Stage, levels: Levels, { capabilities, hostAddressBits }: Pick<Unit, 'capabilities' | 'hostAddressBits'>,
): { readonly format: Format; readonly leafShifts: LeafShifts } => {
  const leafShifts = (stage === 'first' ? capabilities.firstStageLeaves : capabilities.secondStageLeaves) as LeafShifts
  const format = stage === 'first'
    ? firstStage({ levels: levels as 4 | 5, leafShifts, addressBits: hostAddressBits, noExecute: false })
    : secondStage({ levels, leafShifts, addressBits: hostAddressBits, snoopControl: capabilities.snoopControl })
  return { format, leafShifts }
}

/** Throws EOPNOTSUPP for a format that the unit does not have. */
export const choosePagingFormat = (unit: Unit, name: string | undefined): ChosenFormat => {
  const all = available(unit.capabilities, unit.scalable)
  const chosen = name === undefined ? all[0] : all.find((each) => each.name === name)
  if (chosen === undefined) {
    throw new IommuError('EOPNOTSUPP', `the unit has no format ${name ?? 'at all'}; it has ${all.map((each) => each.name).join(', ') || 'none'}`)
  }
  const { leafShifts, format } = formatOf(chosen.stage, chosen.levels, unit)
  return { ...chosen, format, pageSizes: leafShifts.reduce((sizes, shift) => sizes | (1n << BigInt(shift)), 0n), unit }
}

/**
 * Why a domain of this format cannot be set on a unit, or undefined where it can. Asked before hardware is touched:
 * EINVAL has changed nothing.
 */
export const incompatibility = ({ name, stage, levels, unit: made }: ChosenFormat, unit: Unit): string | undefined => {
  const mine = unit.capabilities
  const theirs = made.capabilities
  const leaves = stage === 'first' ? 'firstStageLeaves' : 'secondStageLeaves'
  if (!available(mine, unit.scalable).some((each) => each.stage === stage && each.levels === levels)) return `the unit has no ${name}`
  if (theirs[leaves].some((shift) => !mine[leaves].includes(shift))) return 'the unit lacks a page size of the domain'
  if (made.hostAddressBits > unit.hostAddressBits) return 'the unit has narrower physical addresses'
  if (made.pagesCoherent && !unit.pagesCoherent) return 'the unit does not snoop, and the domain does not write back'
  if (stage === 'second' && theirs.snoopControl !== mine.snoopControl) return 'the unit treats the snoop bit differently'
  if (stage === 'second' && mine.guestAddressBits < theirs.guestAddressBits && mine.guestAddressBits < 12 + 9 * levels) {
    return 'the unit has narrower device addresses'
  }
  return undefined
}
