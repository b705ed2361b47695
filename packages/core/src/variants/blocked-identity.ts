// Variants of the blocked and the identity domain.
import type { Domain } from '../contract/domain.js'
import { coreSteps } from '../layer/steps.js'
import type { CoreVariant } from './variant.js'
import { withMethods, withSteps } from './variant.js'

export const blockedAndIdentityVariants: readonly CoreVariant[] = [
  {
    id: 'blocked-translates',
    title: 'answers that an address in the blocked domain is itself',
    breaks: ['C-BLOCK-07'],
    create: withMethods((core) => ({
      iovaToPhys: (domain, iova) => (domain.kind === 'blocked' ? iova : core.iovaToPhys(domain, iova)),
    })),
  },
  {
    id: 'blocked-maps',
    title: 'takes maps in the blocked domain, and does nothing',
    breaks: ['C-BLOCK-08'],
    create: withMethods((core) => ({
      map: (domain, ...range) => {
        if (domain.kind !== 'blocked') core.map(domain, ...range)
      },
      unmap: (domain, iova, size) => (domain.kind === 'blocked' ? size : core.unmap(domain, iova, size)),
    })),
  },
  {
    id: 'stand-in-for-each-claim',
    title: 'allocates another empty domain for each claim',
    breaks: ['C-BLOCK-09', 'C-OWN-06'],
    create: withSteps({
      resolveBlocking: (core, group) => {
        if (!core.ops.blockedDomain) group.blockingDomain = undefined
        coreSteps.resolveBlocking(core, group)
      },
    }),
  },
  {
    id: 'stand-in-for-all-groups',
    title: 'lets the empty domain of one group stand in for every other, too',
    breaks: ['C-BLOCK-09'],
    create: (ops, options) => {
      let shared: Domain | undefined
      return withSteps({
        resolveBlocking: (core, group) => {
          if (!core.ops.blockedDomain) group.blockingDomain ??= shared
          coreSteps.resolveBlocking(core, group)
          if (!core.ops.blockedDomain) shared = group.blockingDomain
        },
      })(ops, options)
    },
  },
  {
    id: 'identity-has-no-addresses',
    title: 'answers that nothing is mapped in the identity domain',
    breaks: ['C-IDENT-02'],
    create: withMethods((core) => ({
      iovaToPhys: (domain, iova) => (domain.kind === 'identity' ? undefined : core.iovaToPhys(domain, iova)),
    })),
  },
  {
    id: 'identity-removes-pasids',
    title: 'sets the identity domain to remove a PASID, on the RID where it cannot be on the PASID',
    breaks: [
      'C-IDENT-06', 'C-PASID-05', 'C-PASID-07', 'C-PASID-08', 'C-PASID-14', 'C-RESET-01', 'C-RESET-02', 'C-SVA-01',
      'C-ATTACH-01',
    ],
    create: withSteps({
      removePasid: (core, member, pasid, domain) => {
        const { identityDomain } = core.ops
        if (identityDomain?.setDevPasid) identityDomain.setDevPasid(member.device, pasid, domain)
        else if (identityDomain) identityDomain.attachDev(member.device, core.steps.liveDomain(member))
        else coreSteps.removePasid(core, member, pasid, domain)
      },
    }),
  },
]
