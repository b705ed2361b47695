// What walks must know of a format besides, to check and to grant: whoever only writes tables does not carry it.
import { pairOf } from '@iommu/bits'
import { halves, shapeOf } from './format.js'
import type { Format, FormatParts, Grants, Mask, PerLevel } from './format.js'
import { RESERVED } from './status.js'
import type { ABSENT, ADDRESS_SIZE } from './status.js'

/** The bits of an entry, in halves, that one permission needs: all of them, in the leaf and in the AND of all tables. */
export interface Grant {
  readonly leafLow: number
  readonly leafHigh: number
  readonly tableLow: number
  readonly tableHigh: number
}

export interface Walking {
  /** What hardware makes of an entry that is no table and no leaf of its level: RESERVED or ABSENT. */
  readonly strayStatus: typeof RESERVED | typeof ABSENT
  /** What it makes of one of these address bits: RESERVED or ADDRESS_SIZE. */
  readonly beyondStatus: typeof RESERVED | typeof ADDRESS_SIZE
  readonly beyondLow: number
  readonly beyondHigh: number
  /** Bits that it checks to be zero. */
  readonly tableReservedLow: PerLevel
  readonly tableReservedHigh: PerLevel
  readonly leafReservedLow: PerLevel
  readonly leafReservedHigh: PerLevel
  /** Leaf bit without which it faults as not accessed yet; 0 where none is asked for. */
  readonly accessedLow: number
  /** Where a present entry of level 1 has this value in these bits it is a leaf that hardware finds nothing wrong with. */
  readonly leafCheckLow: number
  readonly leafCheckHigh: number
  readonly leafUsualLow: number

  /** Bits that forbid where they are set: flipped before an entry is held against what a permission needs. */
  readonly leafInvertLow: number
  readonly leafInvertHigh: number
  readonly invertLow: number
  readonly invertHigh: number
  readonly read: Grant
  readonly write: Grant
  readonly execute: Grant
  /** Execution by requests with privilege. */
  readonly privileged: Grant
  readonly user: Grant
  /** All bits of the masks of tables. */
  readonly grantsLow: number
  readonly grantsHigh: number
}

const grant = (leaf: Mask, table: Mask): Grant => {
  const [inLeaf, inTable] = [pairOf(leaf), pairOf(table)]
  return { leafLow: inLeaf.low, leafHigh: inLeaf.high, tableLow: inTable.low, tableHigh: inTable.high }
}

const privilegedOf = ({ execute, privileged = execute }: Grants): Mask => privileged

const deriveWalking = (parts: FormatParts): Walking => {
  const { layout, grants, tableGrants = grants, accessed = 0n, stray = RESERVED, beyond: beyondStatus = RESERVED, largeUnchecked } = parts
  const { levels, shiftAt, heldBelow, leafAt, tableReservedAt, beyond, granted } = shapeOf(parts)
  if (levels.some((level) => level > 1 && ((parts.table(level) ^ tableGrants.invert) & granted) !== granted)) {
    // The walk through usual tables relies on it.
    throw new RangeError(`${layout.name}: its table entries do not permit everything`)
  }
  const unchecked = (level: number): Mask => (level > 1 ? heldBelow(shiftAt(level)) & ~largeUnchecked : 0n)
  const tableReserved = halves(levels.map(tableReservedAt))
  const leafReserved = halves(levels.map((level) => beyond | parts.leafReserved | unchecked(level)))
  const { mask, value } = leafAt(1)
  const leafCheck = pairOf(mask | accessed | beyond | parts.leafReserved)
  const tooWide = pairOf(beyond)
  const leafInvert = pairOf(grants.invert)
  const invert = pairOf(tableGrants.invert)
  const all = pairOf(granted)
  return {
    strayStatus: stray,
    beyondStatus, beyondLow: tooWide.low, beyondHigh: tooWide.high,
    tableReservedLow: tableReserved.low, tableReservedHigh: tableReserved.high,
    leafReservedLow: leafReserved.low, leafReservedHigh: leafReserved.high,
    accessedLow: pairOf(accessed).low,
    leafCheckLow: leafCheck.low, leafCheckHigh: leafCheck.high, leafUsualLow: pairOf(value | accessed).low,
    leafInvertLow: leafInvert.low, leafInvertHigh: leafInvert.high,
    invertLow: invert.low, invertHigh: invert.high,
    read: grant(grants.read, tableGrants.read),
    write: grant(grants.write, tableGrants.write),
    execute: grant(grants.execute, tableGrants.execute),
    privileged: grant(privilegedOf(grants), privilegedOf(tableGrants)),
    user: grant(grants.user, tableGrants.user),
    grantsLow: all.low, grantsHigh: all.high,
  }
}

/** Throws RangeError where table entries as the format writes them do not permit everything: walks rely on it. */
export const walkingOf = ({ kept, parts }: Format): Walking => kept.walking ?? (kept.walking = deriveWalking(parts))
