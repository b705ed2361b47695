// Variants of map and unmap.
import { isPaging } from '../contract/domain.js'
import { choosePages, pageSizesOf, smallestPage } from '../layer/page-size.js'
import { coreSteps } from '../layer/steps.js'
import type { CoreVariant } from './variant.js'
import { withSteps } from './variant.js'

export const mapVariants: readonly CoreVariant[] = [
  {
    id: 'unaligned-map-passed-on',
    title: 'passes maps to the driver that no page size fits',
    breaks: ['C-MAP-01', 'C-UNMAP-02'],
    create: withSteps({ isAligned: () => true }),
  },
  {
    id: 'failed-map-left',
    title: 'leaves what a map had done before it failed',
    breaks: ['C-MAP-02', 'C-MAP-03', 'C-MAP-06', 'C-MAP-10', 'C-RESV-01'],
    create: withSteps({ unwindMap: () => {} }),
  },
  {
    id: 'failed-map-unmaps-all',
    title: 'unmaps the whole range of a map that failed, although not all of it was its own',
    breaks: ['C-MAP-02', 'C-MAP-03'],
    create: withSteps({
      unwindMap: (core, domain, iova, _mapped, requested) => {
        core.steps.unmap(core, domain, iova, requested)
      },
    }),
  },
  {
    id: 'failed-map-unmaps-one-more',
    title: 'unmaps a page more than a failed map had mapped, which may be another map\'s',
    breaks: ['C-MAP-02'],
    create: withSteps({
      unwindMap: (core, domain, iova, mapped, requested) => {
        if (mapped > 0n) core.steps.unmap(core, domain, iova, mapped < requested ? mapped + smallestPage(domain.pageSizes) : mapped)
      },
    }),
  },
  {
    id: 'page-size-by-device-address',
    title: 'chooses page sizes by the device address, and rounds the physical one down to them',
    breaks: ['C-MAP-07', 'C-MAP-01'],
    create: withSteps({
      map: (core, domain, iova, physical, size, access) => {
        const sizes = isPaging(domain) ? pageSizesOf(domain.pageSizes) : []
        const fits = sizes.find((each) => each <= size && (iova & (each - 1n)) === 0n) ?? 1n
        coreSteps.map(core, domain, iova, physical - physical % fits, size, access)
      },
    }),
  },
  {
    id: 'failed-sync-unmaps-first-run',
    title: 'unmaps the first run of pages of a range whose sync failed, and leaves the others',
    breaks: ['C-MAP-10'],
    create: withSteps({
      syncMap: (core, domain, iova, size) => {
        try {
          domain.iotlbSyncMap?.(iova, size)
        } catch (error) {
          const { pageSize, count } = choosePages(domain.pageSizes, iova, iova, size)
          core.steps.unmap(core, domain, iova, pageSize * BigInt(count))
          throw error
        }
      },
    }),
  },
  {
    id: 'failed-sync-left',
    title: 'leaves a range mapped whose sync failed',
    breaks: ['C-MAP-10'],
    create: withSteps({ syncMap: (_core, domain, iova, size) => domain.iotlbSyncMap?.(iova, size) }),
  },
]

export const unmapVariants: readonly CoreVariant[] = [
  {
    id: 'queued-address-reused',
    title: 'reuses the address of a queued unmap without a flush',
    breaks: ['C-UNMAP-05', 'C-UNMAP-03'],
    create: withSteps({
      retireIova: (core, space, range) => coreSteps.retireIova(core, space, range, false),
    }),
  },
  {
    id: 'queued-unmap-flushes',
    title: 'flushes everything for each queued unmap',
    breaks: ['C-UNMAP-05'],
    create: withSteps({
      retireIova: (core, space, range, queued) => {
        coreSteps.retireIova(core, space, range, queued)
        if (queued) core.steps.flushQueue(space)
      },
    }),
  },
  {
    id: 'ungathered-not-synced',
    title: 'does not sync where the driver left the gather empty',
    breaks: ['C-UNMAP-06', 'C-UNMAP-03'],
    create: withSteps({ ensureGathered: () => {} }),
  },
  {
    id: 'ungathered-synced-at-its-start',
    title: 'syncs the first page alone where the driver left the gather empty',
    breaks: ['C-UNMAP-06'],
    create: withSteps({
      ensureGathered: (gather, iova, unmapped, page) => coreSteps.ensureGathered(gather, iova, unmapped > page ? page : unmapped, page),
    }),
  },
]
