// Variants of PASIDs and of shared virtual addressing.
import type { IommuError } from '../errors.js'
import type { GroupState, MemberState } from '../layer/group.js'
import { coreSteps } from '../layer/steps.js'
import { publishSlot } from '../layer/pasid.js'
import { findBond } from '../layer/sva.js'
import type { CoreVariant } from './variant.js'
import { withMethods, withSteps } from './variant.js'

export const pasidVariants: readonly CoreVariant[] = [
  {
    id: 'pasid-without-way-back',
    title: 'does not ask whether the domains involved can be set on PASIDs',
    breaks: ['C-PASID-01', 'C-PASID-16'],
    create: withSteps({ canTakePasid: () => true }),
  },
  {
    id: 'pasid-zero-accepted',
    title: 'takes 0 for a PASID',
    breaks: ['C-PASID-02'],
    create: withSteps({ isPasid: () => true }),
  },
  {
    id: 'pasid-limit-unchecked',
    title: 'does not look at how many PASIDs the devices have',
    breaks: ['C-PASID-02'],
    create: withSteps({ pasidInRange: () => true }),
  },
  {
    id: 'pasid-taken-over',
    title: 'attaches to a PASID that is in use',
    breaks: ['C-PASID-02', 'C-SVA-02'],
    create: withSteps({ isOccupied: () => false }),
  },
  {
    id: 'pasid-removed-from-nothing',
    title: 'does not tell the driver what is removed from a PASID',
    breaks: ['C-PASID-05', 'C-PASID-07', 'C-PASID-08', 'C-RESET-01', 'C-SVA-01'],
    create: withSteps({
      removePasid: (core, member, pasid) => coreSteps.removePasid(core, member, pasid, undefined),
    }),
  },
  {
    id: 'pasid-not-removed',
    title: 'forgets a PASID, and leaves its domain live',
    breaks: [
      'C-PASID-05', 'C-PASID-07', 'C-PASID-08', 'C-PASID-13', 'C-RESET-01', 'C-RESET-02', 'C-SVA-01', 'C-FREE-01', 'C-IDENT-06',
    ],
    create: withSteps({ removePasid: () => {} }),
  },
  {
    id: 'pasid-removed-from-first-member',
    title: 'removes a PASID from the first device of a group alone',
    breaks: ['C-PASID-05'],
    create: (ops, options) => {
      let removing = false
      return withMethods((core) => ({
        detachPasid: (...args) => {
          removing = true
          try {
            core.detachPasid(...args)
          } finally {
            removing = false
          }
        },
      }), withSteps({ pasidMembers: (group) => coreSteps.pasidMembers(group).slice(0, removing ? 1 : undefined) }))(ops, options)
    },
  },
  {
    id: 'pasidless-member-set',
    title: 'counts devices without PASIDs like the others',
    breaks: ['C-PASID-07', 'C-PASID-08'],
    create: withSteps({ pasidMembers: (group) => group.members }),
  },
  {
    id: 'pasid-rollback-touches-failing',
    title: 'removes a PASID from the device that refused it',
    breaks: ['C-PASID-08', 'C-PASID-04'],
    create: withSteps({
      unwindPasid: (core, switched, pasid, failed, old, failing) =>
        coreSteps.unwindPasid(core, [...switched, failing], pasid, failed, old, failing),
    }),
  },
  {
    id: 'pasid-rollback-missing',
    title: 'leaves a PASID on the devices that had taken it when another refuses it',
    breaks: ['C-PASID-08'],
    create: withSteps({ unwindPasid: () => {} }),
  },
  {
    id: 'pasid-rollback-removes',
    title: 'removes a PASID from the devices that had taken another domain when one refuses it',
    breaks: ['C-PASID-08'],
    create: withSteps({
      unwindPasid: (core, switched, pasid, failed, _old, failing) =>
        coreSteps.unwindPasid(core, switched, pasid, failed, undefined, failing),
    }),
  },
  {
    id: 'pasid-slot-kept',
    title: 'keeps the slot of a PASID whose attach failed',
    breaks: ['C-PASID-08', 'C-PASID-04', 'C-PASID-10', 'C-OWN-03'],
    create: withSteps({ freeSlot: () => {} }),
  },
  {
    id: 'replace-attaches',
    title: 'attaches where there is nothing to replace',
    breaks: ['C-PASID-09'],
    create: withMethods((core) => ({
      replacePasid: (domain, device, pasid, handle) => {
        if (core.group(device).pasids.has(pasid)) core.replacePasid(domain, device, pasid, handle)
        else core.attachPasid(domain, device, pasid, handle)
      },
    })),
  },
  {
    id: 'handle-reused',
    title: 'gives a handle that is in use another domain',
    breaks: ['C-PASID-09'],
    create: withSteps({ reusesHandle: () => false }),
  },
  {
    id: 'new-handle-sets-domain',
    title: 'calls the driver for a replace in which only the handle is new',
    breaks: ['C-PASID-09'],
    create: withSteps({ isSamePasidDomain: () => false }),
  },
  {
    id: 'pasid-visible-early',
    title: 'shows a handle before its domain is set',
    breaks: ['C-PASID-10'],
    create: withSteps({ reserveSlot: publishSlot }),
  },
  {
    id: 'pasid-visible-when-first-set',
    title: 'shows a handle when the first device of a group has its domain',
    breaks: ['C-PASID-10', 'C-PASID-08'],
    create: (ops, options) => {
      const wanted = new Map<GroupState, () => void>()
      return withSteps({
        reserveSlot: (group, pasid, domain, handle) => {
          coreSteps.reserveSlot(group, pasid, domain, handle)
          wanted.set(group, () => publishSlot(group, pasid, domain, handle))
        },
        setGroupPasid: (core, group, domain, pasid, old) => {
          const [first, ...others] = coreSteps.pasidMembers(group)
          const only = (members: readonly MemberState[]): IommuError | undefined =>
            coreSteps.setGroupPasid({ ...core, steps: { ...core.steps, pasidMembers: () => members } }, group, domain, pasid, old)
          const refused = first && only([first])
          if (refused) return refused
          wanted.get(group)?.()
          return only(others)
        },
      })(ops, options)
    },
  },
  {
    id: 'rid-switch-drops-pasids',
    title: 'removes all PASIDs when the RID gets another domain',
    breaks: ['C-PASID-14', 'C-PASID-12', 'C-BLOCK-05', 'C-DETACH-01', 'C-RESET-02'],
    create: withSteps({
      switchGroup: (core, group, domain, mustSucceed) => {
        const refused = coreSteps.switchGroup(core, group, domain, mustSucceed)
        if (refused) return refused
        for (const [pasid, entry] of group.pasids) {
          if (pasid === 0) continue
          for (const member of group.members) core.steps.removePasid(core, member, pasid, entry.domain)
          group.pasids.delete(pasid)
        }
        return undefined
      },
    }),
  },
  {
    id: 'release-over-pasids',
    title: 'releases the ownership of a group that has PASIDs',
    breaks: ['C-PASID-14'],
    create: withSteps({ mayGiveBack: (group) => group.owner !== undefined }),
  },
]

export const svaVariants: readonly CoreVariant[] = [
  {
    id: 'second-bind-attaches',
    title: 'attaches at the second bind of a device to an address space, too',
    breaks: ['C-SVA-01'],
    create: withSteps({ findBond: () => undefined }),
  },
  {
    id: 'pasid-for-each-device',
    title: 'gives an address space another PASID for the second device',
    breaks: ['C-SVA-01', 'C-SVA-02'],
    create: withSteps({
      spaceOf: (core, member, space) => {
        const bound = coreSteps.spaceOf(core, member, space)
        if (bound.bonds.size === 0 || findBond(bound, member.group)) return bound
        return { ...bound, pasid: bound.pasid + 1 }
      },
    }),
  },
  {
    id: 'sva-limit-unchecked',
    title: 'does not ask whether the device has PASIDs as large as that of the address space',
    breaks: ['C-SVA-02'],
    create: withSteps({ pasidFits: () => true }),
  },
  {
    id: 'pasids-never-run-out',
    title: 'hands out a PASID beyond the limit when none is left',
    breaks: ['C-SVA-02', 'C-PASID-16'],
    create: withSteps({
      globalPasid: (core, member) =>
        coreSteps.globalPasid(core, { ...member, maxPasids: member.maxPasids + core.spaces.size + 2 }),
    }),
  },
]
