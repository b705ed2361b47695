// MAP: what a mapping is, and what is left of one that failed.
import { check, outcomeOf, refuses, same, succeeds } from '../check.js'
import type { PagingDomain } from '@iommu/core'
import { PAGE, READ_WRITE } from '../bench.js'
import { eachFormat, sizesOf } from '../formats.js'
import type { Statement } from '../statement.js'

const READ = { read: true, write: false }
const WRITE = { read: false, write: true }

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
      for (const [iova, physical, size] of [[0x1001n, 0n, PAGE], [PAGE, 0x10n, PAGE], [PAGE, PAGE, 0x1800n]] as const) {
        refuses('map', 'EINVAL', () => bench.core.map(domain, iova, physical, size, READ_WRITE))
      }
      same('driver calls', bench.trace.calls.length, 0)
    },
  },
  {
    id: 'C-MAP-02', obliges: 'both', source: 'iommu.c iommu_map_nosync',
    says: 'a map that fails half-way says exactly how far it came, and leaves nothing behind',
    run(t) {
      let failed = 0
      for (const format of t.manifest.formats) {
        const bench = t.bench()
        const { core, device, machine } = bench
        core.probeDevice(device)
        const domain = core.allocPaging(device, { format })
        core.attachDevice(domain, device)
        // A run of small pages over the end of a table: the next table finds no memory.
        const start = 0x4000_0000n - 8n * PAGE
        for (let n = 1; n <= 6; n++) {
          machine.fail.allocation(n)
          const before = bench.trace.calls.length
          const code = outcomeOf(() => core.map(domain, start, 0x80_0000n + PAGE, 16n * PAGE, READ_WRITE))
          machine.fail.allocation(undefined)
          if (code === 'ok') {
            core.unmap(domain, start, 16n * PAGE)
            continue
          }
          failed++
          same('code', code, 'ENOMEM')
          for (let page = 0n; page < 16n; page++) bench.expect('after a failed map', { device }, start + page * PAGE, 'blocked')
          for (let page = 0n; page < 16n; page++) same('iovaToPhys after a failed map', domain.iovaToPhys(start + page * PAGE), undefined)
          const calls = bench.trace.calls.slice(before)
          const unmapped = calls.filter(({ op }) => op === 'unmapPages')
          const pages = unmapped.reduce((sum, { args }) => sum + Number(args[1]) * Number(args[2]), 0)
          check(pages <= 16 * Number(PAGE), 'more was unmapped than had been mapped')
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
        for (const live of sizesOf(domain)) {
          for (const over of sizesOf(domain)) {
            const base = 0x4000_0000n
            check(mapCode(domain, base, 0x4000_0000n, live, 1) === 'ok', `${format}: a page of 0x${live.toString(16)} cannot be mapped`)
            same(`${format}: a page of 0x${over.toString(16)} over one of 0x${live.toString(16)}`, mapCode(domain, base, 0n, over, 1), 'EADDRINUSE')
            bench.expect('what was live', { device: bench.device }, base + 0x123n, base + 0x123n)
            bench.unmap(domain, base, Number(live / PAGE))
            bench.expect('unmapped again', { device: bench.device }, base, 'blocked')
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
        same(format, mapCode(domain, PAGE, 0x80_0000n, PAGE, 1, { read: false, write: false }), 'EINVAL')
        bench.expect('afterwards', { device: bench.device }, PAGE, 'blocked')
      })
    },
  },
  {
    id: 'C-MAP-05', obliges: 'driver', source: 'the formats',
    says: 'a read-only page refuses writes; a write-only page refuses reads, or cannot be mapped',
    run(t) {
      eachFormat(t, (bench, domain, format) => {
        const { device } = bench
        bench.map(domain, PAGE, 0x80_0000n, 1, READ)
        bench.expect(`read-only, ${format}`, { device }, PAGE, 0x80_0000n, 'read')
        bench.expect(`read-only, ${format}`, { device }, PAGE, 'blocked', 'write')
        if (mapCode(domain, 2n * PAGE, 0x80_1000n, PAGE, 1, WRITE) !== 'ok') return
        domain.iotlbSyncMap?.(2n * PAGE, PAGE)
        bench.expect(`write-only, ${format}`, { device }, 2n * PAGE, 0x80_1000n, 'write')
        bench.expect(`write-only, ${format}`, { device }, 2n * PAGE, 'blocked', 'read')
      })
    },
  },
  {
    id: 'C-MAP-06', obliges: 'driver', source: 'generic_pt make_range_ul',
    says: 'addresses too wide are ERANGE, ranges that wrap EOVERFLOW, and no pages EINVAL',
    run(t) {
      eachFormat(t, (bench, domain, format) => {
        const beyond = domain.aperture.end + 1n
        same(`${format}: device address`, mapCode(domain, beyond, 0n, PAGE, 1), 'ERANGE')
        same(`${format}: range that ends beyond`, mapCode(domain, beyond - PAGE, 0n, PAGE, 2), 'ERANGE')
        same(`${format}: physical address`, mapCode(domain, PAGE, 1n << BigInt(t.backend.physicalBits), PAGE, 1), 'ERANGE')
        check(['EOVERFLOW', 'ERANGE'].includes(mapCode(domain, (1n << 64n) - PAGE, 0n, PAGE, 2)), `${format}: a range that wraps is not refused`)
        same(`${format}: no page`, mapCode(domain, PAGE, 0n, PAGE, 0), 'EINVAL')
        bench.expect('afterwards', { device: bench.device }, PAGE, 'blocked')
      })
    },
  },
  {
    id: 'C-MAP-07', obliges: 'both', source: 'iommu.c iommu_pgsize',
    says: 'a map takes the largest page size that size and both addresses allow, and hardware sees it',
    run(t) {
      for (const format of t.manifest.formats) {
        const bench = t.bench()
        const { core, device, machine } = bench
        core.probeDevice(device)
        const domain = core.allocPaging(device, { format })
        core.attachDevice(domain, device)
        const largest = sizesOf(domain).filter((size) => size <= 0x4000_0000n)
        const base = 0x4000_0000n
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
      }
    },
  },
  {
    id: 'C-MAP-08', obliges: 'driver', source: 'iommu.c iommu_setup_default_domain',
    says: 'what is mapped before the first attach is live at the attach',
    run(t) {
      for (const format of t.manifest.formats) {
        const bench = t.bench()
        bench.probe(bench.device)
        const domain = bench.paging(bench.device, format)
        bench.map(domain, 0x10_0000n, 0x80_0000n, 3)
        domain.attachDev(bench.device, undefined)
        bench.expect(format, { device: bench.device }, 0x10_2000n, 0x80_2000n)
      }
    },
  },
  {
    id: 'C-MAP-09', obliges: 'driver', source: 'iommu.h iotlb_sync_map',
    says: 'an address that faulted before succeeds once it is mapped and synced',
    run(t) {
      eachFormat(t, (bench, domain, format) => {
        for (const address of [0x10_0000n, 0x10_1000n]) bench.dma({ device: bench.device }, address)
        bench.map(domain, 0x10_0000n, 0x80_0000n, 2)
        for (const address of [0x10_0000n, 0x10_1000n]) {
          bench.expect(`mapped after a fault, ${format}`, { device: bench.device }, address, address + 0x70_0000n)
        }
      })
    },
  },
  {
    id: 'C-MAP-10', obliges: 'core', source: 'iommu.c iommu_map',
    says: 'where the sync after a map fails the range is unmapped, and the error handed on',
    unless: (_manifest, _backend, ops) => (ops.domainAllocPaging === undefined ? 'not declared: paging' : undefined),
    run(t) {
      const bench = t.bench()
      const { core, device } = bench
      core.probeDevice(device)
      const domain = core.allocPaging(device)
      core.attachDevice(domain, device)
      bench.trace.refuse(({ op }) => (op === 'iotlbSyncMap' ? 'ENOMEM' : undefined))
      const code = outcomeOf(() => core.map(domain, PAGE, 0x80_0000n, 4n * PAGE, READ_WRITE))
      bench.trace.refuse(undefined)
      if (domain.iotlbSyncMap === undefined) return
      same('map', code, 'ENOMEM')
      for (let page = 1n; page <= 4n; page++) bench.expect('after the failed sync', { device }, page * PAGE, 'blocked')
      succeeds('map again', () => core.map(domain, PAGE, 0x80_0000n, 4n * PAGE, READ_WRITE))
    },
  },
]
