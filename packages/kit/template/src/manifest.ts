// The manifest: what this backend declares. The suite runs what is declared, and shows the rest with its reason.
import { CONTRACT } from '@iommu/core'
import type { Manifest } from '@iommu/core'

const NOWHERE = { rid: false, pasid: false } as const

export const manifest: Manifest = Object.freeze({
  contract: CONTRACT,
  name: 'driver-acme',
  hardware: 'Acme IOMMU',
  blocked: { rid: true, pasid: false },
  identity: NOWHERE,
  paging: NOWHERE,
  sva: NOWHERE,
  maxPasids: 0,
  pasidsOutliveBlockedRid: false,
  standInBlocks: false,
  formats: [],
  hitless: [],
  limits: Object.freeze({
    identity: 'not built yet',
    paging: 'not built yet',
    pasid: 'not built yet',
  }),
})
