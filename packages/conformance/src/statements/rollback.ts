// ROLL: what a group and its members have after something failed.
import type { Device, Domain } from '@iommu/core'
import { declaredFormats, pageOf } from '../formats.js'
import { check, fail, notDeclared, outcomeOf, refuses, same, succeeds } from '../check.js'
import type { Bench } from '../bench.js'
import { formatsFor, pagingState, pasidNear, ridOverPasids, someStates } from '../states.js'
import { withOneTranslation, withoutBlockedDomain } from '../statement.js'
import type { Case, Statement } from '../statement.js'

const THREE = [0x20, 0x21, 0x22].map((requesterId) => ({ requesterId, isolation: 'together' }))

/** A group of three on a domain, and a second domain; the middle member is made to refuse. */
const middleRefuses = (t: Case): { bench: Bench; from: Domain; to: Domain; members: readonly Device[] } => {
  const bench = t.bench({ devices: THREE })
  const { core, device, devices } = bench
  for (const each of devices) core.probeDevice(each)
  const from = core.allocPaging(device)
  const to = core.allocPaging(device)
  core.attachGroup(from, core.group(device))
  bench.trace.clear()
  return { bench, from, to, members: devices }
}

/** Something that needs memory: made on a bench, called, and cleaned up after, whether or not the call succeeded. */
type Operation = (bench: Bench, turn: number) => { readonly call: () => void; readonly cleanUp: () => void }

const operations = ({ manifest }: Case): (readonly [string, Operation])[] => [
  ['probing a device', (bench) => {
    let probed = false
    const device = bench.devices[1] as Device
    return {
      call: () => {
        bench.ops.probeDevice(device)
        probed = true
      },
      cleanUp: () => {
        if (probed) bench.ops.releaseDevice?.(device)
      },
    }
  }],
  ...formatsFor(manifest, 'rid').flatMap((format): (readonly [string, Operation])[] => [
    [`allocating a ${format} domain`, (bench) => {
      let made: ReturnType<Bench['paging']> | undefined
      return { call: () => { made = bench.paging(bench.device, format) }, cleanUp: () => made?.free() }
    }],
    [`mapping into a ${format} domain`, (bench) => {
      const domain = bench.paging(bench.device, format)
      return {
        // Two pages on both sides of a table's end.
        call: () => bench.map(domain, bench.addresses.base - pageOf(domain), bench.addresses.physical(0x80_0000n), 2),
        cleanUp: () => domain.free(),
      }
    }],
    ...(manifest.maxPasids === 0 || !formatsFor(manifest, 'pasid').includes(format) ? [] : [[`setting a ${format} domain on a PASID`, (bench: Bench, turn: number) => {
      if (turn === 0) ridOverPasids(bench, bench.device, 3).domain.attachDev?.(bench.device, undefined)
      const domain = bench.paging(bench.device, format, true)
      // Each turn takes another PASID table; the one of a turn that succeeded stays with the device.
      const pasid = pasidNear(manifest, 0x4000 + turn * 0x100)
      return {
        call: () => domain.setDevPasid?.(bench.device, pasid, undefined),
        cleanUp: () => {
          bench.blocked.setDevPasid?.(bench.device, pasid, domain)
          domain.free()
        },
      }
    }] as const]),
  ]),
]

/** Makes the first, second, ... allocation of an operation fail, until it needs no further one. */
const everyAllocation = (t: Case, what: string, operation: Operation): number => {
  for (let n = 1; n <= 64; n++) {
    const bench = t.bench()
    bench.probe(bench.device)
    const { machine } = bench
    // Once through, so that what stays for good (a bus's table) is there.
    const first = operation(bench, 0)
    first.call()
    first.cleanUp()
    const held = (): string => `${machine.memory.pages.live} pages, ${t.backend.idsInUse?.(bench.ops) ?? 0} ids`
    const before = held()
    const { call, cleanUp } = operation(bench, n)
    machine.fail.allocation(n)
    const code = outcomeOf(call)
    machine.fail.allocation(undefined)
    if (code === 'ok') return n - 1
    same(`${what} without its allocation ${n}`, code, 'ENOMEM')
    cleanUp()
    same(`${what}: what is held after allocation ${n} failed`, held(), before)
  }
  return fail(`${what} goes on allocating`)
}

export const rollbackStatements: readonly Statement[] = [
  {
    id: 'C-ROLL-01', obliges: 'core', source: 'iommu.c __iommu_group_set_domain_internal',
    says: 'where a member fails the earlier ones go back, it is not called again, and later ones are not touched',
    run(t) {
      const { bench, from, to, members } = middleRefuses(t)
      const [first, middle] = members
      bench.trace.refuse(({ op, domain, device }) => (op === 'attachDev' && domain === to && device === middle ? 'ENOSPC' : undefined))
      refuses('replace', 'ENOSPC', () => bench.core.replaceGroup(to, bench.core.group(bench.device)))
      const calls = bench.trace.calls.filter(({ op }) => op === 'attachDev')
      same('members called', calls.map(({ device }) => device?.name), [first?.name, middle?.name, first?.name])
      check(calls[2]?.domain === from && calls[2]?.old === to, 'the first member was not set from the new domain back to the old one')
      check(bench.core.group(bench.device).domain === from, 'the group is not on its old domain')
    },
  },
  {
    id: 'C-ROLL-02', obliges: 'core', source: 'iommu.c __iommu_device_set_domain',
    says: 'where failing is not allowed the member that fails is blocked, and the others go on',
    unless: withoutBlockedDomain,
    run(t) {
      const { bench, from, members } = middleRefuses(t)
      const { core } = bench
      const group = core.group(bench.device)
      // An owner, so that the group knows its blocking domain; what fails is the way back to the default.
      core.detachGroup(group)
      core.claimGroup(group, {})
      core.attachGroup(from, group)
      bench.trace.clear()
      const middle = members[1] as Device
      const { defaultDomain } = group
      bench.trace.refuse(({ op, domain, device }) => (op === 'attachDev' && domain === defaultDomain && device === middle ? 'ENOMEM' : undefined))
      succeeds('release', () => core.releaseGroup(group))
      const calls = bench.trace.calls.filter(({ op }) => op === 'attachDev')
      same('members called', calls.map(({ device }) => device?.name), [members[0]?.name, middle.name, middle.name, members[2]?.name])
      same('the member that failed went to', calls[2]?.domain?.kind, 'blocked')
      check(group.domain === defaultDomain, 'the group is not on its default domain')
      check(bench.warnings.length > 0, 'nobody was warned')
      bench.expectBlocked('the member that failed', { device: middle })
    },
  },
  {
    id: 'C-ROLL-03', obliges: 'driver', source: 'iommu.c __iommu_group_set_domain_internal',
    says: 'going back to a domain that the group still has needs nothing that could be missing',
    unless: withOneTranslation,
    run(t) {
      const bench = t.bench()
      bench.probe(...bench.devices)
      const [one, other] = bench.devices as [Device, Device]
      for (const format of declaredFormats(t)) {
        const from = pagingState(bench, one, 0, format)
        const to = pagingState(bench, one, 1, format)
        for (const device of [one, other]) from.domain.attachDev(device, undefined)
        to.domain.attachDev(one, from.domain)
        bench.machine.fail.allocation(1)
        succeeds('back to the old domain, without memory', () => from.domain.attachDev(one, to.domain))
        bench.machine.fail.allocation(undefined)
        for (const address of bench.addresses.probed) bench.expect('back on the old domain', { device: one }, address, from.expected(address))
      }
    },
  },
  {
    id: 'C-ROLL-04', obliges: 'core', source: 'iommu.c __iommu_probe_device',
    says: 'where the first attach fails there is nothing to go back to: probe fails, and the device is released',
    run(t) {
      const bench = t.bench()
      bench.trace.refuse(({ op, domain }) => (op === 'attachDev' && domain?.kind !== 'blocked' ? 'ENOMEM' : undefined))
      refuses('probe', 'ENOMEM', () => bench.core.probeDevice(bench.device))
      check(bench.trace.calls.some(({ op }) => op === 'releaseDevice'), 'the device was not released')
      refuses('its group', 'ENODEV', () => bench.core.group(bench.device))
    },
  },
  {
    id: 'C-ROLL-05', obliges: 'driver', source: 'amd/iommu.c attach_device',
    says: 'what fails leaks nothing: no table page, and no id, whichever allocation it was that failed',
    run(t) {
      const bench = t.bench()
      bench.probe(bench.device)
      const ids = (): number | undefined => t.backend.idsInUse?.(bench.ops)
      const states = someStates(bench, bench.device)
      for (const from of states) {
        for (const to of states) {
          if (from === to) continue
          from.domain.attachDev?.(bench.device, undefined)
          const before = [bench.machine.memory.pages.live, ids()]
          for (let n = 1; n <= 4; n++) {
            bench.machine.fail.queueError(n)
            const failed = outcomeOf(() => to.domain.attachDev?.(bench.device, from.domain)) !== 'ok'
            bench.machine.fail.queueError(undefined)
            if (failed) same(`pages and ids after ${from.name} to ${to.name} failed`, [bench.machine.memory.pages.live, ids()], before)
            from.domain.attachDev?.(bench.device, to.domain)
          }
        }
      }
      const failed = operations(t).reduce((sum, [what, operation]) => sum + everyAllocation(t, what, operation), 0)
      if (failed === 0 && !t.manifest.paging.rid) return notDeclared('anything that takes memory')
      check(failed > 0, 'nothing took memory: the failures did not reach the driver')
    },
  },
]
