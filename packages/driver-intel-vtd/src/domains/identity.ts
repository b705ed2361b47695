// The identity domain: pass-through where the unit has it, 1:1 tables where it has not.
import { IommuError } from '@iommu/core'
import type { IdentityDomain, Pasid } from '@iommu/core'
import { occupy, settable } from '@iommu/core/driver'
import type { Occupant } from '@iommu/core/driver'
import type { DeviceState } from '../devices/state.js'
import type { Driver } from '../driver.js'
import type { Unit } from '../unit.js'
import { choosePagingFormat } from './formats.js'
import { createPagingDomain } from './paging.js'
import type { VtdPagingDomain } from './paging.js'
import { identityState } from './words.js'

/** Entries of a 1:1 table, at the most; beyond that the unit's pages are too small for its address width. */
const MOST_LEAVES = 1 << 20

/** Bytes of a 1:1 table, and how many of the unit's largest pages they take. */
const extent = (unit: Unit, end: bigint, pageSizes: bigint): { readonly pageSize: bigint; readonly leaves: bigint } => {
  const all = 1n << BigInt(unit.hostAddressBits)
  const pageSize = 1n << BigInt(pageSizes.toString(2).length - 1)
  return { pageSize, leaves: (end + 1n < all ? end + 1n : all) / pageSize }
}

/** Whether the unit can do identity at all: by passing through, or with a bearable number of pages. */
export const hasIdentity = (unit: Unit): boolean => {
  if (unit.capabilities.passThrough) return true
  const { format, pageSizes } = choosePagingFormat(unit, undefined)
  return extent(unit, (1n << BigInt(format.apertureBits)) - 1n, pageSizes).leaves <= MOST_LEAVES
}

/** Maps every physical address of the unit to itself, with its largest pages. */
const mapOneToOne = (driver: Driver, unit: Unit): VtdPagingDomain => {
  const domain = createPagingDomain(driver, choosePagingFormat(unit, undefined))
  const { pageSize, leaves } = extent(unit, domain.aperture.end, domain.pageSizes)
  try {
    const { error } = domain.mapPages(0n, 0n, pageSize, Number(leaves), { read: true, write: true })
    if (error !== undefined) throw error
  } catch (error) {
    domain.free()
    throw error
  }
  return domain
}

/** One static object for all units. Shares domain id 1 where the hardware passes through by itself. */
export const createIdentityDomain = (driver: Driver): IdentityDomain => {
  const passing: Occupant<DeviceState> = { left: () => undefined }
  const tables = new Map<Unit, VtdPagingDomain>()
  const set = (state: DeviceState, pasid: Pasid): void => {
    const { unit } = state
    if (unit.capabilities.passThrough) {
      state.reserve(pasid)
      occupy(state, pasid, passing, identityState({ scalable: unit.scalable, capabilities: unit.capabilities, ats: state.ats }))
      return
    }
    if (!hasIdentity(unit)) throw new IommuError('EINVAL', 'the unit cannot pass through, and its pages are too small for 1:1 tables')
    let table = tables.get(unit)
    if (table === undefined) tables.set(unit, (table = mapOneToOne(driver, unit)))
    table.set(state, pasid)
  }
  return Object.freeze({ kind: 'identity', ...settable(driver, driver.pasids, set) } satisfies IdentityDomain)
}
