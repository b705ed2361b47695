// The table formats that a unit reads, derived from what it can do.
import { svFirstStage, svSecondStage } from '@iommu/page-table'
import type { Format } from '@iommu/page-table'
import type { Capabilities, Levels } from '../tables/index.js'

/** The format that a stage of so many levels is read by. `setsAccessed`: hardware sets A and D (SADE, GADE). */
export type Formats = (stage: 'first' | 'second', levels: Levels, setsAccessed: boolean) => Format

/** Formats are made once per unit: what is reserved in an entry depends on the unit's capabilities. */
export const createFormats = ({ physicalBits, memoryTypes, softwareBits }: Capabilities): Formats => {
  const made = { first: [] as Format[], second: [] as Format[] }
  return (stage, levels, setsAccessed) => {
    const options = { levels, physicalBits, setsAccessed, memoryTypes, softwareBits }
    return made[stage][levels * 2 + (setsAccessed ? 1 : 0)] ??= stage === 'first' ? svFirstStage(options) : svSecondStage(options)
  }
}
