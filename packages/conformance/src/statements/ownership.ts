// OWN: who may use a group's DMA, and what the hardware does meanwhile.
import { check, refuses, same, succeeds } from '../check.js'
import { READ_WRITE } from '../bench.js'
import { withoutBlocked } from './blocked.js'
import { pasidRequest } from '../states.js'
import { withoutBlock, withoutPasids } from '../statement.js'
import type { Statement } from '../statement.js'

export const ownershipStatements: readonly Statement[] = [
  {
    id: 'C-OWN-01', obliges: 'core', source: 'iommu.c __iommu_take_dma_ownership',
    says: 'a claim has blocked the group when it returns',
    unless: withoutBlock,
    run(t) {
      const bench = t.bench()
      const { core, device } = bench
      core.probeDevice(device)
      const physical = bench.addresses.physical(0x80_0000n)
      const iova = core.dma(device).map(physical, 0x1000n, READ_WRITE)
      bench.expect('before the claim', { device }, iova, physical)
      bench.dma({ device }, iova)
      core.claimGroup(core.group(device), {})
      bench.expect('claimed', { device }, iova, 'blocked')
      bench.expectBlocked('claimed', { device })
    },
  },
  {
    id: 'C-OWN-02', obliges: 'core', source: 'iommu.c iommu_group_claim_dma_owner, iommu_device_claim_dma_owner',
    says: 'group claims are exclusive, device claims are shared by one owner, and no owner is nobody',
    unless: withoutBlock,
    run(t) {
      const bench = t.bench()
      const { core, device } = bench
      core.probeDevice(device)
      const group = core.group(device)
      const owner = {}
      core.claimGroup(group, owner)
      refuses('second claimGroup', 'EPERM', () => core.claimGroup(group, {}))
      core.releaseGroup(group)
      core.claimDevice(device, owner)
      succeeds('claimDevice by the same owner', () => core.claimDevice(device, owner))
      refuses('claimDevice by another owner', 'EPERM', () => core.claimDevice(device, {}))
      refuses('claimGroup over device claims', 'EPERM', () => core.claimGroup(group, owner))
      core.releaseDeviceClaim(device)
      core.releaseDeviceClaim(device)
      const nobody = undefined as unknown as object
      refuses('claimGroup by nobody', 'EINVAL', () => core.claimGroup(group, nobody))
      refuses('claimDevice by nobody', 'EINVAL', () => core.claimDevice(device, nobody))
    },
  },
  {
    id: 'C-OWN-03', obliges: 'core', source: 'iommu.c __iommu_take_dma_ownership',
    says: 'a claim is refused with EBUSY while the group is off its default domain or has PASIDs',
    unless: withoutBlock,
    run(t) {
      const bench = t.bench()
      const { core, device } = bench
      core.probeDevice(device)
      const group = core.group(device)
      const domain = core.allocPaging(device)
      core.attachGroup(domain, group)
      refuses('claim off the default domain', 'EBUSY', () => core.claimGroup(group, {}))
      refuses('claim of a device off the default domain', 'EBUSY', () => core.claimDevice(device, {}))
      core.detachGroup(group)
      if (withoutPasids(t.manifest) === undefined) {
        const onPasid = core.allocPaging(device, pasidRequest(t.manifest))
        core.attachPasid(onPasid, device, 5)
        refuses('claim with a live PASID', 'EBUSY', () => core.claimGroup(group, {}))
        core.detachPasid(onPasid, device, 5)
      }
      succeeds('claim of an idle group', () => core.claimGroup(group, {}))
    },
  },
  {
    id: 'C-OWN-04', obliges: 'core', source: 'iommu.c __iommu_release_dma_ownership',
    says: 'the last release returns to the default domain, with its mappings intact',
    unless: withoutBlock,
    run(t) {
      const bench = t.bench()
      const { core, device } = bench
      core.probeDevice(device)
      const physical = bench.addresses.physical(0x80_0000n)
      const iova = core.dma(device).map(physical, 0x1000n, READ_WRITE)
      const owner = {}
      core.claimDevice(device, owner)
      core.claimDevice(device, owner)
      core.releaseDeviceClaim(device)
      bench.expect('one claim is left', { device }, iova, 'blocked')
      core.releaseDeviceClaim(device)
      check(core.group(device).domain === core.group(device).defaultDomain, 'the group is not on its default domain')
      bench.expect('released', { device }, iova, physical)
      core.claimGroup(core.group(device), owner)
      bench.expect('the group claimed', { device }, iova, 'blocked')
      core.releaseGroup(core.group(device))
      bench.expect('the group released', { device }, iova, physical)
    },
  },
  {
    id: 'C-OWN-05', obliges: 'core', source: 'iommu.c iommu_device_use_default_domain',
    says: 'native use is EBUSY while somebody owns the group, and EPROBE_DEFER before there is a default domain',
    unless: withoutBlock,
    run(t) {
      const bench = t.bench()
      const { core, device } = bench
      refuses('use before probe', 'EPROBE_DEFER', () => core.useDefaultDomain(device))
      core.probeDevice(device)
      core.claimGroup(core.group(device), {})
      refuses('use while owned', 'EBUSY', () => core.useDefaultDomain(device))
      core.releaseGroup(core.group(device))
      succeeds('use', () => core.useDefaultDomain(device))
      refuses('claim while used', 'EPERM', () => core.claimGroup(core.group(device), {}))
      core.unuseDefaultDomain(device)
      succeeds('claim when nobody uses it', () => core.claimGroup(core.group(device), {}))
    },
  },
  {
    id: 'C-OWN-06', obliges: 'core', source: 'iommu.c __iommu_take_dma_ownership',
    says: 'a claim whose blocking domain cannot be had or attached leaves the group unowned on its default',
    unless: withoutBlock,
    run(t) {
      const bench = t.bench()
      const { core, device } = bench
      core.probeDevice(device)
      const group = core.group(device)
      bench.trace.refuse((call) => (call.op === 'attachDev' && call.domain !== group.defaultDomain ? 'ENOMEM' : undefined))
      refuses('claim', 'ENOMEM', () => core.claimGroup(group, {}))
      same('owner', group.owner, undefined)
      same('owner count', group.ownerCount, 0)
      check(group.domain === group.defaultDomain, 'the group is not on its default domain')
      bench.trace.refuse(undefined)
      succeeds('claim afterwards', () => core.claimGroup(group, {}))
      const bare = t.bench({ alter: withoutBlocked })
      bare.core.probeDevice(bare.device)
      bare.trace.refuse((call) => (call.op === 'domainAllocPaging' ? 'ENOMEM' : undefined))
      if (t.manifest.standInBlocks) {
        refuses('claim without memory for the stand-in', 'ENOMEM', () => bare.core.claimGroup(bare.core.group(bare.device), {}))
        same('owner', bare.core.group(bare.device).owner, undefined)
      }
    },
  },
  {
    id: 'C-OWN-07', obliges: 'core', source: 'C-BLOCK-10',
    says: 'where nothing blocks, a claim is refused with EINVAL before any driver call, and the group stays as it was',
    run(t) {
      const bench = t.bench({
        alter: (ops) => ({ ...withoutBlocked(ops), manifest: { ...ops.manifest, standInBlocks: false } }),
      })
      const { core, device } = bench
      core.probeDevice(device)
      const group = core.group(device)
      bench.trace.clear()
      refuses('claim', 'EINVAL', () => core.claimGroup(group, {}))
      same('driver calls', bench.trace.calls.length, 0)
      check(group.domain === group.defaultDomain && group.owner === undefined, 'the group is not as it was')
    },
  },
]
