// The manifest: what this backend declares, from what the units can do.
import { CONTRACT } from '@iommu/core'
import type { Manifest } from '@iommu/core'
import { UNBUILT } from '@iommu/core/driver'
import { formatNames } from './domains/formats.js'
import { hasIdentity } from './domains/identity.js'
import { svaObstacle } from './domains/sva.js'
import type { Unit } from './unit.js'

/** The declaration of a driver over these units; the first one's formats and PASIDs. */
export const declare = (units: readonly Unit[]): Manifest => {
  const [unit] = units as [Unit]
  const { capabilities, scalable } = unit
  const pasids = scalable && capabilities.pasidBits > 0
  const maxPasids = pasids ? 2 ** capabilities.pasidBits : 0
  const everywhere = { rid: true, pasid: pasids }
  const identity = units.every(hasIdentity)
  return Object.freeze({
    contract: CONTRACT,
    name: 'driver-intel-vtd',
    hardware: `Intel VT-d, ${scalable ? 'scalable' : 'legacy'} mode`,
    blocked: everywhere,
    identity: identity ? everywhere : { rid: false, pasid: false },
    paging: everywhere,
    sva: { rid: false, pasid: svaObstacle(unit, { levels: 4, pageShift: 12 }) === undefined },
    maxPasids,
    pasidsOutliveBlockedRid: pasids,
    standInBlocks: true,
    formats: formatNames(unit),
    hitless: [],
    limits: Object.freeze({
      ...(pasids ? {} : { pasid: scalable ? 'ECAP.PASID is 0' : 'legacy mode has one domain per requester id' }),
      ...(identity ? {} : { identity: 'no pass-through, and pages too small for 1:1 tables' }),
      hitless: 'a present entry is never replaced in place: a switch blocks DMA for a moment',
      ...UNBUILT,
    }),
  })
}
