// RESV: memory that devices use all the time.
import type { ReservedRegion } from '@iommu/core'
import type { Backend } from '../backend.js'
import { check, refuses, same } from '../check.js'
import { READ_WRITE } from '../bench.js'
import { withoutBlocked } from './blocked.js'
import { withoutBlockedDomain, withoutPaging } from '../statement.js'
import type { Statement } from '../statement.js'

/** Two direct regions that overlap, where device addresses are translated. */
const regionsOf = ({ base: start = 0x80_0000n }: Backend): { readonly direct: ReservedRegion; readonly overlapping: ReservedRegion } => ({
  direct: { start, length: 0x3000n, kind: 'direct', access: READ_WRITE },
  overlapping: { start: start + 0x1000n, length: 0x4000n, kind: 'direct-relaxable', access: READ_WRITE },
})

export const reservedStatements: readonly Statement[] = [
  {
    id: 'C-RESV-01', obliges: 'core', source: 'iommu.c iommu_create_device_direct_mappings',
    says: 'direct regions are mapped before the attach of a translating default domain, and of no other; they may overlap',
    unless: withoutPaging,
    run(t) {
      const { direct, overlapping } = regionsOf(t.backend)
      const bench = t.bench({ devices: [{ requesterId: 0x20, reserved: [direct, overlapping] }] })
      const { core, device } = bench
      core.probeDevice(device)
      const order = bench.trace.calls.filter(({ op }) => op === 'mapPages' || op === 'attachDev').map(({ op }) => op)
      check(order.includes('mapPages') && order.lastIndexOf('mapPages') < order.indexOf('attachDev'), `calls came as ${order.join(', ')}`)
      for (let address = direct.start; address < overlapping.start + overlapping.length; address += 0x1000n) {
        bench.expect('a direct region', { device }, address, address)
      }
      if (!t.manifest.identity.rid) return
      const other = t.bench({ devices: [{ requesterId: 0x20, reserved: [direct] }], core: { defaultType: 'identity' } })
      other.core.probeDevice(other.device)
      same('maps for an identity default', other.trace.calls.filter(({ op }) => op === 'mapPages').length, 0)
    },
  },
  {
    id: 'C-RESV-02', obliges: 'core', source: 'iommu.c __iommu_device_set_domain',
    says: 'a device with direct regions refuses blocked and its stand-in with EINVAL, before any driver call',
    unless: withoutBlockedDomain,
    run(t) {
      const { direct } = regionsOf(t.backend)
      const bench = t.bench({ devices: [{ requesterId: 0x20, reserved: [direct] }] })
      const { core, device } = bench
      core.probeDevice(device)
      bench.trace.clear()
      const attached = (): number => bench.trace.calls.filter(({ op }) => op === 'attachDev').length
      refuses('claim', 'EINVAL', () => core.claimGroup(core.group(device), {}))
      refuses('blocked', 'EINVAL', () => core.attachDevice(bench.blocked, device))
      same('attach calls', attached(), 0)
      bench.expect('its region', { device }, direct.start, direct.start)
      if (!t.manifest.standInBlocks) return
      const bare = t.bench({ devices: [{ requesterId: 0x20, reserved: [direct] }], alter: withoutBlocked })
      bare.core.probeDevice(bare.device)
      bare.trace.clear()
      refuses('claim, with a stand-in', 'EINVAL', () => bare.core.claimGroup(bare.core.group(bare.device), {}))
      same('attach calls', bare.trace.calls.filter(({ op }) => op === 'attachDev').length, 0)
    },
  },
  {
    id: 'C-RESV-03', obliges: 'driver', source: 'iommu.c iommu_setup_default_domain',
    says: 'from the moment the default domain is live, direct regions answer',
    run(t) {
      const { direct } = regionsOf(t.backend)
      const bench = t.bench({ devices: [{ requesterId: 0x20, reserved: [direct] }] })
      let attaches = 0
      bench.trace.after(({ op, device }) => {
        if (op !== 'attachDev' || device === undefined) return
        attaches++
        bench.expect('right after the attach', { device }, direct.start + 0x2000n, direct.start + 0x2000n)
      })
      bench.core.probeDevice(bench.device)
      check(attaches > 0, 'probe attached nothing')
    },
  },
]
