// The table formats that a unit reads, derived from what it can do.
import { firstStage, secondStage } from '@iommu/page-table'
import type { Format } from '@iommu/page-table'
import type { Capabilities, Levels } from '../tables/index.js'

/** The table formats that the unit reads, by levels. */
export interface Formats {
  readonly second: (levels: Levels) => Format
  readonly first: (levels: Levels) => Format
}

/** Formats are made once per unit: what is reserved in an entry depends on the unit's capabilities. */
export const createFormats = (capabilities: Capabilities, hostAddressBits: number): Formats => {
  const second: Format[] = []
  const first: Format[] = []
  return {
    second: (levels) => second[levels] ??= secondStage({
      levels, leafShifts: capabilities.secondStageLeaves as (12 | 21 | 30)[], addressBits: hostAddressBits,
      snoopControl: capabilities.snoopControl,
    }),
    first: (levels) => first[levels] ??= firstStage({
      levels: levels as 4 | 5, leafShifts: capabilities.firstStageLeaves as (12 | 21 | 30)[],
      addressBits: hostAddressBits, noExecute: false,
    }),
  }
}
