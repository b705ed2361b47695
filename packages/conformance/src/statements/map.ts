// MAP: what a mapping is, and what is left of one that failed.
import type { IommuOps, PagingDomain } from '@iommu/core'
import { changed } from '../changed.js'
import { check, outcomeOf, refuses, same, succeeds } from '../check.js'
import { READ_WRITE } from '../bench.js'
import { declaredFormats, eachFormat, pageOf, sizesAt, sizesOf } from '../formats.js'
import type { Statement } from '../statement.js'

const READ = { read: true, write: false }
const WRITE = { read: false, write: true }

/** A driver whose maps want a sync, whether or not its hardware does. */
const syncing = (ops: IommuOps): IommuOps => {
  const allocate = ops.domainAllocPaging
  return allocate === undefined ? ops : {
    ...ops,
    domainAllocPaging(device, request) {
      const domain = allocate(device, request)
      return changed(domain, { iotlbSyncMap: (iova, size) => domain.iotlbSyncMap?.(iova, size) })
    },
  }
}

const mapCode = (domain: PagingDomain, iova: bigint, physical: bigint, size: bigint, count: number, access = READ_WRITE): string =>
  outcomeOf(() => {
    const { error } = domain.mapPages(iova, physical, size, count, access)
    if (error !== undefined) throw error
  })

export const mapStatements: readonly Statement[] = [
  {
    id: 'C-MAP-01', obliges: 'core', source: 'iommu.c __iommu_map_domain_pgtbl',
    says: 'an unaligned map is refused with EINVAL before any driver call',
    run(t) {
      const bench = t.bench()
      bench.core.probeDevice(bench.device)
      const domain = bench.core.allocPaging(bench.device)
      bench.trace.clear()
      const page = pageOf(domain)
      for (const [iova, physical, size] of [[page + 1n, 0n, page], [page, 0x10n, page], [page, page, page + page / 2n]] as const) {
        refuses('map', 'EINVAL', () => bench.core.map(domain, iova, physical, size, READ_WRITE))
      }
      same('driver calls', bench.trace.calls.length, 0)
    },
  },
  {
    id: 'C-MAP-02', obliges: 'both', source: 'iommu.c iommu_map_nosync',
    says: 'a map that fails half-way says exactly how far it came, and leaves nothing behind',
    unless: (_manifest, { mapCannotFail }) => (mapCannotFail === undefined ? undefined : `not declared: a map that can fail: ${mapCannotFail}`),
    run(t) {
      let failed = 0
      for (const format of declaredFormats(t)) {
        const bench = t.bench()
        const { core, device, machine } = bench
        core.probeDevice(device)
        const domain = core.allocPaging(device, { format })
        core.attachDevice(domain, device)
        const page = pageOf(domain)
        const physical = bench.addresses.physical(0x80_0000n)
        // A run of small pages over the end of a table: the next table finds no memory.
        const start = bench.addresses.base - 8n * page
        for (let n = 1; n <= 6; n++) {
          machine.fail.allocation(n)
          const before = bench.trace.calls.length
          const code = outcomeOf(() => core.map(domain, start, physical + page, 16n * page, READ_WRITE))
          machine.fail.allocation(undefined)
          if (code === 'ok') {
            core.unmap(domain, start, 16n * page)
            continue
          }
          failed++
          same('code', code, 'ENOMEM')
          for (let index = 0n; index < 16n; index++) bench.expect('after a failed map', { device }, start + index * page, 'blocked')
          for (let index = 0n; index < 16n; index++) same('iovaToPhys after a failed map', domain.iovaToPhys(start + index * page), undefined)
          const calls = bench.trace.calls.slice(before)
          const mapped = calls.filter(({ op }) => op === 'mapPages').reduce((sum, { result }) => sum + (result as { readonly mapped: bigint }).mapped, 0n)
          const asked = calls.filter(({ op }) => op === 'unmapPages').reduce((sum, { args }) => sum + (args[1] as bigint) * BigInt(args[2] as number), 0n)
          same('bytes that the core takes back', asked, mapped)
        }
      }
      check(failed > 0, 'nothing failed: the failures did not reach the driver')
    },
  },
  {
    id: 'C-MAP-03', obliges: 'driver', source: 'generic_pt clear_contig; io-pgtable-arm.c arm_lpae_init_pte',
    says: 'mapping over something live is refused with EADDRINUSE, and changes nothing',
    run(t) {
      eachFormat(t, (bench, domain, format) => {
        const sizes = sizesOf(domain).filter((size) => bench.addresses.base % size === 0n)
        for (const live of sizes) {
          for (const over of sizes) {
            const { base, target } = bench.addresses
            check(mapCode(domain, base, target, live, 1) === 'ok', `${format}: a page of 0x${live.toString(16)} cannot be mapped`)
            same(`${format}: a page of 0x${over.toString(16)} over one of 0x${live.toString(16)}`, mapCode(domain, base, 0n, over, 1), 'EADDRINUSE')
            bench.expect('what was live', { device: bench.device }, base + 0x123n, target + 0x123n)
            bench.unmap(domain, base, Number(live / pageOf(domain)))
            bench.expect('unmapped again', { device: bench.device }, base, 'blocked')
            if (live >= over) continue
            // Where the larger page begins nothing is live, and where it ends something is.
            const last = base + over - live
            check(mapCode(domain, last, target, live, 1) === 'ok', `${format}: a page of 0x${live.toString(16)} cannot be mapped`)
            same(`${format}: a page of 0x${over.toString(16)} that ends in one of 0x${live.toString(16)}`, mapCode(domain, base, 0n, over, 1), 'EADDRINUSE')
            bench.expect('what was live', { device: bench.device }, last + 0x123n, target + 0x123n)
            bench.unmap(domain, last, Number(live / pageOf(domain)))
          }
        }
      })
    },
  },
  {
    id: 'C-MAP-04', obliges: 'driver', source: 'generic_pt map_range',
    says: 'a mapping with neither read nor write is refused with EINVAL',
    run(t) {
      eachFormat(t, (bench, domain, format) => {
        const { base: at, target } = bench.addresses
        const page = pageOf(domain)
        same(format, mapCode(domain, at, target, page, 1, { read: false, write: false }), 'EINVAL')
        bench.expect('afterwards', { device: bench.device }, at, 'blocked')
      })
    },
  },
  {
    id: 'C-MAP-05', obliges: 'driver', source: 'the formats',
    says: 'a read-only page refuses writes, a write-only page reads; what a format cannot say is refused with EINVAL',
    run(t) {
      eachFormat(t, (bench, domain, format) => {
        const { base: at, target } = bench.addresses
        const page = pageOf(domain)
        const { device } = bench
        // A format that cannot say it refuses: more than asked would be granted.
        const reading = mapCode(domain, at, target, page, 1, READ)
        check(reading === 'ok' || reading === 'EINVAL', `${format}: a read-only page is refused with ${reading}`)
        if (reading === 'ok') {
          domain.iotlbSyncMap?.(at, page)
          bench.expect(`read-only, ${format}`, { device }, at, target, 'read')
          bench.expect(`read-only, ${format}`, { device }, at, 'blocked', 'write')
        }
        const writing = mapCode(domain, at + page, target + page, page, 1, WRITE)
        check(writing === 'ok' || writing === 'EINVAL', `${format}: a write-only page is refused with ${writing}`)
        if (writing !== 'ok') return
        domain.iotlbSyncMap?.(at + page, page)
        bench.expect(`write-only, ${format}`, { device }, at + page, target + page, 'write')
        bench.expect(`write-only, ${format}`, { device }, at + page, 'blocked', 'read')
      })
    },
  },
  {
    id: 'C-MAP-06', obliges: 'driver', source: 'generic_pt make_range_ul',
    says: 'addresses too wide are ERANGE, ranges that wrap EOVERFLOW, and no pages EINVAL',
    run(t) {
      eachFormat(t, (bench, domain, format) => {
        const at = bench.addresses.base
        const page = pageOf(domain)
        const beyond = domain.aperture.end + 1n
        // An aperture of all 64 bits: what lies beyond it wraps.
        const wide = beyond >> 64n === 0n ? ['ERANGE'] : ['ERANGE', 'EOVERFLOW']
        check(wide.includes(mapCode(domain, beyond, 0n, page, 1)), `${format}: a device address beyond the aperture is not refused with ${wide.join(' or ')}`)
        check(wide.includes(mapCode(domain, beyond - page, 0n, page, 2)), `${format}: a range that ends beyond it is not refused with ${wide.join(' or ')}`)
        const physicalEnd = 1n << BigInt(t.backend.physicalBits)
        same(`${format}: physical address`, mapCode(domain, at, physicalEnd, page, 1), 'ERANGE')
        same(`${format}: a physical range that ends beyond what there is`, mapCode(domain, at, physicalEnd - page, page, 2), 'ERANGE')
        check(['EOVERFLOW', 'ERANGE'].includes(mapCode(domain, (1n << 64n) - page, 0n, page, 2)), `${format}: a range that wraps is not refused`)
        same(`${format}: no page`, mapCode(domain, at, 0n, page, 0), 'EINVAL')
        bench.expect('afterwards', { device: bench.device }, at, 'blocked')
      })
    },
  },
  {
    id: 'C-MAP-07', obliges: 'both', source: 'iommu.c iommu_pgsize',
    says: 'a map takes the largest page size that size and both addresses allow, and hardware sees it',
    run(t) {
      for (const format of declaredFormats(t)) {
        const bench = t.bench()
        const { core, device, machine } = bench
        core.probeDevice(device)
        const domain = core.allocPaging(device, { format })
        core.attachDevice(domain, device)
        const largest = sizesOf(domain).filter((size) => size <= 0x4000_0000n && bench.addresses.base % size === 0n)
        const { base } = bench.addresses
        for (const size of largest) {
          core.map(domain, base, base, size, READ_WRITE)
          const { outcome } = machine.walk({ source: device.requesterId, kind: 'untranslated', address: base, access: 'read' })
          same(`${format}: page size for 0x${size.toString(16)}`, outcome.result === 'translated' ? outcome.pageSize : 0n, size)
          core.unmap(domain, base, size)
        }
        const [small, large] = sizesOf(domain)
        if (small === undefined || large === undefined) continue
        bench.trace.clear()
        core.map(domain, base - small, base - small, large + 2n * small, READ_WRITE)
        const taken = bench.trace.calls.filter(({ op }) => op === 'mapPages').map(({ args }) => args[2] as bigint)
        same(`${format}: page sizes of an odd range`, taken, [small, large, small])
        core.unmap(domain, base - small, large + 2n * small)
        bench.trace.clear()
        core.map(domain, base, base + small, large, READ_WRITE)
        const sizes = new Set(bench.trace.calls.filter(({ op }) => op === 'mapPages').map(({ args }) => args[2] as bigint))
        same(`${format}: page sizes where the physical address fits small pages alone`, [...sizes], [small])
        bench.expect(`${format}: the last of them`, { device }, base + large - 8n, base + small + large - 8n)
        core.unmap(domain, base, large)
      }
    },
  },
  {
    id: 'C-MAP-08', obliges: 'driver', source: 'iommu.c iommu_setup_default_domain',
    says: 'what is mapped before the first attach is live at the attach',
    run(t) {
      for (const format of declaredFormats(t)) {
        const bench = t.bench()
        bench.probe(bench.device)
        const domain = bench.paging(bench.device, format)
        const { base, target } = bench.addresses
        const page = pageOf(domain)
        bench.map(domain, base, target, 3)
        domain.attachDev(bench.device, undefined)
        bench.expect(format, { device: bench.device }, base + 2n * page, target + 2n * page)
      }
    },
  },
  {
    id: 'C-MAP-09', obliges: 'driver', source: 'iommu.h iotlb_sync_map',
    says: 'an address that faulted before succeeds once it is mapped and synced',
    run(t) {
      eachFormat(t, (bench, domain, format) => {
        const { base, target } = bench.addresses
        const offsets = [0n, pageOf(domain)]
        for (const offset of offsets) bench.dma({ device: bench.device }, base + offset)
        bench.map(domain, base, target, 2)
        for (const offset of offsets) {
          bench.expect(`mapped after a fault, ${format}`, { device: bench.device }, base + offset, target + offset)
        }
      })
    },
  },
  {
    id: 'C-MAP-10', obliges: 'core', source: 'iommu.c iommu_map',
    says: 'where the sync after a map fails the range is unmapped, and the error handed on',
    unless: (_manifest, _backend, ops) => (ops.domainAllocPaging === undefined ? 'not declared: paging' : undefined),
    run(t) {
      const bench = t.bench({ alter: syncing })
      const { core, device } = bench
      core.probeDevice(device)
      const domain = core.allocPaging(device)
      core.attachDevice(domain, device)
      const [small, large = small] = sizesAt(domain, bench.addresses.base) as [bigint, bigint?]
      const { base, target } = bench.addresses
      // Several runs of pages, of two sizes where there are two, each of which hardware has seen before the sync fails.
      const [start, size] = [base - small, 2n * small + large]
      const places = [start, base, base + large]
      bench.trace.during(({ op }) => {
        if (op === 'iotlbSyncMap') for (const at of places) bench.dma({ device }, at)
      })
      bench.trace.refuse(({ op }) => (op === 'iotlbSyncMap' ? 'ENOMEM' : undefined))
      refuses('map', 'ENOMEM', () => core.map(domain, start, target - small, size, READ_WRITE))
      bench.trace.refuse(undefined)
      for (const at of places) bench.expect('after the failed sync', { device }, at, 'blocked')
      succeeds('map again', () => core.map(domain, start, target - small, size, READ_WRITE))
    },
  },
]
