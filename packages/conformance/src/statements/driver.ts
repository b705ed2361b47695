// DRV: what makes a driver a modern one, and the manifest's truth.
import { CONTRACT } from '@iommu/core'
import type { Domain } from '@iommu/core'
import { check, refuses, same } from '../check.js'
import { setOn } from '../adversary/scene.js'
import type { Bench } from '../bench.js'
import { allStates, formatsFor, ridOverPasids, someStates } from '../states.js'
import type { State } from '../states.js'
import { withoutBlock, withoutPasids } from '../statement.js'
import type { Statement } from '../statement.js'

export const driverStatements: readonly Statement[] = [
  {
    id: 'C-DRV-01', obliges: 'driver', source: 'the thread of May 2022, modernised',
    says: 'a PASID driver uses default domains, has no detach, and can set blocked and paging domains on PASIDs',
    unless: withoutPasids,
    run(t) {
      const bench = t.bench()
      const { ops } = bench
      bench.probe(bench.device)
      same('default domain', ops.defaultDomain, undefined)
      check(!Object.keys(ops).some((name) => /^detach/i.test(name)), 'the driver has a detach op')
      check(ops.blockedDomain?.setDevPasid !== undefined, 'blocked has no setDevPasid')
      const onPasids = formatsFor(t.manifest, 'pasid')
      for (const format of onPasids) {
        check(bench.paging(bench.device, format, true).setDevPasid !== undefined, `${format} domains have no setDevPasid`)
      }
      for (const format of t.manifest.formats.filter((each) => !onPasids.includes(each))) {
        refuses(`a ${format} domain for PASIDs`, 'EOPNOTSUPP', () => ops.domainAllocPaging?.(bench.device, { format, pasid: true }))
      }
    },
  },
  {
    id: 'C-DRV-02', obliges: 'driver', source: 'the thread of May 2022',
    says: 'a driver that VFIO can use blocks: by a blocked domain of its own, or by an empty paging domain',
    unless: withoutBlock,
    run(t) {
      const bench = t.bench()
      const { core, device, ops } = bench
      core.probeDevice(device)
      same('declared: blocked on requester ids', t.manifest.blocked.rid, ops.blockedDomain !== undefined)
      check(ops.blockedDomain !== undefined || t.manifest.standInBlocks, 'nothing blocks')
      core.claimGroup(core.group(device), {})
      bench.expectBlocked('a claimed group', { device })
    },
  },
  {
    id: 'C-DRV-03', obliges: 'driver', source: 'iommu.h',
    says: 'blocked, identity, release and the manifest are the same objects for the driver\'s life, and speak this contract',
    run(t) {
      const bench = t.bench()
      const { ops } = bench
      const before = [ops.blockedDomain, ops.identityDomain, ops.releaseDomain, ops.manifest]
      bench.core.probeDevice(bench.device)
      for (const state of allStates(bench, bench.device)) state.domain.attachDev?.(bench.device, undefined)
      bench.core.releaseDevice(bench.device)
      const after = [ops.blockedDomain, ops.identityDomain, ops.releaseDomain, ops.manifest]
      after.forEach((each, index) => check(each === before[index], 'a static member was exchanged'))
      same('contract', ops.manifest.contract, CONTRACT)
      check(Object.isFrozen(ops.manifest), 'the manifest can be changed')
      const other = t.bench()
      check(other.ops.owner !== ops.owner, 'two drivers share an owner token')
    },
  },
  {
    id: 'C-DRV-04', obliges: 'driver', source: 's390 starts blocked; intel copied_context',
    says: 'probing a device leaves its translation as it was, or blocked, at every step',
    run(t) {
      const bench = t.bench()
      const point = { device: bench.device }
      const before = bench.addresses.probed.map((address) => bench.answer(point, address))
      const look = (): void => bench.addresses.probed.forEach((address, index) => {
        const allowed = ['blocked', before[index]]
        check(bench.answers(point, address).every((each) => allowed.includes(each)), 'probing opened a device')
      })
      bench.watch(() => bench.probe(bench.device), look)
      look()
    },
  },
  {
    id: 'C-DRV-05', obliges: 'driver', source: 'no attach and detach pairing',
    says: 'what a point answers depends on what was set last, and not on what was set before',
    run(t) {
      const histories: ((states: readonly { domain: Domain }[]) => readonly { domain: Domain }[])[] = [
        () => [], (states) => states, (states) => [...states].reverse(), (states) => [...states, ...states],
      ]
      const prepared = (pasid: number | undefined): { bench: Bench; states: readonly State[] } => {
        const bench = t.bench()
        bench.probe(bench.device)
        if (pasid !== undefined) ridOverPasids(bench, bench.device, 30).domain.attachDev?.(bench.device, undefined)
        return { bench, states: someStates(bench, bench.device, pasid === undefined ? 'rid' : 'pasid') }
      }
      for (const pasid of t.manifest.maxPasids > 0 ? [undefined, 5] : [undefined]) {
        for (let last = 0; last < prepared(pasid).states.length; last++) {
          const seen = histories.map((history) => {
            const { bench, states } = prepared(pasid)
            const { device } = bench
            const final = states[last]
            for (const { domain } of [...history(states), ...(final === undefined ? [] : [final])]) setOn(device, pasid, domain, undefined)
            const point = { device, ...(pasid === undefined ? {} : { pasid }) }
            return bench.addresses.probed.flatMap((address) => (['read', 'write'] as const).map((access) => {
              const { steps } = bench.machine.walk({ source: device.requesterId, kind: 'untranslated', address, access, ...(pasid === undefined ? {} : { pasid }) })
              return `${access} ${String(bench.answer(point, address, access))} by ${steps.map(({ entry }) => entry).join(' ')}`
            })).join('; ')
          })
          for (const each of seen) same(`after another history${pasid === undefined ? '' : ` of PASID ${pasid}`}`, each, seen[0])
        }
      }
    },
  },
]
