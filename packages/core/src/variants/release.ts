// Variants of release and deferred attach.
import { coreSteps } from '../layer/steps.js'
import type { CoreVariant } from './variant.js'
import { withSteps } from './variant.js'

export const releaseVariants: readonly CoreVariant[] = [
  {
    id: 'release-before-park',
    title: 'releases the device, and attaches the release domain after that',
    breaks: ['C-REL-01', 'C-REL-03', 'C-ROLL-04'],
    create: withSteps({
      releaseMember: (core, member) => {
        core.ops.releaseDevice?.(member.device)
        core.steps.park(core, member)
      },
    }),
  },
  {
    id: 'release-without-park',
    title: 'releases the device without attaching the release domain',
    breaks: ['C-REL-01', 'C-REL-03', 'C-REL-04', 'C-ROLL-04', 'C-BLOCK-06', 'C-FREE-01'],
    create: withSteps({ park: () => {} }),
  },
  {
    id: 'deferred-device-parked',
    title: 'attaches the release domain to a device that nothing was ever attached to',
    breaks: ['C-REL-02'],
    create: withSteps({
      releaseDomainOf: (core, member) => coreSteps.releaseDomainOf(core, { ...member, attachDeferred: false }),
    }),
  },
  {
    id: 'direct-device-parked-blocked',
    title: 'blocks a device at its release although it needs its 1:1 mappings',
    breaks: ['C-REL-03'],
    create: withSteps({
      releaseDomainOf: (core, member) => coreSteps.releaseDomainOf(core, { ...member, requireDirect: false }),
    }),
  },
  {
    id: 'deferral-ignored',
    title: 'attaches at probe although the driver asked for a deferred attach',
    breaks: ['C-DEFER-01', 'C-REL-02'],
    create: withSteps({ staysDeferred: () => false }),
  },
  {
    id: 'deferred-old-is-default',
    title: 'tells the driver at a deferred attach that the domain is live already',
    breaks: ['C-DEFER-01', 'C-ATTACH-01', 'C-ATTACH-02'],
    create: withSteps({
      attachMember: (member, domain, old) =>
        coreSteps.attachMember(member, domain, member.attachDeferred ? domain : old),
    }),
  },
]
