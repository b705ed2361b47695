// REL and DEFER: how a device leaves, and devices that must not be touched yet.
import type { Device, IommuOps } from '@iommu/core'
import { declaredFormats } from '../formats.js'
import { check, same } from '../check.js'
import { READ_WRITE } from '../bench.js'
import { addressesOf, pagingState } from '../states.js'
import { withoutBlockedDomain } from '../statement.js'
import type { Statement } from '../statement.js'

const TOGETHER = [{ requesterId: 0x20, isolation: 'together' }, { requesterId: 0x21, isolation: 'together' }]
const deferred = (ops: IommuOps): IommuOps => ({ ...ops, isAttachDeferred: () => true })

export const releaseStatements: readonly Statement[] = [
  {
    id: 'C-REL-01', obliges: 'core', source: 'iommu.c iommu_deinit_device',
    says: 'the release domain is attached, from the current one, and then the device is released',
    unless: (_manifest, _backend, { releaseDomain }) => (releaseDomain === undefined ? 'not declared: a release domain' : undefined),
    run(t) {
      const bench = t.bench()
      const { core, device } = bench
      core.probeDevice(device)
      const domain = core.allocPaging(device)
      core.attachDevice(domain, device)
      bench.trace.clear()
      core.releaseDevice(device)
      const calls = bench.trace.calls.filter(({ op }) => op === 'attachDev' || op === 'releaseDevice')
      same('calls', calls.map(({ op }) => op), ['attachDev', 'releaseDevice'])
      check(calls[0]?.domain === bench.ops.releaseDomain && calls[0]?.old === domain, 'not the release domain from the current one')
      bench.expectBlocked('a released device', { device })
    },
  },
  {
    id: 'C-REL-02', obliges: 'core', source: 'iommu.c iommu_deinit_device',
    says: 'a device whose attach is deferred is released without an attach',
    run(t) {
      const bench = t.bench({ alter: deferred })
      bench.core.probeDevice(bench.device)
      bench.core.releaseDevice(bench.device)
      same('attach calls', bench.trace.calls.filter(({ op }) => op === 'attachDev').length, 0)
    },
  },
  {
    id: 'C-REL-03', obliges: 'core', source: 'iommu.c iommu_deinit_device',
    says: 'a device with direct regions is released to identity where the release domain would block it',
    unless: ({ identity }, _backend, { releaseDomain }) =>
      (!identity.rid ? 'not declared: identity' : releaseDomain?.kind !== 'blocked' ? 'not declared: a release domain that blocks' : undefined),
    run(t) {
      const region = { start: addressesOf(t.backend).physical(0x80_0000n), length: 0x1000n, kind: 'direct', access: READ_WRITE } as const
      const bench = t.bench({ devices: [{ requesterId: 0x20, reserved: [region] }] })
      bench.core.probeDevice(bench.device)
      bench.trace.clear()
      bench.core.releaseDevice(bench.device)
      const [attach] = bench.trace.calls.filter(({ op }) => op === 'attachDev')
      same('released to', attach?.domain?.kind, 'identity')
    },
  },
  {
    id: 'C-REL-04', obliges: 'driver', source: 'iommu.c iommu_deinit_device',
    says: 'releaseDevice by itself leaves identity or a block, and lets go of every domain',
    run(t) {
      for (const format of declaredFormats(t)) {
        const bench = t.bench()
        const before = bench.machine.memory.pages.live
        bench.probe(bench.device)
        const state = pagingState(bench, bench.device, 0, format)
        state.domain.attachDev(bench.device, undefined)
        for (const address of bench.addresses.probed) bench.dma({ device: bench.device }, address)
        bench.ops.releaseDevice?.(bench.device)
        for (const address of bench.addresses.probed) {
          const answer = bench.answer({ device: bench.device }, address)
          check(answer === 'blocked' || answer === address, `a released device on ${format} is still translated`)
        }
        state.domain.free()
        const left = bench.machine.memory.pages.live - before
        bench.probe(bench.device)
        bench.ops.releaseDevice?.(bench.device)
        same('pages left over by a second round', bench.machine.memory.pages.live - before, left)
        bench.probe(bench.device)
        if (withoutBlockedDomain(t.manifest) === undefined) bench.expectBlocked('probed again', { device: bench.device })
      }
    },
  },
  {
    id: 'C-REL-05', obliges: 'driver', source: 'iommu.c iommu_deinit_device',
    says: 'releasing one member leaves the others\' DMA as it was, at every step',
    run(t) {
      const bench = t.bench({ devices: TOGETHER })
      bench.probe(...bench.devices)
      const [one, other] = bench.devices as [Device, Device]
      const state = pagingState(bench, one, 0)
      for (const device of [one, other]) state.domain.attachDev(device, undefined)
      const undisturbed = (): void => {
        for (const address of bench.addresses.probed) bench.expect('the member that stays', { device: other }, address, state.expected(address))
      }
      bench.watch(() => bench.ops.releaseDevice?.(one), undisturbed)
      undisturbed()
    },
  },
  {
    id: 'C-DEFER-01', obliges: 'core', source: 'iommu.c iommu_deferred_attach',
    says: 'a deferred device gets its default domain with the first DMA map, and not before',
    run(t) {
      const bench = t.bench({ alter: deferred })
      const { core, device } = bench
      core.probeDevice(device)
      const attaches = (): typeof bench.trace.calls => bench.trace.calls.filter(({ op }) => op === 'attachDev')
      same('attach calls at probe', attaches().length, 0)
      const physical = bench.addresses.physical(0x80_0000n)
      const iova = core.dma(device).map(physical, 0x1000n, READ_WRITE)
      same('attach calls with the first map', attaches().length, 1)
      check(attaches()[0]?.domain === core.group(device).defaultDomain, 'it was not the default domain')
      same('its old domain', attaches()[0]?.old, undefined)
      bench.expect('the first mapping', { device }, iova, physical)
    },
  },
]
