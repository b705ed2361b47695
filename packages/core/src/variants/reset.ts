// Variants of device reset.
import type { CoreVariant } from './variant.js'
import { IommuError } from '../errors.js'
import { withMethods, withSteps } from './variant.js'

export const resetVariants: readonly CoreVariant[] = [
  {
    id: 'reset-pasids-first',
    title: 'takes the PASIDs of a device before its RID for a reset',
    breaks: ['C-RESET-01'],
    create: withSteps({
      blockMember: (core, member) => {
        core.steps.blockPasids(core, member)
        core.steps.blockRid(core, member)
        member.blocked = true
      },
    }),
  },
  {
    id: 'reset-restores-pasids-first',
    title: 'gives a device its PASIDs back before its RID after a reset',
    breaks: ['C-RESET-01'],
    create: withSteps({
      restoreMember: (core, member) => {
        core.steps.restorePasids(core, member)
        member.blocked = false
        core.steps.restoreRid(core, member)
      },
    }),
  },
  {
    id: 'reset-keeps-pasids',
    title: 'leaves the PASIDs of a device as they are for a reset',
    breaks: ['C-RESET-01', 'C-RESET-02', 'C-RESET-04'],
    create: withSteps({ blockPasids: () => {}, restorePasids: () => {} }),
  },
  {
    id: 'attach-during-reset',
    title: 'attaches to a group in the middle of a reset',
    breaks: ['C-RESET-02'],
    create: withSteps({ recoveryRefuses: () => false }),
  },
  {
    id: 'release-waits-for-reset',
    title: 'does not take a group back from its owner in the middle of a reset',
    breaks: ['C-RESET-02'],
    create: withMethods((core) => ({
      releaseGroup: (group) => {
        if (group.recoveryCount > 0) throw new IommuError('EBUSY', 'a device is being reset')
        core.releaseGroup(group)
      },
    })),
  },
  {
    id: 'reset-restores-removed-pasids',
    title: 'gives a device back the PASIDs that it had before a reset, removed ones too',
    breaks: ['C-RESET-02'],
    create: withMethods((core) => ({
      detachPasid: (domain, device, pasid) => {
        if (core.group(device).recoveryCount === 0) core.detachPasid(domain, device, pasid)
      },
    })),
  },
  {
    id: 'inner-reset-ends-all',
    title: 'ends a nested reset at the first call that finishes one',
    breaks: ['C-RESET-03'],
    create: withSteps({
      leavesReset: (member) => {
        member.resetDepth = 0
        return true
      },
    }),
  },
]
