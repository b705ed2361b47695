// Mutants of mapping, unmapping and flushing.
import { createGather, errorCode, gatherAdd, gatherReset } from '@iommu/core'
import type { Device, IommuOps, PagingDomain } from '@iommu/core'
import { frameOf } from '@iommu/hardware'
import { changed } from '../changed.js'
import { alterPaging } from './mutant.js'
import type { OpsMutant } from './mutant.js'

/** A page that nothing else maps, aligned to every size that is unmapped. */
const ELSEWHERE = 0x8000_0000n

const smallest = ({ pageSizes }: PagingDomain): bigint => pageSizes & -pageSizes

/** Allocates domains that have a twin for the devices of another unit: its pages come and go with the domain's, and are never flushed. */
const perUnit = (allocate: NonNullable<IommuOps['domainAllocPaging']>): NonNullable<IommuOps['domainAllocPaging']> => (home, request) => {
  const domain = allocate(home, request)
  const changes: ((of: PagingDomain) => void)[] = []
  let twin: PagingDomain | undefined
  const both = <T>(change: (of: PagingDomain) => T): T => {
    changes.push(change)
    if (twin !== undefined) change(twin)
    return change(domain)
  }
  /** The domain for a device; itself where the other unit cannot have one like it. */
  const of = (device: Device): PagingDomain => {
    if ((device.unit ?? 0) === (home.unit ?? 0)) return domain
    if (twin === undefined) {
      try {
        twin = allocate(device, request)
      } catch {
        return domain
      }
      for (const change of changes) change(twin)
    }
    return twin
  }
  return changed(domain, {
    attachDev: (device, old) => of(device).attachDev(device, old),
    ...(domain.setDevPasid === undefined ? {} : {
      setDevPasid: (device, pasid, old) => of(device).setDevPasid?.(device, pasid, old),
    } satisfies Partial<PagingDomain>),
    mapPages: (...args) => both((each) => each.mapPages(...args)),
    unmapPages: (iova, size, count, gather) => both((each) => each.unmapPages(iova, size, count, each === domain ? gather : createGather())),
    iotlbSyncMap: (iova, size) => both((each) => each.iotlbSyncMap?.(iova, size)),
    free() {
      twin?.free()
      domain.free()
    },
  })
}

export const mapMutants: readonly OpsMutant[] = [
  {
    id: 'map-progress-lost', title: 'a map that fails half-way says that it mapped nothing', breaks: ['C-MAP-02'],
    alter: alterPaging((domain) => ({
      mapPages(...args) {
        const result = domain.mapPages(...args)
        return result.error === undefined ? result : { ...result, mapped: 0n }
      },
    })),
  },
  {
    id: 'map-overwrites', title: 'mapping over something live replaces it', breaks: ['C-MAP-03'],
    alter: alterPaging((domain) => ({
      mapPages(iova, physical, size, count, access) {
        const gather = createGather()
        domain.unmapPages(iova, size, count, gather)
        domain.iotlbSync?.(gather)
        return domain.mapPages(iova, physical, size, count, access)
      },
    })),
  },
  {
    id: 'large-map-overwrites', title: 'a large page takes the place of small ones unless one begins where it does', breaks: ['C-MAP-03'],
    anywhere: true,
    alter: alterPaging((domain) => ({
      mapPages(iova, physical, size, count, access) {
        const small = smallest(domain)
        const result = domain.mapPages(iova, physical, size, count, access)
        if (result.error === undefined || result.mapped > 0n || size === small || domain.iovaToPhys(iova) !== undefined) return result
        const gather = createGather()
        for (let at = iova; at < iova + size; at += small) domain.unmapPages(at, small, 1, gather)
        domain.iotlbSync?.(gather)
        return domain.mapPages(iova, physical, size, count, access)
      },
    })),
  },
  {
    id: 'map-end-unchecked', title: 'of a physical range only the beginning is compared with what there is', breaks: ['C-MAP-06'],
    alter: alterPaging((domain) => ({
      mapPages(iova, physical, size, count, access) {
        const result = domain.mapPages(iova, physical, size, count, access)
        if (errorCode(result.error) !== 'ERANGE' || iova + size * BigInt(count) - 1n > domain.aperture.end) return result
        const first = domain.mapPages(iova, physical, size, 1, access)
        return first.error === undefined ? { mapped: size * BigInt(count) } : first
      },
    })),
  },
  {
    id: 'map-without-permission', title: 'a mapping with neither read nor write can be read', breaks: ['C-MAP-04'],
    alter: alterPaging((domain) => ({
      mapPages: (iova, physical, size, count, access) =>
        domain.mapPages(iova, physical, size, count, access.read || access.write ? access : { read: true, write: false }),
    })),
  },
  {
    id: 'map-always-writable', title: 'read-only mappings can be written', breaks: ['C-MAP-05'],
    alter: alterPaging((domain) => ({
      mapPages: (iova, physical, size, count, access) =>
        domain.mapPages(iova, physical, size, count, access.read ? { read: true, write: true } : access),
    })),
  },
  {
    id: 'map-wide-wraps', title: 'bits of a device address beyond the tables are dropped', breaks: ['C-MAP-06'],
    alter: alterPaging((domain) => ({
      mapPages: (iova, physical, size, count, access) =>
        domain.mapPages(iova & domain.aperture.end, physical, size, count, access),
    })),
  },
  {
    id: 'map-small-pages', title: 'large pages are mapped as many small ones', breaks: ['C-MAP-07', 'C-UNMAP-02', 'C-MAP-03'],
    alter: alterPaging((domain) => ({
      mapPages(iova, physical, size, count, access) {
        const small = smallest(domain)
        // Only 2 MiB pages are taken apart: enough to see, and quick.
        return size !== 0x20_0000n ? domain.mapPages(iova, physical, size, count, access)
          : domain.mapPages(iova, physical, small, count * Number(size / small), access)
      },
    })),
  },
  {
    id: 'map-before-attach-lost', title: 'what is mapped before the first attach is forgotten', breaks: [
      'C-MAP-08', 'C-ATTACH-04', 'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-10', 'C-ATTACH-11', 'C-ATTACH-12',
      'C-ATTACH-17', 'C-BLOCK-05', 'C-BLOCK-06', 'C-IDENT-05', 'C-ROLL-03', 'C-REL-05', 'C-RESV-01', 'C-RESV-02',
      'C-RESV-03', 'C-RESET-01', 'C-RESET-04', 'C-PASID-03', 'C-PASID-04', 'C-PASID-05', 'C-PASID-06',
      'C-PASID-09', 'C-PASID-12', 'C-PASID-13', 'C-UNMAP-06', 'C-TLB-01', 'C-PASID-17', 'C-TLB-02', 'C-PASID-08',
    ],
    alter: alterPaging((domain) => {
      let attached = false
      return {
        attachDev(device, old) {
          attached = true
          domain.attachDev(device, old)
        },
        mapPages: (iova, physical, size, count, access) =>
          (attached ? domain.mapPages(iova, physical, size, count, access) : { mapped: size * BigInt(count) }),
      }
    }),
  },
  {
    id: 'map-not-synced', title: 'nothing is flushed after a map, although absent entries may be cached', breaks: [
      'C-MAP-09', 'C-UNMAP-08', 'C-UNMAP-09', 'C-TLB-02',
    ], anywhere: true,
    alter: alterPaging(() => ({ iotlbSyncMap: () => undefined })),
  },
  {
    id: 'unmap-answers-asked', title: 'unmap answers what was asked for, whatever was there', breaks: ['C-UNMAP-01', 'C-UNMAP-02'],
    alter: alterPaging((domain) => ({
      unmapPages(iova, size, count, gather) {
        domain.unmapPages(iova, size, count, gather)
        return size * BigInt(count)
      },
    })),
  },
  {
    id: 'unmap-halves', title: 'a part of a large page is unmapped whole, and answered as the part', breaks: ['C-UNMAP-02'], anywhere: true,
    alter: alterPaging((domain) => ({
      unmapPages(iova, size, count, gather) {
        const removed = domain.unmapPages(iova, size, count, gather)
        const asked = size * BigInt(count)
        return removed > asked ? asked : removed
      },
    })),
  },
  {
    id: 'unmap-not-flushed', title: 'the sync after an unmap flushes nothing', breaks: [
      'C-UNMAP-03', 'C-PASID-11', 'C-UNMAP-02', 'C-UNMAP-04', 'C-TLB-01', 'C-UNMAP-07', 'C-UNMAP-08', 'C-UNMAP-09', 'C-TLB-02',
      'C-MAP-10', 'C-UNMAP-06',
    ],
    alter: alterPaging(() => ({ iotlbSync: gatherReset })),
  },
  {
    id: 'second-unit-not-flushed', title: 'a domain has tables of its own for each unit, and flushes those of the first alone',
    // With tables for each unit no unit refuses what another can do.
    breaks: ['C-UNMAP-09', 'C-ATTACH-07', 'C-ATTACH-10'], anywhere: true,
    alter: (ops) => (ops.domainAllocPaging === undefined ? ops : { ...ops, domainAllocPaging: perUnit(ops.domainAllocPaging) }),
  },
  {
    id: 'tables-freed-early', title: 'unmap flushes and frees at once, before the sync', breaks: ['C-UNMAP-04'],
    alter: alterPaging((domain) => ({
      unmapPages(iova, size, count, gather) {
        const removed = domain.unmapPages(iova, size, count, gather)
        domain.iotlbSync?.(gather)
        return removed
      },
    })),
  },
  {
    id: 'tables-freed-before-flush', title: 'unmap gives table pages back before anything is flushed', breaks: [
      'C-FREE-02', 'C-UNMAP-04', 'C-UNMAP-07', 'C-UNMAP-08', 'C-UNMAP-09', 'C-TLB-02',
    ],
    alter: alterPaging((domain, _ops, device, { machines }) => ({
      unmapPages(iova, size, count, gather) {
        const removed = domain.unmapPages(iova, size, count, gather)
        for (const table of gather.freed.splice(0)) machines[device.unit ?? 0]?.memory.pages.free(frameOf(table))
        return removed
      },
    })),
  },
  {
    id: 'unmap-points-elsewhere', title: 'a page that is unmapped leads to another one for a moment', breaks: [
      'C-UNMAP-07', 'C-UNMAP-09', 'C-UNMAP-04', 'C-TLB-02',
    ],
    alter: alterPaging((domain) => ({
      unmapPages(iova, size, count, gather) {
        const removed = domain.unmapPages(iova, size, count, gather)
        if (removed === 0n) return removed
        const { mapped } = domain.mapPages(iova, ELSEWHERE, size, 1, { read: true, write: true })
        if (mapped > 0n) domain.unmapPages(iova, size, 1, gather)
        return removed
      },
    })),
  },
  {
    id: 'flush-before-unmap', title: 'an unmap flushes first, and clears the entries afterwards', breaks: [
      'C-UNMAP-08', 'C-UNMAP-09', 'C-UNMAP-03', 'C-UNMAP-07', 'C-TLB-02',
    ],
    alter: alterPaging((domain) => ({
      unmapPages(iova, size, count) {
        const early = createGather()
        gatherAdd(early, iova, size * BigInt(count), size)
        domain.iotlbSync?.(early)
        return domain.unmapPages(iova, size, count, createGather())
      },
    })),
  },
  {
    id: 'i2p-page-only', title: 'iovaToPhys drops the offset', breaks: ['C-I2P-01'],
    alter: alterPaging((domain) => ({
      iovaToPhys(iova) {
        const physical = domain.iovaToPhys(iova)
        return physical === undefined ? undefined : physical & ~0xfffn
      },
    })),
  },
]
