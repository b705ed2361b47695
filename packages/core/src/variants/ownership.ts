// Variants of DMA ownership.
import { IommuError, errorCode } from '../errors.js'
import { coreSteps } from '../layer/steps.js'
import type { CoreVariant } from './variant.js'
import { withMethods, withSteps } from './variant.js'

export const ownershipVariants: readonly CoreVariant[] = [
  {
    id: 'claim-keeps-default',
    title: 'notes the owner, and leaves the group on its default domain',
    breaks: [
      'C-OWN-01', 'C-OWN-04', 'C-OWN-06', 'C-BLOCK-09', 'C-DETACH-01', 'C-GROUP-01', 'C-RESV-02', 'C-RESET-01',
      'C-RESET-02',
    ],
    create: withSteps({
      takeOwnership: (core, group, owner) =>
        coreSteps.takeOwnership({ ...core, steps: { ...core.steps, switchGroup: () => undefined } }, group, owner),
    }),
  },
  {
    id: 'claim-not-exclusive',
    title: 'does not ask at a claim whether the group is in use',
    breaks: ['C-OWN-02', 'C-OWN-03', 'C-OWN-04', 'C-OWN-05'],
    create: withSteps({ isTaken: () => false }),
  },
  {
    id: 'any-owner-shares',
    title: 'lets another owner share a claim',
    breaks: ['C-OWN-02'],
    create: withSteps({ sharesOwner: () => true }),
  },
  {
    id: 'claim-over-pasids',
    title: 'does not ask at a claim for live PASIDs',
    breaks: ['C-OWN-03', 'C-OWN-05', 'C-PASID-14'],
    create: withSteps({
      isIdle: (group) => group.domain === undefined || group.domain === group.defaultDomain,
    }),
  },
  {
    id: 'claim-over-user-domain',
    title: 'does not ask at a claim for the domain of another user',
    breaks: ['C-OWN-03', 'C-OWN-02', 'C-OWN-05'],
    create: withSteps({ isIdle: (group) => group.pasids.size === 0 }),
  },
  {
    id: 'release-stays-blocked',
    title: 'leaves the group blocked after the last release',
    breaks: ['C-OWN-04', 'C-OWN-02', 'C-OWN-05', 'C-BLOCK-09', 'C-RESET-02', 'C-ROLL-02'],
    create: withSteps({ returnToDefault: () => {} }),
  },
  {
    id: 'group-release-stays-blocked',
    title: 'leaves a group blocked that was claimed as a whole',
    breaks: ['C-OWN-04', 'C-OWN-02', 'C-OWN-05', 'C-BLOCK-09', 'C-RESET-02', 'C-ROLL-02'],
    create: withMethods((core) => ({
      releaseGroup: (group) => {
        const { blockingDomain } = group
        core.releaseGroup(group)
        if (blockingDomain) core.replaceGroup(blockingDomain, group)
      },
    })),
  },
  {
    id: 'device-claim-unasked',
    title: 'takes the claim of a device whose group has a user\'s domain, and does nothing',
    breaks: ['C-OWN-03'],
    create: withMethods((core) => ({
      claimDevice: (device, owner) => {
        const { domain, defaultDomain, owner: other } = core.group(device)
        if (other !== undefined || domain === defaultDomain) core.claimDevice(device, owner)
      },
    })),
  },
  {
    id: 'native-use-while-owned',
    title: 'lets a native driver use a group that is owned',
    breaks: ['C-OWN-05'],
    create: withMethods((core) => ({
      useDefaultDomain: (device) => {
        try {
          core.useDefaultDomain(device)
        } catch (error) {
          if (errorCode(error) !== 'EBUSY') throw error
        }
      },
    })),
  },
  {
    id: 'no-default-is-final',
    title: 'refuses a native driver for good where it should wait for the default domain',
    breaks: ['C-OWN-05'],
    create: withMethods((core) => ({
      useDefaultDomain: (device) => {
        try {
          core.useDefaultDomain(device)
        } catch (error) {
          if (errorCode(error) !== 'EPROBE_DEFER') throw error
          throw new IommuError('ENODEV', `${device.name} has no default domain`)
        }
      },
    })),
  },
  {
    id: 'failed-claim-owns',
    title: 'keeps the owner of a claim that failed',
    breaks: ['C-OWN-06', 'C-OWN-07', 'C-RESV-02', 'C-RESET-02'],
    create: withSteps({
      takeOwnership: (core, group, owner) => {
        if (core.steps.isIdle(group)) {
          group.owner = owner
          group.ownerCount = 1
        }
        coreSteps.takeOwnership(core, group, owner)
      },
    }),
  },
  {
    id: 'stand-in-trusted',
    title: 'lets an empty domain stand in where the manifest says that it does not block',
    breaks: ['C-OWN-07'],
    create: withSteps({ standInBlocks: () => true }),
  },
]
