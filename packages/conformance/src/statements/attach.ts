// ATTACH: what setting a domain on a requester id means.
// Long: the statements of one subject stand together in the order of their ids, and share the helpers above them.
import type { Domain, IommuErrorCode } from '@iommu/core'
import { circuit } from '../adversary/circuit.js'
import { accountOf } from '../adversary/campaign.js'
import { changesOf, hasAdversary, none } from '../adversary/judge.js'
import { notDeclared, outcomeOf, refuses, same, check, succeeds, fail } from '../check.js'
import { declaredFormats } from '../formats.js'
import type { Bench } from '../bench.js'
import { allStates, pagingState, someStates, staticStates } from '../states.js'
import type { State } from '../states.js'
import { withOneTranslation } from '../statement.js'
import type { Case, Statement } from '../statement.js'
import { watchSwitch } from '../window.js'

/** Codes that an attach may refuse with. */
const ATTACH_CODES: readonly IommuErrorCode[] = ['EINVAL', 'ENOMEM', 'ENOSPC', 'EBUSY', 'ENODEV']

const attachCalls = (bench: Bench): typeof bench.trace.calls => bench.trace.calls.filter(({ op }) => op === 'attachDev')

/** Sets a state on a device through the driver, and checks every probed address. */
const put = (bench: Bench, state: State, old: Domain | undefined): void => {
  state.domain.attachDev?.(bench.device, old)
  for (const address of bench.addresses.probed) bench.expect(`on ${state.name}`, { device: bench.device }, address, state.expected(address))
}

/** Every ordered pair of different states, each on a fresh attach of the first, of a device that sends under two ids. */
const eachPair = (
  t: Case, chosen: typeof allStates, look: (bench: Bench, from: State, to: State) => void,
): void => {
  const bench = t.bench({ devices: [{ requesterId: 0x20, aliases: [0x21], endpoint: { pasidWidth: 20 } }] })
  bench.probe(bench.device)
  const states = chosen(bench, bench.device)
  let old: Domain | undefined
  for (const from of states) {
    for (const to of states) {
      if (from === to) continue
      from.domain.attachDev?.(bench.device, old)
      for (const address of bench.addresses.probed) bench.dma({ device: bench.device }, address)
      look(bench, from, to)
      old = to.domain
    }
  }
}

/** A device that has a TLB of its own, which can fail to answer too. */
const WITH_TLB = { devices: [{ requesterId: 0x20, ats: true, endpoint: { pasidWidth: 20, atsQueueDepth: 0 } }] } as const

/** Ways in which a machine can fail during one call, one at a time. */
const failures = ({ device, machine: { fail: broken } }: Bench): (() => void)[] => [
  ...[1, 2, 3, 4].map((n) => () => broken.allocation(n)),
  ...[1, 2, 3, 4, 5, 6].map((n) => () => broken.queueError(n)),
  () => broken.deviceTlb(device.requesterId, 'times out'),
  () => broken.completions('never'),
]
const heal = ({ device, machine: { fail: broken } }: Bench): void => {
  broken.allocation(undefined)
  broken.queueError(undefined)
  broken.deviceTlb(device.requesterId, 'answers')
  broken.completions('prompt')
}

/** Blocked alone cannot fail. */
const canFail = (states: readonly State[]): boolean => states.some(({ kind }) => kind !== 'blocked')

/** A domain that the device must refuse softly: of a stranger, or of a unit that can do more. */
const incompatible = (t: Case): { bench: Bench; domain: Domain; why: string }[] => {
  const bench = t.bench()
  bench.probe(bench.device)
  const other = t.bench()
  other.probe(other.device)
  const strange = { bench, domain: other.paging(other.device), why: 'a domain of another driver' }
  const { incompatibleFormat } = t.backend
  if (incompatibleFormat === undefined) return [strange]
  const two = t.bench({ devices: [{ requesterId: 0x20, unit: 1 }, { requesterId: 0x28, unit: 0 }] })
  two.probe(...two.devices)
  const [, second] = two.devices
  return [strange, { bench: two, domain: two.paging(second as typeof two.device, incompatibleFormat), why: 'a domain of a unit that can do more' }]
}

export const attachStatements: readonly Statement[] = [
  {
    id: 'C-ATTACH-01', obliges: 'core', source: 'iommu.c __iommu_device_set_domain',
    says: 'attachDev receives as `old` the domain last attached to that device with success',
    run(t) {
      const bench = t.bench()
      const { core, device } = bench
      core.probeDevice(device)
      const first = core.allocPaging(device)
      const second = core.allocPaging(device)
      core.attachDevice(first, device)
      core.replaceGroup(second, core.group(device))
      bench.trace.refuse(({ op, domain }) => (op === 'attachDev' && domain === first ? 'ENOMEM' : undefined))
      refuses('replace that the driver refuses', 'ENOMEM', () => core.replaceGroup(first, core.group(device)))
      bench.trace.refuse(undefined)
      core.detachDevice(second, device)
      core.releaseDevice(device)
      let live: Domain | undefined
      for (const { domain, old, outcome } of attachCalls(bench)) {
        check(old === live, 'attachDev got an `old` that was not live')
        if (outcome === 'ok') live = domain
      }
      check(attachCalls(bench).length >= 5, 'fewer attach calls reached the driver than were asked for')
    },
  },
  {
    id: 'C-ATTACH-02', obliges: 'core', source: 'iommu.c __iommu_probe_device',
    says: 'the first attach at probe has no `old`',
    run(t) {
      const bench = t.bench()
      const { core, device } = bench
      for (const when of ['at the first probe', 'when the device has come back']) {
        bench.trace.clear()
        core.probeDevice(device)
        const [first] = attachCalls(bench)
        check(first !== undefined, `probe attached nothing ${when}`)
        same(`old of the first attach ${when}`, first?.old, undefined)
        core.releaseDevice(device)
      }
    },
  },
  {
    id: 'C-ATTACH-03', obliges: 'core', source: 'iommu.c __iommu_group_set_domain_internal',
    says: 'attaching the domain that the group already has makes no driver call and succeeds',
    run(t) {
      const bench = t.bench()
      const { core, device } = bench
      core.probeDevice(device)
      const domain = core.allocPaging(device)
      core.attachDevice(domain, device)
      bench.trace.clear()
      succeeds('replace by the same domain', () => core.replaceGroup(domain, core.group(device)))
      same('attach calls', attachCalls(bench).length, 0)
    },
  },
  {
    id: 'C-ATTACH-04', obliges: 'driver', source: 'arm-smmu-v3.c arm_smmu_blocking_set_dev_pasid',
    says: 'attachDev with `old` equal to the domain itself succeeds and changes no translation',
    run(t) {
      const bench = t.bench()
      bench.probe(bench.device)
      let old: Domain | undefined
      for (const state of allStates(bench, bench.device)) {
        put(bench, state, old)
        succeeds(`${state.name} over itself`, () => put(bench, state, state.domain))
        old = state.domain
      }
    },
  },
  {
    id: 'C-ATTACH-05', obliges: 'driver', source: 'iommu.c __iommu_group_set_domain_internal',
    says: 'after success every address answers by the new domain only, whatever caches had kept',
    run(t) {
      eachPair(t, allStates, (bench, from, to) => {
        to.domain.attachDev?.(bench.device, from.domain)
        for (const address of bench.addresses.probed) bench.expect(`${from.name} to ${to.name}`, { device: bench.device }, address, to.expected(address))
      })
      if (hasAdversary(t)) none(changesOf(t, ['requester id']), ['after'])
    },
  },
  {
    id: 'C-ATTACH-06', obliges: 'driver', source: 'iommu.c __iommu_group_set_domain_internal',
    says: 'during a switch DMA sees the old domain, the new one or a fault, and nothing else',
    run(t) {
      if (hasAdversary(t)) return none(changesOf(t, ['requester id']), ['during'])
      eachPair(t, someStates, (bench, from, to) => {
        const what = `${from.name} to ${to.name}`
        watchSwitch(bench, what, { device: bench.device }, () => to.domain.attachDev?.(bench.device, from.domain))
        for (const address of bench.addresses.probed) bench.expect(`${what}, DMA all the time`, { device: bench.device }, address, to.expected(address))
      })
    },
  },
  {
    id: 'C-ATTACH-07', obliges: 'driver', source: 'iommu.h attach_dev',
    says: 'an incompatible domain is refused with EINVAL, and nothing is logged',
    run(t) {
      for (const { bench, domain, why } of incompatible(t)) {
        const [old] = staticStates(bench, 'rid')
        if (old !== undefined) put(bench, old, undefined)
        refuses(why, 'EINVAL', () => domain.attachDev?.(bench.device, old?.domain))
        same(`warnings about ${why}`, bench.warnings.length, 0)
      }
    },
  },
  {
    id: 'C-ATTACH-08', obliges: 'driver', source: 'iommu.h attach_dev',
    says: 'attach refuses with EINVAL, ENOMEM, ENOSPC, EBUSY or ENODEV only',
    unless: (_manifest, { attachCannotFail }) => (attachCannotFail === undefined ? undefined : `not declared: an attach that can fail: ${attachCannotFail}`),
    run(t) {
      const bench = t.bench(WITH_TLB)
      bench.probe(bench.device)
      const states = allStates(bench, bench.device)
      const refused = new Set<string>()
      states.forEach((state, index) => {
        const before = states[(index + 1) % states.length] ?? state
        for (const inject of failures(bench)) {
          before.domain.attachDev?.(bench.device, undefined)
          inject()
          const code = outcomeOf(() => state.domain.attachDev?.(bench.device, before.domain))
          heal(bench)
          check(code === 'ok' || ATTACH_CODES.includes(code), `attach of ${state.name} refused with ${code}`)
          refused.add(code)
        }
      })
      if (!canFail(states)) return notDeclared('a domain whose attach can fail')
      check(refused.size > 1, 'nothing was refused: the failures did not reach the driver')
    },
  },
  {
    id: 'C-ATTACH-09', obliges: 'driver', source: 's390-iommu.c s390_iommu_attach_device',
    says: 'after a failed attach the hardware is on the old domain or blocked, never on the new one or on identity',
    unless: (_manifest, { attachCannotFail }) => (attachCannotFail === undefined ? undefined : `not declared: an attach that can fail: ${attachCannotFail}`),
    run(t) {
      const bench = t.bench(WITH_TLB)
      bench.probe(bench.device)
      const states = someStates(bench, bench.device)
      let failed = 0
      for (const from of states) {
        for (const to of states) {
          if (from === to) continue
          // A unit that never completes is slow to wait for, and the same for every pair.
          for (const inject of failed < 40 ? failures(bench) : failures(bench).slice(0, -1)) {
            from.domain.attachDev?.(bench.device, undefined)
            for (const address of bench.addresses.probed) bench.dma({ device: bench.device }, address)
            inject()
            const code = outcomeOf(() => to.domain.attachDev?.(bench.device, from.domain))
            heal(bench)
            if (code === 'ok') continue
            failed++
            for (const address of bench.addresses.probed) {
              const answers = bench.answers({ device: bench.device }, address)
              check(answers.every((each) => each === 'blocked' || each === from.expected(address)),
                `${from.name} to ${to.name} failed with ${code}: 0x${address.toString(16)} may meet ${answers.map(String).join(', ')}`)
            }
          }
        }
      }
      if (!canFail(states)) return notDeclared('a domain whose attach can fail')
      check(failed > 0, 'no attach failed: the failures did not reach the driver')
    },
  },
  {
    id: 'C-ATTACH-10', obliges: 'driver', source: 'arm-smmu-v3.c arm_smmu_attach_dev',
    says: 'after EINVAL the tables are bit for bit what they were',
    run(t) {
      for (const { bench, domain, why } of incompatible(t)) {
        for (const old of [...staticStates(bench, 'rid'), pagingState(bench, bench.device, 0)]) {
          old.domain.attachDev?.(bench.device, undefined)
          const stored = new Map<bigint, { readonly word: bigint; readonly bytes: bigint }>()
          const stop = bench.machine.observe((event) => {
            if (event.kind !== 'store') return
            const bytes = BigInt(Math.min(event.bytes, 8))
            event.before.forEach((word, index) => {
              const at = event.address + BigInt(index) * bytes
              if (!stored.has(at)) stored.set(at, { word, bytes })
            })
          })
          refuses(why, 'EINVAL', () => domain.attachDev?.(bench.device, old.domain))
          stop()
          for (const [at, { word, bytes }] of stored) {
            const now = bench.machine.memory.load64(at & ~7n) >> (8n * (at & 7n)) & ((1n << (8n * bytes)) - 1n)
            check(now === word, `${why}: the word at 0x${at.toString(16)} was 0x${word.toString(16)}, and is 0x${now.toString(16)}`)
          }
          for (const address of bench.addresses.probed) bench.expect(`${why} refused on ${old.name}`, { device: bench.device }, address, old.expected(address))
        }
      }
    },
  },
  {
    id: 'C-ATTACH-11', obliges: 'driver', source: 'iommu.h, domains are shared',
    says: 'a page mapped once is seen by every device of the domain',
    run(t) {
      const bench = t.bench()
      bench.probe(...bench.devices)
      for (const format of declaredFormats(t)) {
        const { domain, expected } = pagingState(bench, bench.device, 0, format)
        for (const device of bench.devices) domain.attachDev(device, undefined)
        const physical = bench.addresses.physical(0x90_0000n)
        bench.map(domain, bench.addresses.unmapped, physical)
        for (const device of bench.devices) {
          for (const address of bench.addresses.mapped) bench.expect(`shared ${format}`, { device }, address, expected(address))
          bench.expect(`shared ${format}, mapped later`, { device }, bench.addresses.unmapped, physical)
        }
      }
    },
  },
  {
    id: 'C-ATTACH-12', obliges: 'driver', source: 'iommu.c iommu_deinit_device',
    says: 'moving one device off a shared domain does not disturb the others, at any step',
    unless: withOneTranslation,
    run(t) {
      const bench = t.bench()
      bench.probe(...bench.devices)
      const [one, other] = bench.devices as [typeof bench.device, typeof bench.device]
      const targets = staticStates(bench, 'rid')
      for (const format of declaredFormats(t)) {
        for (const target of [...targets, pagingState(bench, one, 1, format)]) {
          const shared = pagingState(bench, one, 0, format)
          for (const device of [one, other]) shared.domain.attachDev(device, undefined)
          const undisturbed = (): void => {
            for (const address of bench.addresses.probed) bench.expect(`left behind on ${shared.name}`, { device: other }, address, shared.expected(address))
          }
          bench.watch(() => target.domain.attachDev?.(one, shared.domain), undisturbed)
          undisturbed()
          bench.unmap(shared.domain, bench.addresses.mapped[0])
          bench.expect('unmapped for the one that stayed', { device: other }, bench.addresses.mapped[0], 'blocked')
        }
      }
    },
  },
  {
    id: 'C-ATTACH-13', obliges: 'core', source: 'iommu.c domain_iommu_ops_compatible',
    says: 'a domain of another driver is refused with EINVAL before any driver call',
    run(t) {
      const bench = t.bench()
      const other = t.bench()
      bench.core.probeDevice(bench.device)
      other.core.probeDevice(other.device)
      const strange = other.core.allocPaging(other.device)
      for (const domain of [strange, ...(other.ops.blockedDomain === undefined ? [] : [other.ops.blockedDomain])]) {
        bench.trace.clear()
        refuses('attachDevice', 'EINVAL', () => bench.core.attachDevice(domain, bench.device))
        refuses('replaceGroup', 'EINVAL', () => bench.core.replaceGroup(domain, bench.core.group(bench.device)))
        same('driver calls', bench.trace.calls.length + attachCalls(other).filter(({ device }) => device === bench.device).length, 0)
      }
    },
  },
  {
    id: 'C-ATTACH-14', obliges: 'core', source: 'iommu.c __iommu_attach_device',
    says: 'a domain that cannot be attached to requester ids is refused with ENODEV',
    run(t) {
      const bench = t.bench()
      const { core, device } = bench
      core.probeDevice(device)
      const group = core.group(device)
      const domain: Domain = { kind: 'sva', owner: bench.ops.owner }
      refuses('attachDevice', 'ENODEV', () => core.attachDevice(domain, device))
      refuses('attachGroup', 'ENODEV', () => core.attachGroup(domain, group))
      refuses('replaceGroup', 'ENODEV', () => core.replaceGroup(domain, group))
      check(group.domain === group.defaultDomain, 'the group is not on its default domain any more')
    },
  },
  {
    id: 'C-ATTACH-15', obliges: 'core', source: 'iommu.c __iommu_attach_group',
    says: 'attach to a group that has a user domain is refused with EBUSY',
    run(t) {
      const bench = t.bench()
      const { core, device } = bench
      core.probeDevice(device)
      core.attachDevice(core.allocPaging(device), device)
      const second = core.allocPaging(device)
      bench.trace.clear()
      refuses('second attachGroup', 'EBUSY', () => core.attachGroup(second, core.group(device)))
      refuses('second attachDevice', 'EBUSY', () => core.attachDevice(second, device))
      same('attach calls', attachCalls(bench).length, 0)
    },
  },
  {
    id: 'C-ATTACH-16', obliges: 'core', source: 'iommu.c iommu_attach_device',
    says: 'attachDevice in a group of several devices is refused with EINVAL, without a driver call',
    run(t) {
      const bench = t.bench({ devices: [{ requesterId: 0x20, isolation: 'together' }, { requesterId: 0x21, isolation: 'together' }] })
      const { core, device } = bench
      for (const each of bench.devices) core.probeDevice(each)
      const domain = core.allocPaging(device)
      bench.trace.clear()
      refuses('attachDevice', 'EINVAL', () => core.attachDevice(domain, device))
      same('driver calls', bench.trace.calls.length, 0)
    },
  },
  {
    id: 'C-ATTACH-17', obliges: 'driver', source: 'iommu.c iommu_replace_group_handle; the thread of May 2022',
    says: 'any domain can follow any other directly, in any order, without a detach',
    run(t) {
      const bench = t.bench()
      bench.probe(bench.device)
      // Blocked comes last: what it is as the first domain is another statement's.
      const states = allStates(bench, bench.device).reverse()
      // Every ordered pair once, and then what comes: a fixed congruential sequence, the same walk every time.
      const pairs = circuit(states.length, new Set(states.keys()))
      let seed = 1
      const more = Array.from({ length: 60 }, () => {
        seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fff_ffff
        return (seed >> 8) % states.length
      })
      let old: Domain | undefined
      for (const [step, index] of [...pairs, ...more].entries()) {
        const state = states[index] ?? fail('no states')
        succeeds(`step ${step}, ${state.name} after ${old?.kind ?? 'nothing'}`, () => put(bench, state, old))
        for (const address of bench.addresses.probed) bench.dma({ device: bench.device }, address)
        old = state.domain
      }
    },
  },
  {
    id: 'C-ATTACH-18', obliges: 'driver', source: 'the manifest; arm-smmu-v3.c arm_smmu_write_entry', needs: 'adversary',
    says: 'during a switch that is declared hitless DMA sees the old domain or the new one, and never a fault',
    unless: ({ hitless }) => (hitless.length === 0 ? 'not declared: hitless switches' : undefined),
    run(t) {
      const changes = changesOf(t, ['requester id'])
      const withAts = accountOf(t, 'requester id', true)?.changes ?? []
      for (const pair of t.manifest.hitless) {
        const declared = changes.filter((each) => each.pair === pair)
        check(declared.length > 0, `${pair} is declared hitless, and is no switch of this backend`)
        const [broken] = [...declared, ...withAts.filter((each) => each.pair === pair)].filter(({ interrupted }) => interrupted)
        check(broken === undefined, `${broken?.what ?? ''}: declared hitless, and blocked in between`)
      }
      none(changes.filter(({ pair }) => pair !== undefined && t.manifest.hitless.includes(pair)), ['during'])
    },
  },
]
