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
  const host = new Map<HostLevels, Format>()
  const guest = new Map<GuestLevels, Format>()
  return {
    host(levels) {
      let format = host.get(levels)
      if (format === undefined) host.set(levels, (format = amdV1({ levels, addressBits })))
      return format
    },
    guest(levels) {
      let format = guest.get(levels)
      if (format === undefined) guest.set(levels, (format = amdV2({ levels, leafShifts: [12, 21, 30], addressBits, noExecute })))
      return format
    },
  }
}
