// Variants of groups and their default domains.
import { allocPaging } from '../layer/blocking.js'
import { coreSteps } from '../layer/steps.js'
import type { CoreVariant } from './variant.js'
import { withMethods, withSteps } from './variant.js'

export const groupVariants: readonly CoreVariant[] = [
  {
    id: 'new-member-on-default',
    title: 'gives a device that joins a group the default domain, not what the others have',
    breaks: ['C-GROUP-01'],
    create: withSteps({ domainForNewMember: (group) => group.defaultDomain }),
  },
  {
    id: 'first-member-only',
    title: 'switches only the first device of a group',
    breaks: [
      'C-GROUP-01', 'C-ATTACH-01', 'C-ATTACH-11', 'C-ATTACH-12', 'C-DETACH-01', 'C-DETACH-02', 'C-OWN-01', 'C-OWN-04',
      'C-OWN-06', 'C-ROLL-01', 'C-ROLL-02', 'C-RESET-02', 'C-RESV-02',
    ],
    create: withSteps({ switchedMembers: (group) => coreSteps.switchedMembers(group).slice(0, 1) }),
  },
  {
    id: 'driver-wish-ignored',
    title: 'does not ask the driver for the type of default domain',
    breaks: ['C-GROUP-02', 'C-IDENT-03'],
    create: withSteps({
      driverWish: (ops, device) => (ops.defaultDomain ? coreSteps.driverWish(ops, device) : undefined),
    }),
  },
  {
    id: 'conflict-goes-to-dma',
    title: 'translates a group in which the driver wants identity for one device',
    breaks: ['C-GROUP-02'],
    create: withSteps({ settleConflict: () => 'dma' }),
  },
  {
    id: 'untrusted-trusted',
    title: 'gives an untrusted device the default domain of any other',
    breaks: ['C-GROUP-02'],
    create: withSteps({ isUntrusted: () => false }),
  },
  {
    id: 'asked-type-wins',
    title: 'sets the default type that it is asked for, against the driver',
    breaks: ['C-GROUP-02', 'C-GROUP-04', 'C-IDENT-03'],
    create: withSteps({
      chooseDefaultType: (core, group, target) => target ?? coreSteps.chooseDefaultType(core, group, target),
    }),
  },
  {
    id: 'request-beats-driver',
    title: 'asks the driver, and sets the default type that it is asked for where the driver says no',
    breaks: ['C-GROUP-02'],
    create: withSteps({
      chooseDefaultType: (core, group, target) => {
        try {
          return coreSteps.chooseDefaultType(core, group, target)
        } catch (error) {
          if (core.ops.defaultDomain || target === undefined) throw error
          return target
        }
      },
    }),
  },
  {
    id: 'static-default-only-against-identity',
    title: 'refuses identity to a driver with a default domain of its own, and forgets requests for other types',
    breaks: ['C-GROUP-04'],
    create: withMethods((core) => ({
      setDefaultType: (group, type) => {
        if (!core.ops.defaultDomain || type === 'identity') core.setDefaultType(group, type)
      },
    })),
  },
  {
    id: 'no-dma-api-overlooked',
    title: 'chooses translating default domains without a DMA API',
    breaks: ['C-GROUP-02'],
    create: withSteps({
      chooseDefaultType: (core, group, target) => coreSteps.chooseDefaultType({ ...core, dmaApi: true }, group, target),
    }),
  },
  {
    id: 'no-fallback-to-dma',
    title: 'fails the probe where the global default type cannot be had',
    breaks: ['C-GROUP-02', 'C-GROUP-03'],
    create: withSteps({
      allocDefaultDomain: (core, group, wanted) =>
        coreSteps.allocDefaultDomain(core, group, core.ops.defaultDomain ? wanted : wanted ?? core.defaultType),
    }),
  },
  {
    id: 'pasid-wish-missing',
    title: 'does not ask for a default domain that goes with PASIDs',
    breaks: [
      'C-GROUP-03', 'C-PASID-03', 'C-PASID-04', 'C-PASID-05', 'C-PASID-06', 'C-PASID-07', 'C-PASID-08', 'C-PASID-09',
      'C-PASID-10', 'C-PASID-11', 'C-PASID-12', 'C-PASID-13', 'C-PASID-14', 'C-SVA-01', 'C-SVA-02', 'C-RESET-01',
      'C-RESET-02', 'C-BLOCK-05', 'C-IDENT-06', 'C-OWN-03',
    ],
    create: withSteps({ allocDefaultPaging: (core, member) => allocPaging(core, member, {}) }),
  },
  {
    id: 'pasid-wish-insisted-on',
    title: 'fails the probe where the driver has no default domain that goes with PASIDs',
    breaks: ['C-GROUP-03', 'C-GROUP-02'],
    create: withSteps({
      allocDefaultPaging: (core, member) => allocPaging(core, member, member.maxPasids > 0 ? { pasid: true } : {}),
    }),
  },
  {
    id: 'pasid-wish-dropped-for-any-error',
    title: 'asks again without PASIDs after an error of any kind',
    breaks: ['C-GROUP-03', 'C-GROUP-02'],
    create: withSteps({
      allocDefaultPaging: (core, member) => {
        try {
          return coreSteps.allocDefaultPaging(core, member)
        } catch {
          return allocPaging(core, member, {})
        }
      },
    }),
  },
  {
    id: 'static-default-ignored',
    title: 'allocates a default domain although the driver has one of its own',
    breaks: ['C-GROUP-04', 'C-GROUP-02'],
    create: withSteps({
      driverWish: (ops, device) => (ops.defaultDomain ? undefined : coreSteps.driverWish(ops, device)),
      allocDefaultDomain: (core, group, wanted) => {
        const ops = Object.create(core.ops, { defaultDomain: { value: undefined } }) as typeof core.ops
        return coreSteps.allocDefaultDomain({ ...core, ops }, group, wanted)
      },
    }),
  },
]
