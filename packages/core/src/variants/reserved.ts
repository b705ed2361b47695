// Variants of reserved regions.
import { IommuError } from '../errors.js'
import { coreSteps } from '../layer/steps.js'
import type { CoreVariant } from './variant.js'
import { withSteps } from './variant.js'

export const reservedVariants: readonly CoreVariant[] = [
  {
    id: 'direct-after-attach',
    title: 'makes the mappings that the firmware wants only after the attach',
    breaks: ['C-RESV-01', 'C-RESV-03'],
    create: (ops, options) => {
      const seen = new WeakSet<object>()
      return withSteps({
        mapDirectRegions: (core, domain, member) => {
          const early = domain.kind === 'paging' && !seen.has(domain) && member.regions.some(coreSteps.isDirect)
          if (!early) return coreSteps.mapDirectRegions(core, domain, member)
          seen.add(domain)
          return new IommuError('EBUSY', 'the mappings are made later')
        },
      })(ops, options)
    },
  },
  {
    id: 'relaxable-left-out',
    title: 'makes no mappings for relaxable regions',
    breaks: ['C-RESV-01'],
    create: withSteps({ isDirect: ({ kind }) => kind === 'direct' }),
  },
  {
    id: 'direct-device-blocked',
    title: 'blocks devices that need their 1:1 mappings',
    breaks: ['C-RESV-02'],
    create: withSteps({ blocksDirect: () => false }),
  },
  {
    id: 'direct-device-on-stand-in',
    title: 'blocks devices that need their 1:1 mappings where an empty domain stands in',
    breaks: ['C-RESV-02'],
    create: withSteps({ blocksDirect: (member, domain) => domain.kind === 'blocked' && coreSteps.blocksDirect(member, domain) }),
  },
]
