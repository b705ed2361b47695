// BLOCK: the static domain in which everything faults, and the empty domain that stands in for it.
import type { IommuOps } from '@iommu/core'
import { declaredFormats } from '../formats.js'
import { check, outcomeOf, refuses, same, succeeds } from '../check.js'
import { PAGE, probeAddresses } from '../bench.js'
import { allStates, blockedState, isOverPasids, pagingState, ridOverPasids, someStates } from '../states.js'
import { withoutBlockedDomain, withoutPasids } from '../statement.js'
import type { Statement } from '../statement.js'

/** The driver without its static blocked domain. */
export const withoutBlocked = (ops: IommuOps): IommuOps => {
  const { blockedDomain: _blocked, releaseDomain: _release, ...rest } = ops
  return rest
}

export const blockedStatements: readonly Statement[] = [
  {
    id: 'C-BLOCK-01', obliges: 'driver', source: 'iommu.h blocked_domain',
    says: 'blocked can be attached from every state, whatever fails',
    unless: withoutBlockedDomain,
    run(t) {
      const bench = t.bench({ devices: [{ requesterId: 0x20, ats: true, endpoint: { pasidWidth: 20, atsQueueDepth: 0 } }] })
      bench.probe(bench.device)
      const { fail } = bench.machine
      const inject = [
        () => fail.allocation(1),
        ...[1, 2, 3, 4].map((n) => () => fail.queueError(n)),
        () => fail.completions('never'),
        () => fail.deviceTlb(0x20, 'times out'),
      ]
      for (const state of someStates(bench, bench.device)) {
        for (const breakIt of inject) {
          state.domain.attachDev?.(bench.device, undefined)
          breakIt()
          const code = outcomeOf(() => bench.blocked.attachDev?.(bench.device, state.domain))
          fail.allocation(undefined)
          fail.queueError(undefined)
          fail.completions('prompt')
          fail.deviceTlb(0x20, 'answers')
          same(`blocked after ${state.name}`, code, 'ok')
          const { outcome } = bench.machine.walk({ source: 0x20, kind: 'untranslated', address: bench.addresses.mapped[0], access: 'read' })
          same(`the tables after blocked after ${state.name}`, outcome.result, 'blocked')
        }
      }
    },
  },
  {
    id: 'C-BLOCK-02', obliges: 'driver', source: 'riscv, s390, amd and intel blocking ops',
    says: 'on blocked every read and write faults, wherever it goes and whatever was mapped before',
    unless: withoutBlockedDomain,
    run(t) {
      const bench = t.bench({ devices: [{ requesterId: 0x20, aliases: [0x21], endpoint: { pasidWidth: 20 } }] })
      bench.probe(bench.device)
      for (const state of allStates(bench, bench.device)) {
        state.domain.attachDev?.(bench.device, undefined)
        for (const address of [...bench.addresses.probed, ...probeAddresses(t.backend)]) bench.dma({ device: bench.device }, address)
        bench.blocked.attachDev?.(bench.device, state.domain)
        bench.expectBlocked(`blocked after ${state.name}`, { device: bench.device })
      }
    },
  },
  {
    id: 'C-BLOCK-03', obliges: 'driver', source: 'iommu.h; all drivers',
    says: 'blocked is one static object for all devices and PASIDs, without owner and without free',
    run(t) {
      const bench = t.bench()
      const { blocked } = bench
      bench.probe(...bench.devices)
      check(bench.ops.blockedDomain === blocked, 'the blocked domain is not the same object any more')
      same('kind', blocked.kind, 'blocked')
      same('owner', blocked.owner, undefined)
      same('free', blocked.free, undefined)
      for (const device of bench.devices) succeeds(`blocked on ${device.name}`, () => blocked.attachDev?.(device, undefined))
      for (const device of bench.devices) bench.expectBlocked('shared', { device })
      if (!t.manifest.blocked.pasid) return
      const points = bench.devices.map((device, index) => ({ device, pasid: 5 + index }))
      for (const { device, pasid } of points) {
        ridOverPasids(bench, device, 0).domain.attachDev?.(device, undefined)
        const { domain } = pagingState(bench, device, 1, undefined, true)
        domain.setDevPasid?.(device, pasid, undefined)
        succeeds(`blocked on PASID ${pasid} of ${device.name}`, () => blocked.setDevPasid?.(device, pasid, domain))
      }
      for (const point of points) bench.expectBlocked('shared by PASIDs', point)
    },
  },
  {
    id: 'C-BLOCK-04', obliges: 'driver', source: 'amd/iommu.c blocked_domain_attach_device',
    says: 'blocked works before any other domain was ever attached',
    run(t) {
      const bench = t.bench()
      bench.probe(bench.device)
      succeeds('blocked as the first domain', () => bench.blocked.attachDev?.(bench.device, undefined))
      bench.expectBlocked('blocked as the first domain', { device: bench.device })
    },
  },
  {
    id: 'C-BLOCK-05', obliges: 'driver', source: 'arm-smmu-v3.c arm_smmu_attach_dev_blocked',
    says: 'blocking the requester id leaves live PASIDs alive, at every step',
    unless: (manifest) => withoutPasids(manifest)
      ?? (manifest.pasidsOutliveBlockedRid ? undefined : 'not declared: PASIDs under a blocked requester id'),
    run(t) {
      const bench = t.bench()
      bench.probe(bench.device)
      const alive = pagingState(bench, bench.device, 9, undefined, true)
      const point = { device: bench.device, pasid: 5 }
      for (const state of allStates(bench, bench.device).filter(({ kind }) => isOverPasids(t.manifest, kind))) {
        state.domain.attachDev?.(bench.device, undefined)
        alive.domain.setDevPasid?.(bench.device, 5, undefined)
        const undisturbed = (): void => {
          for (const address of bench.addresses.probed) bench.expect('PASID under a blocked requester id', point, address, alive.expected(address))
        }
        bench.watch(() => bench.blocked.attachDev?.(bench.device, state.domain), undisturbed)
        undisturbed()
        bench.expectBlocked('the requester id', { device: bench.device })
      }
    },
  },
  {
    id: 'C-BLOCK-06', obliges: 'driver', source: 'iommu.c __iommu_device_set_domain',
    says: 'after blocked returns the old domain may be freed at once: nothing reads or writes its tables any more',
    unless: withoutBlockedDomain,
    run(t) {
      for (const format of declaredFormats(t)) {
        const bench = t.bench()
        bench.probe(bench.device)
        const freed = new Set<number>()
        let strayed: bigint | undefined
        bench.machine.observe((event) => {
          if (event.kind === 'free') for (let frame = event.frame; frame < event.frame + event.count; frame++) freed.add(frame)
          if (event.kind === 'allocate') for (let frame = event.frame; frame < event.frame + event.count; frame++) freed.delete(frame)
          if (event.kind === 'store' && freed.has(Number(event.address >> 12n))) strayed ??= event.address
        })
        const state = pagingState(bench, bench.device, 0, format)
        state.domain.attachDev(bench.device, undefined)
        for (const address of bench.addresses.probed) bench.dma({ device: bench.device }, address)
        bench.blocked.attachDev?.(bench.device, state.domain)
        state.domain.free()
        check(freed.size > 0, 'free gave no table back')
        // The pages still hold the old tables: a walk that went there would find the old translation.
        for (const address of bench.addresses.probed) bench.expect(`after ${state.name} was freed`, { device: bench.device }, address, 'blocked')
        const next = pagingState(bench, bench.device, 1, format)
        next.domain.attachDev(bench.device, bench.blocked)
        for (const address of bench.addresses.probed) bench.expect(`${format} in reused pages`, { device: bench.device }, address, next.expected(address))
        same(`${format}: stores to what was freed`, strayed, undefined)
      }
    },
  },
  {
    id: 'C-BLOCK-07', obliges: 'core', source: 'iommu.c iommu_iova_to_phys',
    says: 'iovaToPhys on blocked is nothing, without a driver call',
    run(t) {
      const bench = t.bench()
      bench.core.probeDevice(bench.device)
      bench.trace.clear()
      same('iovaToPhys', bench.core.iovaToPhys(bench.blocked, bench.addresses.mapped[0]), undefined)
      same('driver calls', bench.trace.calls.length, 0)
    },
  },
  {
    id: 'C-BLOCK-08', obliges: 'both', source: 'iommu.c iommu_map_nosync, __iommu_unmap',
    says: 'blocked cannot be mapped: the members are absent, and the core answers EINVAL and 0',
    run(t) {
      const bench = t.bench()
      bench.core.probeDevice(bench.device)
      check(!('mapPages' in bench.blocked) && !('unmapPages' in bench.blocked), 'the blocked domain has map or unmap')
      refuses('map', 'EINVAL', () => bench.core.map(bench.blocked, bench.addresses.mapped[0], 0n, PAGE, { read: true, write: true }))
      same('unmap', bench.core.unmap(bench.blocked, bench.addresses.mapped[0], PAGE), 0n)
    },
  },
  {
    id: 'C-BLOCK-09', obliges: 'core', source: 'iommu.c __iommu_group_alloc_blocking_domain',
    says: 'for a driver without a blocked domain a claim allocates one empty domain for the group, once',
    unless: ({ standInBlocks }) => (standInBlocks ? undefined : 'not declared: an empty domain that blocks'),
    run(t) {
      const bench = t.bench({ alter: withoutBlocked })
      const { core, device } = bench
      core.probeDevice(device)
      bench.trace.clear()
      const group = core.group(device)
      const allocations = (): number => bench.trace.calls.filter(({ op }) => op === 'domainAllocPaging').length
      core.claimGroup(group, {})
      same('allocations of the first claim', allocations(), 1)
      for (const address of probeAddresses(t.backend)) bench.expect('claimed, on the stand-in', { device }, address, 'blocked')
      core.releaseGroup(group)
      core.claimGroup(group, {})
      same('allocations of two claims', allocations(), 1)
      const [, other] = bench.devices as [typeof device, typeof device]
      if (t.backend.oneTranslation === true) return
      core.probeDevice(other)
      bench.trace.clear()
      core.claimGroup(core.group(other), {})
      same('allocations of the claim of another group', allocations(), 1)
      check(core.group(other).blockingDomain !== group.blockingDomain, 'two groups share a stand-in')
    },
  },
  {
    id: 'C-BLOCK-10', obliges: 'driver', source: 'iommu.c __iommu_group_alloc_blocking_domain',
    says: 'a paging domain in which nothing is mapped faults everywhere',
    unless: ({ standInBlocks }) => (standInBlocks ? undefined : 'not declared: an empty domain that blocks'),
    run(t) {
      const bench = t.bench()
      bench.probe(bench.device)
      for (const format of declaredFormats(t)) {
        bench.paging(bench.device, format).attachDev(bench.device, undefined)
        bench.expectBlocked(`an empty ${format} domain`, { device: bench.device })
      }
    },
  },
  {
    id: 'C-BLOCK-11', obliges: 'driver', source: 'the thread of May 2022: blocking or identity, the trick is knowing which',
    says: 'the entry of a blocked device is one that hardware reads as a block, not as a pass-through',
    unless: withoutBlockedDomain,
    run(t) {
      const bench = t.bench()
      bench.probe(bench.device)
      for (const state of [blockedState(bench), ...allStates(bench, bench.device)]) {
        state.domain.attachDev?.(bench.device, undefined)
        bench.blocked.attachDev?.(bench.device, state.domain)
        const { outcome, steps } = bench.machine.walk({ source: bench.device.requesterId, kind: 'untranslated', address: bench.addresses.mapped[1], access: 'write' })
        check(steps.length > 0, 'hardware reads no entry at all: translation is off')
        same(`the tables after ${state.name}`, outcome.result, 'blocked')
      }
    },
  },
  {
    id: 'C-BLOCK-12', obliges: 'driver', source: 'amd/iommu.c detach_device; arm-smmu-v3.c arm_smmu_attach_dev',
    says: 'where PASIDs do not outlive a blocked requester id they are blocked with it, and the next domain that has room for them brings them back',
    unless: (manifest) => withoutPasids(manifest)
      ?? (manifest.pasidsOutliveBlockedRid ? 'the backend declares PASIDs under a blocked requester id' : undefined),
    run(t) {
      const bench = t.bench()
      bench.probe(bench.device)
      const under = ridOverPasids(bench, bench.device, 0)
      under.domain.attachDev?.(bench.device, undefined)
      const alive = pagingState(bench, bench.device, 9, undefined, true)
      const point = { device: bench.device, pasid: 5 }
      alive.domain.setDevPasid?.(bench.device, 5, undefined)
      for (let round = 0; round < 2; round++) {
        for (const address of bench.addresses.probed) bench.dma(point, address)
        bench.blocked.attachDev?.(bench.device, under.domain)
        bench.expectBlocked('the requester id', { device: bench.device })
        bench.expectBlocked('its PASID', point)
        under.domain.attachDev?.(bench.device, bench.blocked)
        for (const address of bench.addresses.probed) bench.expect('a PASID that came back', point, address, alive.expected(address))
      }
    },
  },
]
