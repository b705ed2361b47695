// The table formats that a unit reads, derived from what it can do.
import { amdV1, amdV2 } from '@iommu/page-table'
import type { Format } from '@iommu/page-table'
import type { Capabilities, GuestLevels, HostLevels } from '../tables/index.js'

/** The table formats that the unit reads, by levels. */
export interface Formats {
  readonly host: (levels: HostLevels) => Format
  readonly guest: (levels: GuestLevels) => Format
}

/** Formats are made once per unit: what is reserved in an entry depends on the unit's capabilities. */
export const createFormats = ({ noExecute }: Capabilities, addressBits: number): Formats => {
  const host: Format[] = []
  const guest: Format[] = []
  return {
    host: (levels) => host[levels] ??= amdV1({ levels, addressBits }),
    guest: (levels) => guest[levels] ??= amdV2({ levels, leafShifts: [12, 21, 30], addressBits, noExecute }),
  }
}
