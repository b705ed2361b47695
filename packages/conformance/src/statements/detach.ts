// DETACH: leaving a domain is setting another one; there is no op for it.
import { check, same, succeeds } from '../check.js'
import { withoutBlock } from '../statement.js'
import type { Statement } from '../statement.js'

const TOGETHER = [{ requesterId: 0x20, isolation: 'together' }, { requesterId: 0x21, isolation: 'together' }]

export const detachStatements: readonly Statement[] = [
  {
    id: 'C-DETACH-01', obliges: 'core', source: 'iommu.c __iommu_group_set_core_domain',
    says: 'no detach op exists; a detach is one attach per member, to blocked if the group is owned, to the default if not',
    run(t) {
      const bench = t.bench({ devices: TOGETHER })
      const { core, device } = bench
      for (const each of bench.devices) core.probeDevice(each)
      const group = core.group(device)
      const domain = core.allocPaging(device)
      for (const [what, owned] of [['unowned', false], ['owned', true]] as const) {
        if (owned && withoutBlock(t.manifest) !== undefined) continue
        if (owned) core.claimGroup(group, {})
        core.attachGroup(domain, group)
        bench.trace.clear()
        core.detachGroup(group)
        const target = owned ? group.blockingDomain : group.defaultDomain
        same(`attach calls of an ${what} detach`, bench.trace.calls.map(({ op }) => op), ['attachDev', 'attachDev'])
        check(bench.trace.calls.every((call) => call.domain === target), `an ${what} detach did not set the ${owned ? 'blocking' : 'default'} domain`)
      }
      const names = [...Object.keys(bench.ops), ...Object.keys(domain), ...Object.keys(bench.ops.blockedDomain ?? {})]
      check(!names.some((name) => /^(detach|remove)/i.test(name)), 'the driver has a detach op')
    },
  },
  {
    id: 'C-DETACH-02', obliges: 'core', source: 'iommu.c __iommu_group_set_domain_nofail',
    says: 'detach cannot fail towards its caller: a driver that refuses is warned about',
    run(t) {
      const bench = t.bench()
      const { core, device } = bench
      core.probeDevice(device)
      const domain = core.allocPaging(device)
      core.attachDevice(domain, device)
      const { defaultDomain } = core.group(device)
      bench.trace.refuse((call) => (call.op === 'attachDev' && call.domain === defaultDomain ? 'ENOMEM' : undefined))
      const before = bench.warnings.length
      succeeds('detachDevice', () => core.detachDevice(domain, device))
      check(bench.warnings.length > before, 'nobody was warned')
    },
  },
  {
    id: 'C-DETACH-03', obliges: 'core', source: 'iommu.c iommu_detach_device',
    says: 'detaching a domain that is not the current one warns and does nothing',
    run(t) {
      const bench = t.bench()
      const { core, device } = bench
      core.probeDevice(device)
      const [current, other] = [core.allocPaging(device), core.allocPaging(device)]
      core.attachDevice(current, device)
      bench.trace.clear()
      const before = bench.warnings.length
      core.detachDevice(other, device)
      same('driver calls', bench.trace.calls.length, 0)
      check(core.group(device).domain === current, 'the group lost its domain')
      check(bench.warnings.length > before, 'nobody was warned')
    },
  },
]
