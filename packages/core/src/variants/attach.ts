// Variants of attach and detach.
import type { Device } from '../contract/device.js'
import { coreSteps } from '../layer/steps.js'
import type { CoreVariant } from './variant.js'
import { withMethods, withSteps } from './variant.js'

export const attachVariants: readonly CoreVariant[] = [
  {
    id: 'old-is-default',
    title: 'tells the driver that the default domain is live, whatever is',
    breaks: [
      'C-ATTACH-01', 'C-DETACH-01', 'C-DETACH-02', 'C-ROLL-01', 'C-ROLL-02', 'C-OWN-04', 'C-REL-01', 'C-RESET-01',
      'C-RESET-02',
    ],
    create: withSteps({
      liveDomain: (member) => coreSteps.liveDomain(member) && member.group.defaultDomain,
    }),
  },
  {
    id: 'first-old-is-new',
    title: 'tells the driver at the first attach that the new domain is live already',
    breaks: ['C-ATTACH-02', 'C-ATTACH-01', 'C-GROUP-01', 'C-ROLL-04'],
    create: withSteps({
      liveDomain: (member) =>
        coreSteps.liveDomain(member) ?? (member.attachDeferred ? undefined : member.group.defaultDomain),
      attachFirst: (core, member, domain) => core.steps.setMemberDomain(core, member, domain, domain, false),
    }),
  },
  {
    id: 'returning-device-on-blocked',
    title: 'tells the driver of a device that has come back that the blocked domain is live, where it was released to',
    breaks: ['C-ATTACH-02'],
    create: (ops, options) => {
      const left = new Set<Device>()
      return withSteps({
        liveDomain: (member) => coreSteps.liveDomain(member) ?? (left.has(member.device) ? ops.blockedDomain : undefined),
        attachFirst: (core, member, domain) =>
          core.steps.setMemberDomain(core, member, domain, left.has(member.device) ? ops.blockedDomain : undefined, false),
        releaseMember: (core, member) => {
          coreSteps.releaseMember(core, member)
          left.add(member.device)
        },
      })(ops, options)
    },
  },
  {
    id: 'current-attached-again',
    title: 'calls the driver for the domain that the group has already',
    breaks: ['C-ATTACH-03', 'C-ATTACH-01', 'C-DETACH-01', 'C-RESET-02'],
    create: withSteps({ isCurrent: () => false }),
  },
  {
    id: 'foreign-domain-accepted',
    title: 'attaches domains of other drivers',
    breaks: ['C-ATTACH-13'],
    create: withSteps({ isCompatible: () => true }),
  },
  {
    id: 'missing-attach-succeeds',
    title: 'takes a domain without attachDev for attached',
    breaks: ['C-ATTACH-14'],
    create: withSteps({
      attachMember: (member, domain, old) => domain.attachDev && coreSteps.attachMember(member, domain, old),
    }),
  },
  {
    id: 'missing-attach-replaces',
    title: 'takes a replace by a domain without attachDev for done',
    breaks: ['C-ATTACH-14'],
    create: withMethods((core) => ({
      replaceGroup: (domain, ...rest) => {
        if (domain.attachDev) core.replaceGroup(domain, ...rest)
      },
    })),
  },
  {
    id: 'user-domain-displaced',
    title: 'attaches over the domain of another user',
    breaks: ['C-ATTACH-15'],
    create: withSteps({ mayAttach: () => true }),
  },
  {
    id: 'device-attach-moves-group',
    title: 'attaches a device that shares its group, and so moves the others',
    breaks: ['C-ATTACH-16'],
    create: withMethods((core) => ({
      attachDevice: (domain, device) => core.attachGroup(domain, core.group(device)),
    })),
  },
  {
    id: 'detach-to-default',
    title: 'detaches to the default domain, although the group is owned',
    breaks: ['C-DETACH-01', 'C-OWN-01', 'C-OWN-04', 'C-RESET-02'],
    create: withSteps({ coreDomain: (group) => group.defaultDomain }),
  },
  {
    id: 'detach-by-way-of-blocked',
    title: 'detaches in two steps, the first to the blocked domain',
    breaks: ['C-DETACH-01', 'C-DETACH-02', 'C-ATTACH-01', 'C-ROLL-02', 'C-OWN-04', 'C-RESET-02'],
    create: withSteps({
      switchNofail: (core, group, domain) => {
        if (core.ops.blockedDomain) coreSteps.switchNofail(core, group, core.ops.blockedDomain)
        coreSteps.switchNofail(core, group, domain)
      },
    }),
  },
  {
    id: 'detach-throws',
    title: 'hands a refusal by the driver to whoever detaches',
    breaks: ['C-DETACH-02', 'C-ROLL-02', 'C-OWN-04'],
    create: withSteps({
      switchNofail: (core, group, domain) => {
        const refused = core.steps.switchGroup(core, group, domain, true)
        if (refused) throw refused
      },
    }),
  },
  {
    id: 'detach-any-domain',
    title: 'detaches whatever is attached, without a look at the domain that it is told',
    breaks: ['C-DETACH-03'],
    create: withMethods((core) => ({
      detachDevice: (_domain, device) => core.detachGroup(core.group(device)),
    })),
  },
]
