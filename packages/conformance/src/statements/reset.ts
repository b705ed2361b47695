// RESET: a device that is about to be reset is blocked, and comes back to what its group has by then.
import type { Device } from '@iommu/core'
import { check, notDeclared, refuses, same, succeeds } from '../check.js'
import type { Bench } from '../bench.js'
import { pagingState, pasidRequest, ridOverPasids } from '../states.js'
import { withoutBlockedDomain, withoutPasids } from '../statement.js'
import type { Case, Statement } from '../statement.js'

const ATS = { requesterId: 0x20, ats: true, endpoint: { pasidWidth: 20, atsQueueDepth: 0 } } as const

const setters = (bench: Bench): typeof bench.trace.calls => bench.trace.calls.filter(({ op }) => op === 'attachDev' || op === 'setDevPasid')

const resettable = (t: Case): Bench => t.bench({ devices: [ATS] })

export const resetStatements: readonly Statement[] = [
  {
    id: 'C-RESET-01', obliges: 'core', source: 'iommu.c pci_dev_reset_iommu_prepare, _done',
    says: 'prepare blocks the requester id, then the PASIDs; done restores the requester id, then the PASIDs, from blocked',
    unless: withoutBlockedDomain,
    run(t) {
      const bench = resettable(t)
      const { core, device } = bench
      core.probeDevice(device)
      const pasids = withoutPasids(t.manifest) === undefined
      const state = pasids ? ridOverPasids(bench, device, 0) : pagingState(bench, device, 0)
      if (state.kind !== 'identity') core.attachDevice(state.domain, device)
      const onPasid = pasids ? pagingState(bench, device, 1, undefined, true) : undefined
      if (onPasid !== undefined) core.attachPasid(onPasid.domain, device, 5)
      bench.trace.clear()
      core.prepareReset(device)
      same('calls of prepare', setters(bench).map(({ op, domain }) => `${op} ${domain?.kind ?? ''}`), ['attachDev blocked', ...(pasids ? ['setDevPasid blocked'] : [])])
      check(setters(bench)[0]?.old === state.domain, 'prepare did not name the current domain as old')
      bench.expectBlocked('a device in reset', { device })
      bench.trace.clear()
      core.finishReset(device)
      same('calls of done', setters(bench).map(({ op, old }) => `${op} from ${old?.kind ?? 'nothing'}`), ['attachDev from blocked', ...(pasids ? ['setDevPasid from blocked'] : [])])
      bench.expect('after the reset', { device }, bench.addresses.mapped[0], state.expected(bench.addresses.mapped[0]))
      if (onPasid !== undefined) bench.expect('its PASID after the reset', { device, pasid: 5 }, bench.addresses.mapped[0], onPasid.expected(bench.addresses.mapped[0]))
    },
  },
  {
    id: 'C-RESET-02', obliges: 'core', source: 'iommu.c pci_dev_reset_iommu_prepare, _done',
    says: 'during a reset attaches are EBUSY, detaches succeed, and done restores what the group has by then',
    unless: withoutBlockedDomain,
    run(t) {
      const bench = resettable(t)
      const { core, device } = bench
      core.probeDevice(device)
      const group = core.group(device)
      const state = pagingState(bench, device, 0)
      core.attachDevice(state.domain, device)
      core.prepareReset(device)
      refuses('replace', 'EBUSY', () => core.replaceGroup(core.allocPaging(device), group))
      if (withoutPasids(t.manifest) === undefined) {
        refuses('attachPasid', 'EBUSY', () => core.attachPasid(core.allocPaging(device, pasidRequest(t.manifest)), device, 5))
      }
      bench.trace.clear()
      succeeds('detach', () => core.detachDevice(state.domain, device))
      same('driver calls of the detach', setters(bench).length, 0)
      check(group.domain === group.defaultDomain, 'the book-keeping did not follow the detach')
      core.finishReset(device)
      const [restore] = setters(bench)
      check(restore?.domain === group.defaultDomain, 'done did not restore the new domain of the group')

      core.claimGroup(group, {})
      core.prepareReset(device)
      bench.trace.clear()
      succeeds('release of the claim', () => core.releaseGroup(group))
      same('driver calls of the release', setters(bench).length, 0)
      core.finishReset(device)
      check(setters(bench)[0]?.domain === group.defaultDomain, 'done did not restore the default domain after the release')

      if (withoutPasids(t.manifest) !== undefined) return
      const under = ridOverPasids(bench, device, 1)
      if (under.kind !== 'identity') core.attachDevice(under.domain, device)
      const { domain } = pagingState(bench, device, 2, undefined, true)
      core.attachPasid(domain, device, 5)
      core.prepareReset(device)
      bench.trace.clear()
      core.detachPasid(domain, device, 5)
      core.finishReset(device)
      same('setDevPasid calls for a PASID that left during the reset', setters(bench).filter(({ op }) => op === 'setDevPasid').length, 0)
      bench.expectBlocked('a PASID that left during the reset', { device, pasid: 5 })
    },
  },
  {
    id: 'C-RESET-03', obliges: 'core', source: 'iommu.c pci_dev_reset_iommu_prepare, _done',
    says: 'resets nest: only the outermost acts, and one done too many warns and does nothing',
    unless: withoutBlockedDomain,
    run(t) {
      const bench = resettable(t)
      const { core, device } = bench
      core.probeDevice(device)
      core.prepareReset(device)
      bench.trace.clear()
      core.prepareReset(device)
      core.finishReset(device)
      same('calls of an inner reset', setters(bench).length, 0)
      core.finishReset(device)
      same('calls of the outermost done', setters(bench).filter(({ op }) => op === 'attachDev').length, 1)
      const before = bench.warnings.length
      bench.trace.clear()
      core.finishReset(device)
      same('calls of a surplus done', setters(bench).length, 0)
      check(bench.warnings.length > before, 'nobody was warned of a surplus done')
    },
  },
  {
    id: 'C-RESET-04', obliges: 'driver', source: 'iommu.c pci_dev_reset_iommu_prepare',
    says: 'between prepare and done no device-TLB invalidation goes to the device',
    unless: withoutBlockedDomain,
    run(t) {
      const bench = t.bench({ devices: [ATS, { requesterId: 0x28 }] })
      const [device, other] = bench.devices as [Device, Device]
      const { core } = bench
      for (const each of bench.devices) core.probeDevice(each)
      const state = pagingState(bench, device, 0)
      for (const each of bench.devices) core.attachDevice(state.domain, each)
      let told = 0
      bench.machine.observe((event) => {
        if (event.kind === 'command' && event.deviceTlb === device.requesterId) told++
      })
      const maps = (): void => {
        bench.map(state.domain, 0x30_0000n, bench.addresses.physical(0x90_0000n))
        bench.unmap(state.domain, 0x30_0000n)
        state.domain.flushIotlbAll?.()
      }
      maps()
      if (!bench.machine.endpoint(device.requesterId).config.enabled.ats) return notDeclared('devices with a TLB of their own')
      check(told > 0, 'outside of a reset the device TLB is not told either')
      core.prepareReset(device)
      told = 0
      maps()
      core.detachDevice(state.domain, other)
      same('device-TLB invalidations during the reset', told, 0)
      core.finishReset(device)
      bench.expect('after the reset', { device }, bench.addresses.mapped[0], state.expected(bench.addresses.mapped[0]))
    },
  },
]
