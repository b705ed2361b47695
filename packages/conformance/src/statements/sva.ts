// SVA: address spaces bound to devices.
import { changesOf, none } from '../adversary/judge.js'
import type { IommuOps, Manifest } from '@iommu/core'
import { check, fail, refuses, same, succeeds } from '../check.js'
import { createAddressSpace } from '../bench.js'
import type { Bench } from '../bench.js'
import { pasidRequest, ridOverPasids, svaState } from '../states.js'
import { withoutPasids } from '../statement.js'
import type { Statement } from '../statement.js'

/** The driver with SVA domains that only count: these statements oblige the core, whatever the driver can do. */
const countingSva = (ops: IommuOps): IommuOps => ({
  ...ops,
  domainAllocSva: (_device, addressSpace) => ({
    kind: 'sva', owner: ops.owner, addressSpace, setDevPasid: () => undefined, free: () => undefined,
  }),
})

const setters = (bench: Bench): typeof bench.trace.calls =>
  bench.trace.calls.filter(({ op, domain }) => op === 'setDevPasid' && domain?.kind === 'sva')

const narrow = (limit: number) => (ops: IommuOps): IommuOps => ({
  ...countingSva(ops), maxPasids: (device) => (device.requesterId === 0x28 ? limit : ops.maxPasids?.(device) ?? 0),
})

const withoutSva = ({ sva }: Manifest): string | undefined => (sva.pasid ? undefined : 'not declared: SVA')

const processOn = (bench: Bench, number = 22): NonNullable<ReturnType<typeof svaState>> =>
  svaState(bench, bench.device, number) ?? fail('SVA is declared, and the backend makes no address spaces')

export const svaStatements: readonly Statement[] = [
  {
    id: 'C-SVA-01', obliges: 'core', source: 'iommu-sva.c iommu_sva_bind_device', unless: withoutPasids,
    says: 'a second bind of a device and an address space only counts, and an address space has one PASID for all devices',
    run(t) {
      const bench = t.bench({ alter: countingSva })
      const { core } = bench
      for (const device of bench.devices) core.probeDevice(device)
      const [one, other] = bench.devices as [typeof bench.device, typeof bench.device]
      const [space, stranger] = [createAddressSpace('a'), createAddressSpace('b')]
      const first = core.bindSva(one, space)
      const second = core.bindSva(one, space)
      same('calls of two binds of one device', setters(bench).length, 1)
      const elsewhere = core.bindSva(other, space)
      same('the PASID on another device', elsewhere.pasid, first.pasid)
      check(core.bindSva(one, stranger).pasid !== first.pasid, 'two address spaces share a PASID')
      core.unbindSva(second)
      check(core.group(one).pasids.has(first.pasid), 'the first of two unbinds removed the PASID')
      core.unbindSva(first)
      check(!core.group(one).pasids.has(first.pasid), 'the last unbind left the PASID')
      check(core.group(other).pasids.has(first.pasid), 'the last unbind of one device removed the PASID of another')
    },
  },
  {
    id: 'C-SVA-02', obliges: 'core', source: 'iommu-sva.c iommu_sva_bind_device, iommu_alloc_mm_data', unless: withoutPasids,
    says: 'an address space whose PASID is beyond a device is EOVERFLOW, no PASID left is ENOSPC, a slot that is taken EBUSY',
    run(t) {
      const bench = t.bench({ alter: narrow(3) })
      const { core } = bench
      for (const device of bench.devices) core.probeDevice(device)
      const [wide, small] = bench.devices as [typeof bench.device, typeof bench.device]
      const spaces = ['a', 'b', 'c', 'd'].map((name) => createAddressSpace(name))
      const bonds = spaces.map((space) => core.bindSva(wide, space))
      const beyond = bonds.findIndex(({ pasid }) => pasid >= 3)
      const within = bonds.findIndex(({ pasid }) => pasid < 3)
      refuses('an address space whose PASID is beyond the device', 'EOVERFLOW', () => core.bindSva(small, spaces[beyond] as typeof spaces[0]))
      succeeds('one whose PASID is within', () => core.bindSva(small, spaces[within] as typeof spaces[0]))
      const lone = t.bench({ alter: narrow(3) })
      lone.core.probeDevice(lone.devices[1] as typeof small)
      const only = lone.devices[1] as typeof small
      lone.core.bindSva(only, createAddressSpace('a'))
      lone.core.bindSva(only, createAddressSpace('b'))
      refuses('a third address space on a device with two PASIDs', 'ENOSPC', () => lone.core.bindSva(only, createAddressSpace('c')))
      const taken = t.bench({ alter: countingSva })
      taken.core.probeDevice(taken.device)
      const space = createAddressSpace('a')
      const { pasid } = taken.core.bindSva(taken.device, space)
      taken.core.probeDevice(taken.devices[1] as typeof small)
      const occupant = taken.core.allocPaging(taken.devices[1] as typeof small, pasidRequest(t.manifest))
      taken.core.attachPasid(occupant, taken.devices[1] as typeof small, pasid)
      refuses('a slot that a paging domain has', 'EBUSY', () => taken.core.bindSva(taken.devices[1] as typeof small, space))
    },
  },
  {
    id: 'C-SVA-03', obliges: 'driver', source: 'iommu.h; mmu_notifier arch_invalidate_secondary_tlbs', unless: withoutSva,
    says: 'a PASID bound to an address space answers as the CPU\'s tables do, and forgets a page before its unmap returns',
    run(t) {
      const bench = t.bench()
      bench.probe(...bench.devices)
      const state = processOn(bench)
      const points = bench.devices.map((device) => ({ device, pasid: 9 }))
      for (const device of bench.devices) ridOverPasids(bench, device, 3).domain.attachDev?.(device, undefined)
      for (const { device, pasid } of points) state.domain.setDevPasid?.(device, pasid, undefined)
      for (const point of points) {
        for (const address of bench.addresses.probed) bench.expect('a process\'s page', point, address, state.expected(address))
        for (const address of bench.addresses.mapped) bench.dma(point, address)
      }
      const physical = bench.addresses.physical(0x95_0000n)
      state.cpu.map(bench.addresses.unmapped, physical)
      for (const point of points) bench.expect('a page mapped later', point, bench.addresses.unmapped, physical)
      state.cpu.unmap(bench.addresses.mapped[0])
      for (const point of points) {
        bench.expect('an unmapped page', point, bench.addresses.mapped[0], 'blocked')
        bench.expect('a page beside it', point, bench.addresses.mapped[1], state.expected(bench.addresses.mapped[1]))
      }
    },
  },
  {
    id: 'C-SVA-04', obliges: 'driver', source: 'iommu-sva; mmu_notifier release', unless: withoutSva,
    says: 'when the process exits DMA to its PASIDs faults before its tables go, and the PASID can be used again',
    run(t) {
      const bench = t.bench()
      bench.probe(bench.device)
      const point = { device: bench.device, pasid: 9 }
      const state = processOn(bench)
      ridOverPasids(bench, bench.device, 3).domain.attachDev?.(bench.device, undefined)
      state.domain.setDevPasid?.(bench.device, 9, undefined)
      for (const address of bench.addresses.mapped) bench.dma(point, address)
      bench.watch(() => state.cpu.end(), ({ kind }) => {
        if (kind === 'free') bench.expectBlocked('a PASID while the tables of its process go', point)
      })
      bench.expectBlocked('a PASID whose process has exited', point)
      refuses('a process that has exited', 'EINVAL', () => state.domain.setDevPasid?.(bench.device, 11, undefined))
      bench.blocked.setDevPasid?.(bench.device, 9, state.domain)
      state.domain.free?.()
      const next = processOn(bench, 23)
      next.domain.setDevPasid?.(bench.device, 9, undefined)
      for (const address of bench.addresses.probed) bench.expect('the next process', point, address, next.expected(address))
    },
  },
  {
    id: 'C-SVA-05', obliges: 'driver', source: 'mmu_notifier arch_invalidate_secondary_tlbs, release', unless: withoutSva, needs: 'adversary',
    says: 'when a process unmaps or exits nothing that hardware may have kept outlives the notification, and none of its tables',
    run: (t) => none(changesOf(t, ['processes']), ['during', 'after', 'free', 'disturbed']),
  },
  {
    id: 'C-SVA-06', obliges: 'driver', source: 'iommu-sva; mmu_notifier release; intel/svm.c intel_mm_release',
    says: 'when the process has exited the DMA of a PASID that nobody has told yet faults, and no fault is recorded',
    unless: (manifest) => withoutSva(manifest)
      ?? (manifest.limits['silent exit'] === undefined ? undefined : `not declared: a silent exit: ${manifest.limits['silent exit']}`),
    run(t) {
      const bench = t.bench()
      bench.probe(bench.device)
      const state = processOn(bench)
      ridOverPasids(bench, bench.device, 3).domain.attachDev?.(bench.device, undefined)
      state.domain.setDevPasid?.(bench.device, 9, undefined)
      const source = bench.device.requesterId
      const faults = (address: bigint): string => {
        const outcome = bench.machine.dma({ source, pasid: 9, kind: 'untranslated', address, access: 'read' })
        return outcome.result === 'translated' ? 'no fault' : outcome.fault?.recorded === true ? 'a recorded fault' : 'a silent fault'
      }
      same('before the exit, where nothing is mapped', faults(bench.addresses.unmapped), 'a recorded fault')
      state.cpu.end()
      for (const address of bench.addresses.probed) same('after the exit', faults(address), 'a silent fault')
    },
  },
]
