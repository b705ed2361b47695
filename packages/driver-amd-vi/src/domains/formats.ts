// Which page-table formats a unit has, by the names that the manifest gives them.
import { IommuError } from '@iommu/core'
import { amdV1, amdV2 } from '@iommu/page-table'
import type { Format } from '@iommu/page-table'
import type { GuestLevels, HostLevels } from '../tables/index.js'
import type { Unit } from '../unit.js'

/** A paging format of a unit, chosen for a domain. */
export interface ChosenFormat {
  readonly name: string
  readonly kind: 'host' | 'guest'
  /** Of host tables the most: they begin with fewer. */
  readonly levels: number
  readonly format: Format
  /** The unit that it was made for: what it relies on must hold on every unit that the domain is set on. */
  readonly unit: Unit
}

/** What of a unit decides its formats. */
export type FormatFacts = Pick<Unit, 'capabilities' | 'hostAddressBits' | 'pasidLevels' | 'hostLeaves'>

interface Available {
  readonly name: string
  readonly kind: 'host' | 'guest'
  readonly levels: number
}

const GUEST_LEAVES = [12, 21, 30] as const

const guestName = (levels: GuestLevels): string => `v2-${levels}`

/** Guest tables by depth, those that PASIDs can have first. */
const guests = ({ capabilities, pasidLevels }: FormatFacts): Available[] =>
  [...capabilities.guestLevels].sort((a, b) => Math.abs(a - pasidLevels) - Math.abs(b - pasidLevels))
    .map((levels) => ({ name: guestName(levels), kind: 'guest', levels }))

/** What requester ids can have: guest tables where PASIDs can go on beside them, host tables. */
const onRequesterIds = (facts: FormatFacts): Available[] => [
  ...(facts.capabilities.guestIo ? guests(facts) : []),
  ...(facts.capabilities.hostLevels === 0 ? [] : [{ name: 'v1', kind: 'host' as const, levels: facts.capabilities.hostLevels }]),
]

/** Names of all formats that a requester id can have, the one that the driver takes by itself first. */
export const formatNames = (facts: FormatFacts): string[] => onRequesterIds(facts).map(({ name }) => name)

/** Names of those that PASIDs can have: GuestPagingMode is one for the device, so it is one depth. */
export const pasidFormatNames = ({ capabilities, pasidLevels }: FormatFacts): string[] =>
  (capabilities.pasidBits > 0 && capabilities.guestLevels.includes(pasidLevels) ? [guestName(pasidLevels)] : [])

/** Tables as a unit walks them and the driver writes them. */
export const tablesOf = (kind: 'host' | 'guest', levels: number, facts: FormatFacts): Format => {
  const { capabilities, hostAddressBits, hostLeaves } = facts
  return kind === 'guest'
    ? amdV2({ levels: levels as GuestLevels, leafShifts: GUEST_LEAVES, addressBits: hostAddressBits, noExecute: capabilities.noExecute })
    : amdV1({ levels: levels as HostLevels, addressBits: hostAddressBits, ...(hostLeaves === undefined ? {} : { leafShifts: hostLeaves }) })
}

/** `pasid`: the domain has to go on requester ids and PASIDs alike, or by its name on PASIDs. Throws EOPNOTSUPP. */
export const choosePagingFormat = (unit: Unit, name: string | undefined, pasid: boolean): ChosenFormat => {
  const possible = pasid ? pasidFormatNames(unit) : undefined
  const all = name === undefined ? onRequesterIds(unit) : [...onRequesterIds(unit), ...guests(unit)]
  const fits = all.filter((each) => possible?.includes(each.name) !== false)
  const chosen = name === undefined ? fits[0] : fits.find((each) => each.name === name)
  if (chosen === undefined) {
    throw new IommuError('EOPNOTSUPP', `the unit has no format ${name ?? 'at all'}${pasid ? ' for PASIDs' : ''}; it has ${fits.map((each) => each.name).join(', ') || 'none'}`)
  }
  return { ...chosen, format: tablesOf(chosen.kind, chosen.levels, unit), unit }
}

/**
 * Why a domain of this format cannot be set on a unit, or undefined where it can. Asked before hardware is touched:
 * EINVAL has changed nothing.
 */
export const incompatibility = ({ name, kind, levels, unit: made }: ChosenFormat, unit: Unit, pasid: number): string | undefined => {
  const possible = pasid === 0 ? formatNames(unit) : pasidFormatNames(unit)
  if (!possible.includes(name)) return `the unit has no ${name} for ${pasid === 0 ? 'requester ids' : 'PASIDs'}`
  if (kind === 'host' && unit.capabilities.hostLevels < levels) return 'the unit has host tables of fewer levels'
  if (made.hostAddressBits > unit.hostAddressBits) return 'the unit has narrower physical addresses'
  if (kind === 'guest' && made.capabilities.noExecute && !unit.capabilities.noExecute) return 'the unit has no no-execute bit'
  return undefined
}
