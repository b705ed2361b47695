// GROUP: members follow their group, and how its default domain is chosen.
import { IommuError } from '@iommu/core'
import type { CoreOptions, DefaultDomainType, DefaultType, Device, Domain, IommuOps } from '@iommu/core'
import { check, refuses, same } from '../check.js'
import { withoutPaging, withoutPasids } from '../statement.js'
import type { Case, Statement } from '../statement.js'

const TOGETHER = [{ requesterId: 0x20, isolation: 'together' }, { requesterId: 0x21, isolation: 'together' }]

/** A driver with an opinion on the default domain type of some devices. */
const opinion = (say: (device: Device) => DefaultDomainType | undefined) => (ops: IommuOps): IommuOps => ({ ...ops, defDomainType: say })

/** Without the driver's own opinion, which may insist on a type. */
const impartial = ({ defDomainType: _opinion, ...ops }: IommuOps): IommuOps => ops

/** The default type that a core with these options chooses for these devices. */
const chosen = (
  t: Case, core: CoreOptions, alter: (ops: IommuOps) => IommuOps = impartial,
  devices: readonly { readonly requesterId: number; readonly isolation?: string; readonly untrusted?: boolean }[] = [{ requesterId: 0x20 }],
): { type: DefaultType; kind: string | undefined } => {
  const bench = t.bench({ core, alter, devices })
  for (const device of bench.devices) bench.core.probeDevice(device)
  const group = bench.core.group(bench.device)
  return { type: group.defaultType, kind: group.defaultDomain?.kind }
}

export const groupStatements: readonly Statement[] = [
  {
    id: 'C-GROUP-01', obliges: 'core', source: 'iommu.c __iommu_probe_device',
    says: 'all members follow the group; a member that comes later is attached to what the group has',
    run(t) {
      const bench = t.bench({ devices: TOGETHER })
      const { core } = bench
      const [one, late] = bench.devices as [Device, Device]
      core.probeDevice(one)
      const domain = core.allocPaging(one)
      core.attachGroup(domain, core.group(one))
      bench.trace.clear()
      core.probeDevice(late)
      const [attach] = bench.trace.calls.filter(({ op, device }) => op === 'attachDev' && device === late)
      check(attach?.domain === domain, 'the late member was not attached to the group\'s domain')
      same('its old domain', attach?.old, undefined)
      const next = core.allocPaging(one)
      bench.trace.clear()
      core.replaceGroup(next, core.group(one))
      same('members that were switched', bench.trace.calls.filter(({ op }) => op === 'attachDev').map(({ device }) => device?.name), [one.name, late.name])
    },
  },
  {
    id: 'C-GROUP-02', obliges: 'core', source: 'iommu.c iommu_get_default_domain_type',
    says: 'the default domain type follows from driver, device and configuration by the rules',
    unless: (manifest) => (manifest.identity.rid ? withoutPaging(manifest) : 'not declared: identity'),
    run(t) {
      same('nothing said', chosen(t, {}).type, 'dma')
      same('configured identity', chosen(t, { defaultType: 'identity' }).kind, 'identity')
      same('configured flush queue', chosen(t, { defaultType: 'dma-fq' }).type, 'dma-fq')
      same('no DMA API', chosen(t, { dmaApi: false, defaultType: 'dma' }).kind, 'identity')
      same('the driver wants identity', chosen(t, {}, opinion(() => 'identity')).kind, 'identity')
      same('the driver wants dma', chosen(t, { defaultType: 'identity' }, opinion(() => 'dma')).type, 'dma')
      const torn = t.bench({ devices: TOGETHER, alter: opinion(({ requesterId }) => (requesterId === 0x20 ? 'dma' : 'identity')) })
      for (const device of torn.devices) torn.core.probeDevice(device)
      const tornGroup = torn.core.group(torn.device)
      torn.core.setDefaultType(tornGroup, 'identity')
      same('a conflict inside a group', tornGroup.defaultDomain?.kind, 'identity')
      check(torn.warnings.length > 0, 'a conflict inside a group was settled silently')
      const insisting = t.bench({ alter: opinion(() => 'dma') })
      insisting.core.probeDevice(insisting.device)
      const insistent = insisting.core.group(insisting.device)
      refuses('identity by request, where the driver wants dma', 'EINVAL', () => insisting.core.setDefaultType(insistent, 'identity'))
      same('the type after that', insistent.defaultDomain?.kind, 'paging')
      same('an untrusted device', chosen(t, { defaultType: 'identity' }, undefined, [{ requesterId: 0x20, untrusted: true }]).type, 'dma')
      const bench = t.bench({ devices: [{ requesterId: 0x20, untrusted: true }], alter: opinion(() => 'identity') })
      check(bench.core.groups.length === 0, 'there are groups before the first probe')
      let refused = false
      try {
        bench.core.probeDevice(bench.device)
      } catch (error) {
        refused = error instanceof Error
      }
      check(refused, 'an untrusted device was probed although its driver insists on identity')
      const alone = t.bench({ core: { defaultType: 'identity' }, alter: ({ identityDomain: _identity, ...ops }) => impartial(ops) })
      alone.core.probeDevice(alone.device)
      same('identity where there is none', alone.core.group(alone.device).defaultType, 'dma')
      check(alone.warnings.length > 0, 'another default than the configured one was chosen silently')
    },
  },
  {
    id: 'C-GROUP-03', obliges: 'core', source: 'iommu.c __iommu_group_alloc_default_domain',
    says: 'the default domain is asked for with PASIDs first, and without only after EOPNOTSUPP',
    unless: withoutPasids,
    run(t) {
      const wishes = (code: 'EOPNOTSUPP' | 'ENOMEM' | undefined): (boolean | undefined)[] => {
        const bench = t.bench({ alter: impartial })
        bench.trace.refuse(({ op, args }) => {
          const request = args[1] as { readonly pasid?: boolean } | undefined
          return op === 'domainAllocPaging' && request?.pasid === true ? code : undefined
        })
        try {
          bench.core.probeDevice(bench.device)
        } catch (error) {
          check(code === 'ENOMEM' && error instanceof IommuError, 'probe failed')
        }
        return bench.trace.calls.filter(({ op }) => op === 'domainAllocPaging').map(({ args }) => (args[1] as { pasid?: boolean }).pasid === true)
      }
      const fulfilled = wishes(undefined)
      // The driver may have no format that is good for both.
      same('wishes that are left to the driver', fulfilled, fulfilled.length === 1 ? [true] : [true, false])
      same('wishes after EOPNOTSUPP', wishes('EOPNOTSUPP'), [true, false])
      check(!wishes('ENOMEM').includes(false), 'without memory it was asked again without PASIDs')
    },
  },
  {
    id: 'C-GROUP-04', obliges: 'core', source: 'iommu.c iommu_group_alloc_default_domain',
    says: 'a driver\'s static default domain is always the default, and another type is refused with EINVAL',
    run(t) {
      const attached: string[] = []
      const platform: Domain = { kind: 'platform', attachDev: ({ name }) => void attached.push(name) }
      const bench = t.bench({ alter: (ops) => ({ ...ops, defaultDomain: platform }), core: { defaultType: 'dma' } })
      for (const device of bench.devices) bench.core.probeDevice(device)
      same('devices attached to it', attached, bench.devices.map(({ name }) => name))
      for (const group of bench.core.groups) {
        for (const type of ['identity', 'dma', 'dma-fq'] as const) refuses(type, 'EINVAL', () => bench.core.setDefaultType(group, type))
        same('kind of the default domain', group.defaultDomain?.kind, 'platform')
      }
    },
  },
]
