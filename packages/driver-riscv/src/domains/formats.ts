// Which page-table formats a unit has, by the names that the manifest gives them.
import { IommuError } from '@iommu/core'
import { svFirstStage, svSecondStage } from '@iommu/page-table'
import type { Format } from '@iommu/page-table'
import type { Levels } from '../tables/index.js'
import type { Unit } from '../unit.js'

/** A paging format of a unit, chosen for a domain. */
export interface ChosenFormat {
  readonly name: string
  readonly secondStage: boolean
  readonly levels: Levels
  readonly format: Format
  /** The unit that it was made for: what it relies on must hold on every unit that the domain is set on. */
  readonly unit: Unit
}

/** Larger pages than 1 GiB, and NAPOT, are left to those who need them. */
const LEAVES = [12, 21, 30] as const

type Named = Pick<ChosenFormat, 'name' | 'secondStage' | 'levels'>

const nameOf = (levels: Levels, secondStage: boolean): string => `sv${12 + 9 * levels}${secondStage ? 'x4' : ''}`

/** 4 levels first: enough for everybody, and what every unit of a machine is likely to have. */
const ordered = (levels: readonly Levels[]): Levels[] => [...levels].sort((a, b) => Math.abs(a - 4) - Math.abs(b - 4) || b - a)

const available = ({ capabilities, pasids }: Unit): Named[] => {
  const of = (levels: readonly Levels[], secondStage: boolean): Named[] =>
    ordered(levels).map((each) => ({ name: nameOf(each, secondStage), secondStage, levels: each }))
  // A second stage is the whole device's, and would translate its PASIDs too.
  return [...of(capabilities.firstStageLevels, false), ...(pasids ? [] : of(capabilities.secondStageLevels, true))]
}

/** Names of all formats of a unit, the one that it takes by itself first. */
export const formatNames = (unit: Unit): string[] => available(unit).map(({ name }) => name)

/** Throws EOPNOTSUPP for a format that the unit does not have. */
export const choosePagingFormat = (unit: Unit, name: string | undefined): ChosenFormat => {
  const all = available(unit)
  const chosen = name === undefined ? all[0] : all.find((each) => each.name === name)
  if (chosen === undefined) {
    throw new IommuError('EOPNOTSUPP', `the unit has no format ${name ?? 'at all'}; it has ${all.map((each) => each.name).join(', ') || 'none'}`)
  }
  const { levels, secondStage } = chosen
  const options = { levels, physicalBits: unit.capabilities.physicalBits, leafShifts: LEAVES }
  return { ...chosen, format: secondStage ? svSecondStage(options) : svFirstStage(options), unit }
}

/**
 * Why a domain of this format cannot be set on a unit, or undefined where it can. Asked before hardware is touched:
 * EINVAL has changed nothing.
 */
export const incompatibility = ({ name, unit: made, secondStage, levels }: ChosenFormat, unit: Unit): string | undefined => {
  const mine = secondStage ? unit.capabilities.secondStageLevels : unit.capabilities.firstStageLevels
  if (!mine.includes(levels)) return `the unit has no ${name}`
  if (made.capabilities.physicalBits > unit.capabilities.physicalBits) return 'the unit has narrower physical addresses'
  return undefined
}
