// Variants of failure and rollback.
import { coreSteps } from '../layer/steps.js'
import type { CoreVariant } from './variant.js'
import { withSteps } from './variant.js'

export const rollbackVariants: readonly CoreVariant[] = [
  {
    id: 'rollback-missing',
    title: 'leaves the devices that had been switched on the new domain when one refuses it',
    breaks: ['C-ROLL-01', 'C-ATTACH-01', 'C-OWN-06'],
    create: withSteps({ unwindSwitch: () => {} }),
  },
  {
    id: 'rollback-touches-failing',
    title: 'sets the device that refused to its old domain again',
    breaks: ['C-ROLL-01', 'C-ATTACH-01', 'C-ATTACH-10', 'C-ATTACH-14', 'C-OWN-06', 'C-RESV-02'],
    create: withSteps({
      unwindSwitch: (core, group, switched, failed, failing) =>
        coreSteps.unwindSwitch(core, group, [...switched, failing], failed, failing),
    }),
  },
  {
    id: 'failing-member-not-blocked',
    title: 'leaves a device on the domain that it must leave, when it refuses the new one',
    breaks: ['C-ROLL-02', 'C-DETACH-02'],
    create: withSteps({ pushToBlocking: () => {} }),
  },
  {
    id: 'must-succeed-gives-up',
    title: 'stops a switch that must succeed at the first refusal, and takes it back',
    breaks: ['C-ROLL-02', 'C-DETACH-02', 'C-RESET-02', 'C-OWN-04'],
    create: withSteps({
      switchGroup: (core, group, domain, mustSucceed) =>
        coreSteps.switchGroup(core, group, domain, mustSucceed && group.domain === undefined),
    }),
  },
  {
    id: 'failed-probe-kept',
    title: 'does not release a device whose probe failed',
    breaks: ['C-ROLL-04'],
    create: withSteps({
      abandonProbe: (core, member) =>
        coreSteps.removeMember({ ...core, steps: { ...core.steps, releaseMember: () => {} } }, member),
    }),
  },
]
