// Variants of device reset.
import type { CoreVariant } from './variant.js'
import { withSteps } from './variant.js'

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
    breaks: ['C-RESET-01', 'C-RESET-04'],
    create: withSteps({ blockPasids: () => {}, restorePasids: () => {} }),
  },
  {
    id: 'attach-during-reset',
    title: 'attaches to a group in the middle of a reset',
    breaks: ['C-RESET-02'],
    create: withSteps({ recoveryRefuses: () => false }),
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
