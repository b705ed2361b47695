// What Linux's SMMUv3 driver does otherwise than the contract says: each with where it is from.
import { createGather } from '@iommu/core'
import type { PagingDomain } from '@iommu/core'
import { driverOver } from '../backends.js'
import { STAGE_1 } from './variant.js'
import type { SmmuVariant } from './variant.js'

/** Maps a block where a table with live pages is: the pages are gone. */
const overPages = (domain: PagingDomain): PagingDomain => ({
  ...domain,
  mapPages(iova, physical, pageSize, count, access) {
    const smallest = domain.pageSizes & -domain.pageSizes
    const result = domain.mapPages(iova, physical, pageSize, count, access)
    if (result.error === undefined || pageSize === smallest || result.mapped > 0n) return result
    if (domain.iovaToPhys(iova) !== undefined && domain.iovaToPhys(iova + smallest) === undefined) {
      const gather = createGather()
      domain.unmapPages(iova, smallest, Number(pageSize / smallest), gather)
      domain.iotlbSync?.(gather)
      return domain.mapPages(iova, physical, pageSize, count, access)
    }
    return result
  },
})

export const linuxVariants: readonly SmmuVariant[] = [{
  id: 'linux-block-over-table',
  title: 'a block is mapped over a table in which pages are alive',
  breaks: ['C-MAP-03'],
  on: STAGE_1,
  profile: {
    name: 'linux-7.3',
    does: 'maps a block over a table in which pages are alive: the table goes, and its pages with it',
    source: 'drivers/iommu/io-pgtable-arm.c arm_lpae_init_pte, 7.3.4',
  },
  createDriver(machines, { warn }) {
    const driver = driverOver(machines, warn)
    const allocate = driver.domainAllocPaging
    return allocate === undefined ? driver : { ...driver, domainAllocPaging: (device, request) => overPages(allocate(device, request)) }
  },
}]
