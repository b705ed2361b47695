// UNMAP and I2P: how mappings go, when hardware has forgotten them, and what a domain says of itself.
import { createGather } from '@iommu/core'
import type { Gather, IommuOps } from '@iommu/core'
import { PARTS } from '../adversary/campaign.js'
import { changesOf, none } from '../adversary/judge.js'
import { changed } from '../changed.js'
import { check, same } from '../check.js'
import { READ_WRITE } from '../bench.js'
import { declaredFormats, eachFormat, pageOf, sizesAt } from '../formats.js'
import { withOneTranslation, withoutPaging } from '../statement.js'
import type { Statement } from '../statement.js'

export const unmapStatements: readonly Statement[] = [
  {
    id: 'C-UNMAP-01', obliges: 'driver', source: 'generic_pt __unmap_range',
    says: 'unmap answers the bytes removed, and stops at a hole',
    run(t) {
      eachFormat(t, (bench, domain, format) => {
        const { base, target } = bench.addresses
        const small = pageOf(domain)
        bench.map(domain, base, target, 4)
        bench.map(domain, base + 6n * small, target, 2)
        same(`${format}: up to the hole`, bench.unmap(domain, base, 8), 4n * small)
        same(`${format}: nothing there`, bench.unmap(domain, base, 8), 0n)
        bench.expect('behind the hole', { device: bench.device }, base + 6n * small, target)
        same(`${format}: behind the hole`, bench.unmap(domain, base + 6n * small, 2), 2n * small)
      })
    },
  },
  {
    id: 'C-UNMAP-02', obliges: 'driver', source: 'generic_pt __unmap_range; io-pgtable-arm.c',
    says: 'a part of a large page is unmapped whole, with the larger answer, or not at all; never split, never halved',
    run(t) {
      eachFormat(t, (bench, domain, format) => {
        const { base, target } = bench.addresses
        const small = pageOf(domain)
        const { device } = bench
        for (const large of sizesAt(domain, base).filter((size) => size > small)) {
          domain.mapPages(base, target, large, 1, READ_WRITE)
          bench.dma({ device }, base)
          bench.dma({ device }, base + large - 8n)
          const removed = bench.unmap(domain, base, 1)
          check(removed === large || removed === 0n, `${format}: one small page of a large one answers 0x${removed.toString(16)}`)
          const left = removed === 0n
          bench.expect(`${format}: its start`, { device }, base, left ? target : 'blocked')
          bench.expect(`${format}: its end`, { device }, base + large - 8n, left ? target + large - 8n : 'blocked')
          same(`${format}: iovaToPhys`, domain.iovaToPhys(base + small), left ? target + small : undefined)
          if (!left) domain.mapPages(base, target, large, 1, READ_WRITE)
          same(`${format}: from the middle`, bench.unmap(domain, base + small, 1), 0n)
          bench.expect(`${format}: from the middle, its start`, { device }, base, target)
          bench.unmap(domain, base, Number(large / small))
        }
      })
    },
  },
  {
    id: 'C-UNMAP-03', obliges: 'driver', source: 'iommu.h iotlb_sync',
    says: 'after the sync unmapped addresses fault on all devices, and before it they answer the old page or fault',
    run(t) {
      eachFormat(t, (bench, domain, format) => {
        const { base, target } = bench.addresses
        for (const size of sizesAt(domain, base)) {
          domain.mapPages(base, target, size, 1, READ_WRITE)
          domain.iotlbSyncMap?.(base, size)
          const last = base + size - 8n
          for (const device of bench.devices) for (const address of [base, last]) bench.dma({ device }, address)
          const gather = createGather()
          domain.unmapPages(base, size, 1, gather)
          for (const device of bench.devices) {
            const early = bench.answers({ device }, base)
            check(early.every((each) => each === 'blocked' || each === target), `${format}: a third answer before the sync`)
          }
          domain.iotlbSync?.(gather)
          for (const device of bench.devices) {
            for (const address of [base, last]) bench.expect(`${format}, after the sync`, { device }, address, 'blocked')
          }
        }
      })
    },
  },
  {
    id: 'C-UNMAP-04', obliges: 'driver', source: 'generic_pt gather_range_pending',
    says: 'a table page is not given back before the sync, and hardware has forgotten it then',
    run(t) {
      eachFormat(t, (bench, domain, format) => {
        const { base, target, physical } = bench.addresses
        const small = pageOf(domain)
        const { device, machine } = bench
        const pages = 512
        bench.map(domain, base, target, pages)
        for (let page = 0n; page < 512n; page += 64n) bench.dma({ device }, base + page * small)
        let syncing = false
        let early = 0
        const stop = machine.observe(({ kind }) => {
          if (kind === 'free' && !syncing) early++
        })
        const before = machine.memory.pages.live
        const gather: Gather = createGather()
        domain.unmapPages(base, small, pages, gather)
        same(`${format}: table pages given back before the sync`, early, 0)
        check(gather.freed.length === 0 || machine.memory.pages.live === before, 'gathered pages are not held')
        syncing = true
        domain.iotlbSync?.(gather)
        stop()
        for (let page = 0n; page < 512n; page += 64n) bench.expect(`${format}: unmapped`, { device }, base + page * small, 'blocked')
        if (t.backend.oneTranslation === true) return
        const other = bench.paging(device, format)
        bench.map(other, base, physical(0x90_0000n), 8)
        for (let page = 0n; page < 8n; page++) bench.expect(`${format}: tables in use again elsewhere`, { device }, base + page * small, 'blocked')
      })
    },
  },
  {
    id: 'C-UNMAP-05', obliges: 'core', source: 'dma-iommu.c fq_ring_free_locked',
    says: 'with a flush queue unmaps are not synced one by one, and an address is reused only after a flush of all',
    unless: withoutPaging,
    run(t) {
      // Without the driver's opinion, which may insist on strict flushes.
      const alter = ({ defDomainType: _opinion, ...ops }: IommuOps): IommuOps => ops
      const bench = t.bench({ core: { defaultType: 'dma-fq' }, alter })
      const { core, device } = bench
      core.probeDevice(device)
      same('default type', core.group(device).defaultType, 'dma-fq')
      const dma = core.dma(device)
      const small = pageOf(core.allocPaging(device))
      const { physical } = bench.addresses
      const iova = dma.map(physical(0x80_0000n), small, READ_WRITE)
      bench.dma({ device }, iova)
      bench.trace.clear()
      dma.unmap(iova, small)
      const ops = (): string[] => bench.trace.calls.map(({ op }) => op)
      check(!ops().includes('iotlbSync'), 'a queued unmap was synced by itself')
      same('waiting for the flush', dma.queued, 1)
      const second = dma.map(physical(0x81_0000n), small, READ_WRITE)
      check(second !== iova || ops().includes('flushIotlbAll'), 'the address was used again before a flush')
      dma.flush()
      check(ops().includes('flushIotlbAll'), 'the flush did not reach the driver')
      same('waiting after the flush', dma.queued, 0)
      bench.expect('after the flush', { device }, iova, second === iova ? physical(0x81_0000n) : 'blocked')
    },
  },
  {
    id: 'C-UNMAP-06', obliges: 'core', source: 'iommu.c __iommu_unmap_domain_pgtbl',
    says: 'a driver that does not use the gather still gets its sync',
    run(t) {
      const bench = t.bench({
        alter: (ops) => {
          const allocate = ops.domainAllocPaging
          return allocate === undefined ? ops : {
            ...ops,
            domainAllocPaging: (device, request) => {
              const domain = allocate(device, request)
              return changed(domain, { unmapPages: (iova, size, count) => domain.unmapPages(iova, size, count, createGather()) })
            },
          }
        },
      })
      const { core, device } = bench
      core.probeDevice(device)
      const domain = core.allocPaging(device)
      const { base, target } = bench.addresses
      const small = pageOf(domain)
      core.attachDevice(domain, device)
      core.map(domain, base, target, 4n * small, READ_WRITE)
      for (let page = 0n; page < 4n; page++) bench.dma({ device }, base + page * small)
      bench.trace.clear()
      same('bytes unmapped', core.unmap(domain, base, 4n * small), 4n * small)
      const [sync] = bench.trace.calls.filter(({ op }) => op === 'iotlbSync')
      check(sync !== undefined, 'there was no sync')
      for (let page = 0n; page < 4n; page++) bench.expect('after the sync', { device }, base + page * small, 'blocked')
    },
  },
  {
    id: 'C-UNMAP-07', obliges: 'driver', source: 'iommu.h unmap_pages, iotlb_sync', needs: 'adversary',
    says: 'while pages are mapped, replaced or unmapped a DMA meets the old page, the new one or a fault, and pages beside them are not disturbed',
    run: (t) => none(changesOf(t, ['pages']), ['during', 'disturbed']),
  },
  {
    id: 'C-UNMAP-08', obliges: 'driver', source: 'iommu.h iotlb_sync, iotlb_sync_map, flush_iotlb_all', needs: 'adversary',
    says: 'after the sync the tables\' answer is the only one, whatever hardware may have kept',
    run: (t) => none(changesOf(t, ['pages']), ['after']),
  },
  {
    id: 'C-UNMAP-09', obliges: 'driver', source: 'iommu.h iotlb_sync, flush_iotlb_all; intel/cache.c cache_tag_flush_range', needs: 'adversary',
    says: 'a domain on devices behind two units is flushed on both: no unit keeps what was unmapped, or leads into what was given back',
    run: (t) => none(changesOf(t, ['units']), ['during', 'after', 'free', 'disturbed']),
  },
  {
    id: 'C-TLB-01', obliges: 'driver', source: 'cache tags of the drivers',
    says: 'a flush takes what its own domain had cached, on every point, and leaves other domains as they were',
    unless: withOneTranslation,
    run(t) {
      for (const format of declaredFormats(t)) {
        const bench = t.bench()
        bench.probe(...bench.devices)
        const [one, other] = bench.devices as [typeof bench.device, typeof bench.device]
        const [mine, yours] = [bench.paging(one, format), bench.paging(one, format)]
        const { base, physical } = bench.addresses
        const small = pageOf(mine)
        bench.map(mine, base, physical(0x90_0000n), 4)
        bench.map(yours, base, physical(0xa0_0000n), 4)
        mine.attachDev(one, undefined)
        yours.attachDev(other, undefined)
        for (const device of [one, other]) for (let page = 0n; page < 4n; page++) bench.dma({ device }, base + page * small)
        bench.unmap(mine, base, 2)
        for (let page = 0n; page < 4n; page++) {
          bench.expect(`${format}: its own`, { device: one }, base + page * small, page < 2n ? 'blocked' : physical(0x90_0000n) + page * small)
          bench.expect(`${format}: another domain's`, { device: other }, base + page * small, physical(0xa0_0000n) + page * small)
        }
        mine.flushIotlbAll?.()
        for (let page = 2n; page < 4n; page++) bench.expect(`${format}: after a flush of all`, { device: one }, base + page * small, physical(0x90_0000n) + page * small)
      }
    },
  },
  {
    id: 'C-TLB-02', obliges: 'driver', source: 'PCIe ATS; intel/cache.c cache_tag_flush_range', needs: 'adversary',
    says: 'a device with a TLB of its own, in which it keeps what it was given, meets no more than one without',
    run: (t) => none(changesOf(t, PARTS, true), ['during', 'after']),
  },
  {
    id: 'C-I2P-01', obliges: 'driver', source: 'iommu.h iova_to_phys',
    says: 'iovaToPhys answers what hardware answers, offset included, and nothing where nothing is mapped',
    run(t) {
      eachFormat(t, (bench, domain, format) => {
        const { base, target } = bench.addresses
        const small = pageOf(domain)
        const { device } = bench
        for (const size of sizesAt(domain, base)) {
          domain.mapPages(base, target, size, 1, READ_WRITE)
          for (const address of [base, base + 0x123n, base + size - 1n]) {
            const answer = bench.answer({ device }, address)
            same(`${format}: iovaToPhys`, domain.iovaToPhys(address), answer === 'blocked' ? undefined : answer)
            same(`${format}: hardware`, answer, address - base + target)
          }
          same(`${format}: beside it`, domain.iovaToPhys(base - 1n), undefined)
          bench.unmap(domain, base, Number(size / small))
          same(`${format}: unmapped`, domain.iovaToPhys(base), undefined)
        }
      })
    },
  },
]
