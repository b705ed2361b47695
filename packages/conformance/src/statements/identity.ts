// IDENT: the domain in which every address is itself.
import { check, refuses, same, succeeds } from '../check.js'
import { probeAddresses } from '../bench.js'
import { allStates, pagingState } from '../states.js'
import { withoutPasids } from '../statement.js'
import type { Statement } from '../statement.js'

const undeclared = ({ identity }: { readonly identity: { readonly rid: boolean } }): string | undefined =>
  identity.rid ? undefined : 'not declared: identity'

export const identityStatements: readonly Statement[] = [
  {
    id: 'C-IDENT-01', obliges: 'driver', source: 'all drivers',
    says: 'on identity every address is itself, for reads and writes, over the whole physical width',
    unless: undeclared,
    run(t) {
      const bench = t.bench()
      bench.probe(bench.device)
      bench.identity.attachDev?.(bench.device, undefined)
      const top = (1n << BigInt(Math.min(t.backend.physicalBits, t.backend.deviceBits))) - 0x1000n
      const reachable = probeAddresses(t.backend).filter((address) => address <= top)
      for (const address of [...reachable, top, bench.addresses.physical(0x1234n)]) {
        bench.expect('identity', { device: bench.device }, address, address)
      }
    },
  },
  {
    id: 'C-IDENT-02', obliges: 'core', source: 'iommu.c iommu_iova_to_phys',
    says: 'iovaToPhys on identity is the address itself, without a driver call',
    unless: undeclared,
    run(t) {
      const bench = t.bench()
      bench.core.probeDevice(bench.device)
      bench.trace.clear()
      same('iovaToPhys', bench.core.iovaToPhys(bench.identity, 0x1234n), 0x1234n)
      same('driver calls', bench.trace.calls.length, 0)
    },
  },
  {
    id: 'C-IDENT-03', obliges: 'driver', source: 'apple-dart.c; intel device_def_domain_type',
    says: 'where the hardware cannot bypass, identity is refused with EINVAL, and the default domain type is dma',
    unless: ({ identity }) => (identity.rid ? 'the backend declares identity' : undefined),
    run(t) {
      const bench = t.bench()
      bench.probe(bench.device)
      if (bench.ops.identityDomain !== undefined) {
        refuses('identity', 'EINVAL', () => bench.identity.attachDev?.(bench.device, undefined))
      }
      same('default domain type', bench.ops.defDomainType?.(bench.device), 'dma')
      bench.expectBlocked('after the refusal', { device: bench.device })
    },
  },
  {
    id: 'C-IDENT-04', obliges: 'driver', source: 'ipmmu, mtk, msm, omap, qcom identity_attach',
    says: 'identity can be attached as the first domain, and over itself',
    unless: undeclared,
    run(t) {
      const bench = t.bench()
      bench.probe(bench.device)
      succeeds('identity first', () => bench.identity.attachDev?.(bench.device, undefined))
      succeeds('identity over itself', () => bench.identity.attachDev?.(bench.device, bench.identity))
      for (const address of bench.addresses.probed) bench.expect('identity', { device: bench.device }, address, address)
    },
  },
  {
    id: 'C-IDENT-05', obliges: 'driver', source: 'C-ATTACH-05',
    says: 'leaving identity flushes what caches kept of it',
    unless: undeclared,
    run(t) {
      const bench = t.bench()
      bench.probe(bench.device)
      for (const state of allStates(bench, bench.device).filter(({ name }) => name !== 'identity')) {
        bench.identity.attachDev?.(bench.device, undefined)
        for (const address of bench.addresses.probed) bench.dma({ device: bench.device }, address)
        state.domain.attachDev?.(bench.device, bench.identity)
        for (const address of bench.addresses.probed) bench.expect(`identity to ${state.name}`, { device: bench.device }, address, state.expected(address))
      }
    },
  },
  {
    id: 'C-IDENT-06', obliges: 'core', source: 'iommu.c iommu_remove_dev_pasid; the thread of May 2022',
    says: 'identity is never used to remove a PASID',
    unless: withoutPasids,
    run(t) {
      const bench = t.bench()
      const { core, device } = bench
      core.probeDevice(device)
      const { domain } = pagingState(bench, device, 0, undefined, true)
      core.attachPasid(domain, device, 5)
      bench.trace.clear()
      core.detachPasid(domain, device, 5)
      const removals = bench.trace.calls.filter(({ op }) => op === 'setDevPasid')
      check(removals.length > 0, 'the driver was not told that the PASID is removed')
      check(removals.every((call) => call.domain?.kind !== 'identity'), 'a PASID was removed by setting identity on it')
    },
  },
]
