// PASID: any domain on any PASID at any time, with blocked as the only way to remove one.
// Long: the statements of one subject stand together in the order of their ids, and share the helpers above them.
import type { AttachHandle, Device, Domain, IommuOps } from '@iommu/core'
import { check, fail, notDeclared, outcomeOf, refuses, same, succeeds } from '../check.js'
import type { Bench, Point } from '../bench.js'
import { allStates, formatsFor, isOverPasids, pagingState, pasidNear, pasidRequest, ridOverPasids, someStates, staticStates } from '../states.js'
import type { State } from '../states.js'
import { withoutPasids, withPasids } from '../statement.js'
import type { Case, Statement } from '../statement.js'
import { changesOf, hasAdversary, none } from '../adversary/judge.js'
import { watchSwitch } from '../window.js'

const PASID = 5
const THREE = [
  { requesterId: 0x20, isolation: 'together', endpoint: { pasidWidth: 20 } },
  { requesterId: 0x21, isolation: 'together', endpoint: { pasidWidth: 20 } },
  { requesterId: 0x22, isolation: 'together' },
]

const setters = (bench: Bench): typeof bench.trace.calls => bench.trace.calls.filter(({ op }) => op === 'setDevPasid')

const set = (state: State, device: Device, pasid: number, old: Domain | undefined): void => {
  const setter = state.domain.setDevPasid
  if (setter === undefined) return fail(`${state.name} has no setDevPasid`)
  setter(device, pasid, old)
}

const expectState = (bench: Bench, what: string, point: Point, state: State): void => {
  for (const address of bench.addresses.probed) bench.expect(what, point, address, state.expected(address))
}

/** The words of every entry on the way of a PASID, as they lie in memory. */
const path = (bench: Bench, device: Device, pasid: number | undefined): string[] =>
  bench.machineOf(device).walk({
    source: device.requesterId, kind: 'untranslated', address: bench.addresses.mapped[0], access: 'read', ...(pasid === undefined ? {} : { pasid }),
  }).steps.map(({ entry, words }) => `${entry} ${words.map((word) => word.toString(16)).join(':')}`)

/** A probed group on its default domain, and a domain for PASIDs. */
const prepared = (t: Case, options?: Parameters<Case['bench']>[0]): { bench: Bench; domain: Domain; state: State } => {
  const bench = t.bench(options)
  for (const device of bench.devices) bench.core.probeDevice(device)
  const state = pagingState(bench, bench.device, 0, undefined, true)
  bench.trace.clear()
  return { bench, domain: state.domain, state }
}

const withoutSetter = (ops: IommuOps): IommuOps => {
  if (ops.blockedDomain === undefined) return ops
  const { setDevPasid: _setter, ...blockedDomain } = ops.blockedDomain
  return { ...ops, blockedDomain }
}

const declared: readonly Statement[] = [
  {
    id: 'C-PASID-01', obliges: 'core', source: 'iommu.c iommu_attach_device_pasid',
    says: 'a PASID attach is EOPNOTSUPP unless both the domain and blocked can be set on PASIDs',
    run(t) {
      const { bench, domain } = prepared(t, { alter: withoutSetter })
      refuses('attach without a blocked PASID', 'EOPNOTSUPP', () => bench.core.attachPasid(domain, bench.device, PASID))
      const plain = prepared(t)
      const { setDevPasid: _setter, ...rest } = plain.domain
      refuses('attach of a domain without setDevPasid', 'EOPNOTSUPP', () => plain.bench.core.attachPasid(rest, plain.bench.device, PASID))
      same('setDevPasid calls', setters(bench).length + setters(plain.bench).length, 0)
    },
  },
  {
    id: 'C-PASID-02', obliges: 'core', source: 'iommu.c iommu_attach_device_pasid',
    says: 'PASID 0 and PASIDs beyond the limit are EINVAL, an occupied one is EBUSY',
    run(t) {
      const { bench, domain } = prepared(t)
      const { core, device } = bench
      const limit = bench.ops.maxPasids?.(device) ?? 0
      refuses('PASID 0', 'EINVAL', () => core.attachPasid(domain, device, 0))
      refuses('the first PASID beyond the limit', 'EINVAL', () => core.attachPasid(domain, device, limit))
      same('setDevPasid calls', setters(bench).length, 0)
      succeeds('the last PASID', () => core.attachPasid(domain, device, limit - 1))
      core.attachPasid(domain, device, PASID)
      refuses('an occupied PASID', 'EBUSY', () => core.attachPasid(domain, device, PASID))
    },
  },
  {
    id: 'C-PASID-03', obliges: 'driver', source: 'iommu.c iommu_attach_device_pasid; iommu.h set_dev_pasid',
    says: 'a PASID that nothing was set on faults; while it is set or replaced it sees the old domain, the new one or a fault',
    run(t) {
      const bench = t.bench()
      bench.probe(bench.device)
      const point = { device: bench.device, pasid: PASID }
      bench.expectBlocked('a PASID that nothing was set on', point)
      ridOverPasids(bench, bench.device, 30).domain.attachDev?.(bench.device, undefined)
      for (const state of allStates(bench, bench.device, 'pasid')) {
        for (const address of bench.addresses.probed) bench.dma(point, address)
        watchSwitch(bench, `nothing to ${state.name}`, point, () => set(state, bench.device, PASID, undefined))
        expectState(bench, `${state.name} on a PASID`, point, state)
        bench.blocked.setDevPasid?.(bench.device, PASID, state.domain)
        bench.expectBlocked(`removed after ${state.name}`, point)
      }
      const states = someStates(bench, bench.device, 'pasid')
      for (const from of states) {
        for (const to of states) {
          if (from === to) continue
          const what = `${from.name} to ${to.name} on a PASID`
          const replace = (): void => succeeds(what, () => set(to, bench.device, PASID, from.domain))
          set(from, bench.device, PASID, undefined)
          // Adversarial mode has its own machine, and looks at every step there.
          if (hasAdversary(t)) replace()
          else watchSwitch(bench, what, point, replace)
          expectState(bench, what, point, to)
        }
      }
      if (hasAdversary(t)) none(changesOf(t, ['PASID']), ['during'])
    },
  },
  {
    id: 'C-PASID-04', obliges: 'driver', source: 'iommu.h set_dev_pasid',
    says: 'on error a PASID keeps what it had, bit for bit, and other PASIDs and the requester id too',
    run(t) {
      const bench = t.bench()
      bench.probe(bench.device)
      const { device, machine } = bench
      const onRid = ridOverPasids(bench, device, 30)
      onRid.domain.attachDev?.(device, undefined)
      const states = someStates(bench, device, 'pasid')
      const other = pagingState(bench, device, 8, undefined, true)
      set(other, device, 7, undefined)
      let failed = 0
      for (const from of states) {
        for (const to of states) {
          if (from === to || to.domain.kind === 'blocked') continue
          for (let n = 1; n <= 4; n++) {
            set(from, device, PASID, undefined)
            for (const address of bench.addresses.probed) bench.dma({ device, pasid: PASID }, address)
            const before = path(bench, device, PASID)
            machine.fail.queueError(n)
            const code = outcomeOf(() => set(to, device, PASID, from.domain))
            machine.fail.queueError(undefined)
            if (code === 'ok') continue
            failed++
            const now = path(bench, device, PASID)
            before.forEach((entry, index) => same(`entry ${index} on the way after ${from.name} to ${to.name} failed with ${code}`, now[index], entry))
            same(`entries on the way after ${from.name} to ${to.name} failed with ${code}`, now.length, before.length)
            expectState(bench, `${from.name} to ${to.name} failed with ${code}`, { device, pasid: PASID }, from)
            expectState(bench, 'another PASID', { device, pasid: 7 }, other)
            expectState(bench, 'the requester id', { device }, onRid)
          }
        }
      }
      for (const state of states.filter(({ domain }) => domain.kind !== 'blocked')) {
        const high = pasidNear(t.manifest, 0x4000 + states.indexOf(state) * 0x100)
        machine.fail.allocation(1)
        const code = outcomeOf(() => set(state, device, high, undefined))
        machine.fail.allocation(undefined)
        if (code === 'ok') continue
        failed++
        bench.expectBlocked(`${state.name} without memory for its table`, { device, pasid: high })
        expectState(bench, 'the requester id', { device }, onRid)
      }
      check(failed > 0, 'nothing failed: the failures did not reach the driver')
    },
  },
  {
    id: 'C-PASID-05', obliges: 'core', source: 'iommu.c iommu_remove_dev_pasid',
    says: 'removing a PASID sets blocked on it, from its domain; it faults then, and the requester id does not notice',
    run(t) {
      const { bench, domain, state } = prepared(t)
      const { core, device } = bench
      const onRid = ridOverPasids(bench, device, 1)
      if (onRid.kind !== 'identity') core.attachDevice(onRid.domain, device)
      core.attachPasid(domain, device, PASID)
      expectState(bench, 'a PASID', { device, pasid: PASID }, state)
      for (const address of bench.addresses.probed) bench.dma({ device, pasid: PASID }, address)
      bench.trace.clear()
      bench.watch(() => core.detachPasid(domain, device, PASID), () => expectState(bench, 'the requester id meanwhile', { device }, onRid))
      const [removal] = setters(bench)
      same('setDevPasid calls', setters(bench).length, 1)
      check(removal?.domain === bench.blocked && removal?.old === domain && removal?.pasid === PASID, 'it was not blocked, from its domain')
      bench.expectBlocked('a removed PASID', { device, pasid: PASID })
      expectState(bench, 'the requester id', { device }, onRid)
      core.attachPasid(domain, device, PASID)
      bench.trace.refuse(({ op, domain: each }) => (op === 'setDevPasid' && each?.kind === 'blocked' ? 'ENODEV' : undefined))
      succeeds('a removal that the driver refuses', () => core.detachPasid(domain, device, PASID))
      const group = prepared(t, { devices: THREE.slice(0, 2) })
      group.bench.core.attachPasid(group.domain, group.bench.device, PASID)
      group.bench.trace.clear()
      group.bench.core.detachPasid(group.domain, group.bench.device, PASID)
      same('members of a group that were told', setters(group.bench).map(({ device: member }) => member?.requesterId), [0x20, 0x21])
    },
  },
  {
    id: 'C-PASID-06', obliges: 'driver', source: 'intel/pasid.c intel_pasid_tear_down_entry; amd/iommu.c is_pasid_valid',
    says: 'blocking a PASID that is absent or blocked already is harmless',
    run(t) {
      const bench = t.bench()
      bench.probe(bench.device)
      const { device, blocked } = bench
      const onRid = ridOverPasids(bench, device, 0)
      onRid.domain.attachDev?.(device, undefined)
      const live = pagingState(bench, device, 1, undefined, true)
      set(live, device, 7, undefined)
      for (const pasid of [PASID, PASID, pasidNear(t.manifest, 0x9000)]) {
        succeeds(`blocked on PASID ${pasid}`, () => blocked.setDevPasid?.(device, pasid, undefined))
        bench.expectBlocked('it', { device, pasid })
      }
      expectState(bench, 'the requester id', { device }, onRid)
      expectState(bench, 'another PASID', { device, pasid: 7 }, live)
    },
  },
  {
    id: 'C-PASID-07', obliges: 'core', source: 'iommu.c __iommu_set_group_pasid',
    says: 'members without PASIDs get no PASID op, and do not limit the others',
    run(t) {
      const { bench, domain } = prepared(t, { devices: THREE })
      const pasid = pasidNear(t.manifest, 0x800)
      bench.core.attachPasid(domain, bench.device, pasid)
      bench.core.detachPasid(domain, bench.device, pasid)
      const told = new Set(setters(bench).map(({ device }) => device?.requesterId))
      same('members that were told', [...told], [0x20, 0x21])
    },
  },
  {
    id: 'C-PASID-08', obliges: 'core', source: 'iommu.c __iommu_set_group_pasid',
    says: 'where a member fails the earlier ones go back to what they had, it is not called again, and a new slot is free',
    run(t) {
      const { bench, domain, state } = prepared(t, { devices: THREE })
      const { core, device, devices } = bench
      bench.trace.refuse(({ op, domain: each, device: member }) => (op === 'setDevPasid' && each === domain && member === devices[1] ? 'ENOMEM' : undefined))
      refuses('attachPasid', 'ENOMEM', () => core.attachPasid(domain, device, PASID))
      same('calls', setters(bench).map(({ domain: each, device: member }) => `${each?.kind ?? ''} ${member?.requesterId ?? ''}`), ['paging 32', 'paging 33', 'blocked 32'])
      bench.expectBlocked('the first member', { device, pasid: PASID })
      same('PASIDs of the group', core.group(device).pasids.size, 0)
      bench.trace.refuse(undefined)
      succeeds('attachPasid afterwards', () => core.attachPasid(domain, device, PASID, {}))
      const next = core.allocPaging(device, pasidRequest(t.manifest))
      bench.trace.clear()
      bench.trace.refuse(({ op, domain: each, device: member }) => (op === 'setDevPasid' && each === next && member === devices[1] ? 'ENOMEM' : undefined))
      refuses('replacePasid', 'ENOMEM', () => core.replacePasid(next, device, PASID, {}))
      const calls = setters(bench)
      same('members called', calls.map(({ device: member }) => member?.requesterId), [0x20, 0x21, 0x20])
      check(calls[2]?.domain === domain && calls[2]?.old === next, 'the first member was not set from the new domain back to the old one')
      for (const member of devices.slice(0, 2)) expectState(bench, 'a member after a replace that failed', { device: member, pasid: PASID }, state)
      check(core.group(device).pasids.get(PASID) === domain, 'the group does not have its old domain on the PASID')
    },
  },
  {
    id: 'C-PASID-09', obliges: 'core', source: 'iommu.c iommu_replace_device_pasid',
    says: 'replace needs an entry and a new handle; the same domain under a new handle makes no driver call',
    run(t) {
      const { bench, domain } = prepared(t)
      const { core, device } = bench
      refuses('replace of nothing', 'EINVAL', () => core.replacePasid(domain, device, PASID, {}))
      const handle: AttachHandle = {}
      core.attachPasid(domain, device, PASID, handle)
      const next = pagingState(bench, device, 1, undefined, true)
      refuses('replace under the same handle', 'EINVAL', () => core.replacePasid(next.domain, device, PASID, handle))
      bench.trace.clear()
      const second: AttachHandle = {}
      succeeds('the same domain under a new handle', () => core.replacePasid(domain, device, PASID, second))
      same('setDevPasid calls', setters(bench).length, 0)
      check(core.attachHandle(core.group(device), PASID) === second, 'the new handle is not there')
      core.replacePasid(next.domain, device, PASID, {})
      const [call] = setters(bench)
      check(call?.domain === next.domain && call?.old === domain, 'replace did not go from the old domain to the new one')
      expectState(bench, 'the replaced PASID', { device, pasid: PASID }, next)
    },
  },
  {
    id: 'C-PASID-10', obliges: 'core', source: 'iommu.c iommu_attach_device_pasid',
    says: 'the page-request path finds a PASID\'s handle only after every driver call has succeeded',
    run(t) {
      const { bench, domain } = prepared(t, { devices: THREE.slice(0, 2) })
      const { core, device, devices } = bench
      const handle: AttachHandle = {}
      const next: AttachHandle = {}
      const found = (): string => {
        let at: AttachHandle | undefined
        const code = outcomeOf(() => { at = core.attachHandle(core.group(device), PASID) })
        return code !== 'ok' ? code : at === handle ? 'the first handle' : at === next ? 'the next handle' : 'a stranger'
      }
      const seen = new Set<string>()
      const lookups = (run: () => void): readonly string[] => {
        seen.clear()
        run()
        return [...seen]
      }
      bench.trace.during(({ op }) => {
        if (op === 'setDevPasid') seen.add(found())
      })
      bench.trace.refuse(({ op, domain: each, device: member }) => (op === 'setDevPasid' && each === domain && member === devices[1] ? 'ENOMEM' : undefined))
      const failed = lookups(() => refuses('an attach that a member refuses', 'ENOMEM', () => core.attachPasid(domain, device, PASID, handle)))
      same('look-ups during it', failed, ['ENOENT'])
      same('look-up after it', found(), 'ENOENT')
      bench.trace.refuse(undefined)
      same('look-ups during the attach', lookups(() => core.attachPasid(domain, device, PASID, handle)), ['ENOENT'])
      same('look-up after the attach', found(), 'the first handle')
      const other = core.allocPaging(device, pasidRequest(t.manifest))
      same('look-ups during a replace', lookups(() => core.replacePasid(other, device, PASID, next)), ['the first handle'])
      same('look-up after the replace', found(), 'the next handle')
    },
  },
  {
    id: 'C-PASID-11', obliges: 'driver', source: 'cache tags of the drivers',
    says: 'a domain on requester ids and PASIDs of several devices is mapped and unmapped once for all of them',
    run(t) {
      for (const format of formatsFor(t.manifest, 'pasid')) {
        const bench = t.bench()
        bench.probe(...bench.devices)
        const state = pagingState(bench, bench.device, 0, format, true)
        const onRid = formatsFor(t.manifest, 'rid').includes(format) && isOverPasids(t.manifest, format)
        if (!onRid) for (const device of bench.devices) ridOverPasids(bench, device, 1).domain.attachDev?.(device, undefined)
        // One PASID that the devices share, and one of each device's own.
        const points: Point[] = bench.devices.flatMap((device, index) =>
          [...(onRid ? [{ device }] : []), { device, pasid: PASID }, { device, pasid: pasidNear(t.manifest, 0x123 + 8 * index) - index }])
        for (const { device, pasid } of points) {
          if (pasid === undefined) state.domain.attachDev?.(device, undefined)
          else set(state, device, pasid, undefined)
        }
        const domain = bench.paging(bench.device, format, true)
        domain.free()
        const paging = state.domain as ReturnType<typeof bench.paging>
        const physical = bench.addresses.physical(0x90_0000n)
        bench.map(paging, bench.addresses.unmapped, physical)
        for (const point of points) {
          bench.expect(`${format}, mapped once`, point, bench.addresses.unmapped, physical)
          bench.dma(point, bench.addresses.unmapped)
        }
        bench.unmap(paging, bench.addresses.unmapped)
        for (const point of points) bench.expect(`${format}, unmapped once`, point, bench.addresses.unmapped, 'blocked')
      }
    },
  },
  {
    id: 'C-PASID-12', obliges: 'driver', source: 'arm-smmu-v3.c arm_smmu_attach_dev',
    says: 'switching the requester id leaves PASIDs alive at every step, or is refused with EBUSY before any store',
    run(t) {
      const bench = t.bench()
      bench.probe(bench.device)
      const { device } = bench
      const under = ridOverPasids(bench, device, 8)
      under.domain.attachDev?.(device, undefined)
      // Every kind of state is alive on a PASID of its own.
      const alive = someStates(bench, device, 'pasid').filter(({ kind }) => kind !== 'blocked')
        .map((state, index) => ({ state, point: { device, pasid: PASID + index } }))
      for (const { state, point } of alive) set(state, device, point.pasid, undefined)
      const expectAlive = (what: string): void => {
        for (const { state, point } of alive) expectState(bench, `${state.name} on a PASID ${what}`, point, state)
      }
      const states = allStates(bench, device).filter(({ domain }) => domain.kind !== 'blocked')
      let old: Domain | undefined = under.domain
      for (const state of states) {
        let stores = 0
        const code = outcomeOf(() => bench.watch(() => state.domain.attachDev?.(device, old), (event) => {
          if (event.kind === 'store') stores++
          expectAlive(`while the requester id goes to ${state.name}`)
        }))
        if (code === 'EBUSY') same('stores before EBUSY', stores, 0)
        else same(`attach of ${state.name}`, code, 'ok')
        expectAlive(`after the requester id went to ${state.name}`)
        if (code === 'ok') old = state.domain
      }
    },
  },
  {
    id: 'C-PASID-13', obliges: 'driver', source: 'arm-smmu-v3.c arm_smmu_blocking_set_dev_pasid',
    says: 'when the last PASID leaves, the requester id is translated as before, at every step',
    run(t) {
      const bench = t.bench()
      bench.probe(bench.device)
      const { device } = bench
      const states = [...staticStates(bench, 'rid'), ridOverPasids(bench, device, 0)].filter(({ kind }) => isOverPasids(t.manifest, kind))
      for (const state of states) {
        state.domain.attachDev?.(device, undefined)
        const onPasid = pagingState(bench, device, 1, undefined, true)
        set(onPasid, device, PASID, undefined)
        bench.watch(() => bench.blocked.setDevPasid?.(device, PASID, onPasid.domain), () =>
          expectState(bench, `the requester id on ${state.name}`, { device }, state))
        expectState(bench, `the requester id on ${state.name}`, { device }, state)
      }
    },
  },
  {
    id: 'C-PASID-14', obliges: 'core', source: 'iommu.c __iommu_release_dma_ownership',
    says: 'changing the requester id does not touch the PASIDs, and an owner that leaves PASIDs behind is warned about',
    run(t) {
      if (!isOverPasids(t.manifest, 'blocked')) return notDeclared('PASIDs under a blocked requester id')
      const { bench, domain } = prepared(t)
      const { core, device } = bench
      const group = core.group(device)
      core.claimGroup(group, {})
      core.attachPasid(domain, device, PASID)
      bench.trace.clear()
      core.attachGroup(core.allocPaging(device), group)
      core.detachGroup(group)
      same('setDevPasid calls', setters(bench).length, 0)
      check(group.pasids.get(PASID) === domain, 'the PASID is gone from the book-keeping')
      const before = bench.warnings.length
      core.releaseGroup(group)
      check(bench.warnings.length > before, 'nobody was warned')
      check(group.pasids.get(PASID) === domain, 'the release removed a PASID')
    },
  },
  {
    id: 'C-PASID-15', obliges: 'driver', source: 'intel/iommu.c probe_finalize; amd/iommu.c pdev_enable_caps',
    says: 'on the endpoint PASID is enabled before ATS, and ATS disabled before PASID',
    run(t) {
      const bench = t.bench({ devices: [{ requesterId: 0x20, ats: true, endpoint: { pasidWidth: 20, atsQueueDepth: 0 } }] })
      const switched: string[] = []
      bench.machine.observe((event) => {
        if (event.kind === 'config') switched.push(`${event.feature} ${event.on ? 'on' : 'off'}`)
      })
      bench.probe(bench.device)
      bench.paging(bench.device).attachDev(bench.device, undefined)
      const { config } = bench.machine.endpoint(0x20)
      check(config.enabled.pasid, 'PASID was not enabled')
      if (config.enabled.ats) check(switched.indexOf('pasid on') < switched.indexOf('ats on'), `switched ${switched.join(', ')}`)
      bench.ops.releaseDevice?.(bench.device)
      if (switched.includes('pasid off')) check(!switched.includes('ats on') || switched.indexOf('ats off') < switched.indexOf('pasid off'), `switched ${switched.join(', ')}`)
      check(!config.enabled.ats, 'ATS is still enabled after the release')
    },
  },
  {
    id: 'C-PASID-17', obliges: 'driver', source: 'iommu.h set_dev_pasid', needs: 'adversary',
    says: 'after success a PASID answers by the new domain only, whatever hardware may have kept',
    run: (t) => none(changesOf(t, ['PASID']), ['after']),
  },
  {
    id: 'C-PASID-18', obliges: 'driver', source: 'iommu.h set_dev_pasid; arm-smmu-v3.c arm_smmu_attach_dev', needs: 'adversary',
    says: 'a switch of the requester id or of a PASID is not noticed by the device\'s other points, at any step',
    run(t) {
      const dies = (pair: string | undefined): boolean => !t.manifest.pasidsOutliveBlockedRid && pair?.split('>').includes('blocked') === true
      none(changesOf(t, ['requester id']).filter(({ pair }) => !dies(pair)), ['disturbed'])
      none(changesOf(t, ['PASID']), ['disturbed'])
    },
  },
]

export const pasidStatements: readonly Statement[] = [
  ...declared.map((statement) => ({ ...statement, unless: withoutPasids })),
  {
    id: 'C-PASID-16', obliges: 'driver', source: 'all seven legacy drivers',
    says: 'a backend without PASIDs says 0, has setDevPasid on no domain, and the core refuses with EOPNOTSUPP',
    unless: withPasids,
    run(t) {
      const bench = t.bench()
      const { core, device, ops } = bench
      core.probeDevice(device)
      same('maxPasids', ops.maxPasids?.(device) ?? 0, 0)
      const paging = t.manifest.paging.rid ? core.allocPaging(device) : undefined
      const domains = [ops.blockedDomain, ops.identityDomain, ops.releaseDomain, paging].filter((each) => each !== undefined)
      for (const domain of domains) {
        check(domain.setDevPasid === undefined, `a ${domain.kind} domain has setDevPasid`)
        refuses('attachPasid', 'EOPNOTSUPP', () => core.attachPasid(domain, device, PASID))
      }
      bench.expectBlocked('a request with PASID', { device, pasid: PASID })
    },
  },
]
