// Mutants of attaching.
import { errorCode, IommuError } from '@iommu/core'
import type { Device, Domain } from '@iommu/core'
import { alterPaging, beforeEveryAttach } from './mutant.js'
import type { OpsMutant } from './mutant.js'

export const attachMutants: readonly OpsMutant[] = [
  {
    id: 'reattach-blocks', title: 'attaching the domain that is there already blocks the device', breaks: ['C-ATTACH-04', 'C-ATTACH-17'],
    alter: alterPaging((domain, ops) => ({
      attachDev(device, old) {
        if (old?.kind === 'paging' && old.owner === domain.owner && old === this) ops.blockedDomain?.attachDev(device, old)
        else domain.attachDev(device, old)
      },
    })),
  },
  {
    id: 'through-identity', title: 'every switch to a paging domain passes through identity', breaks: [
      'C-ATTACH-06', 'C-ATTACH-09', 'C-ATTACH-10', 'C-TLB-02', 'C-PASID-12', 'C-ATTACH-18', 'C-ROLL-05',
    ],
    alter: alterPaging((domain, ops) => ({
      attachDev(device, old) {
        ops.identityDomain?.attachDev(device, old)
        domain.attachDev(device, ops.identityDomain)
      },
    })),
  },
  {
    id: 'logs-refusals', title: 'an incompatible domain is refused, and logged', breaks: ['C-ATTACH-07'],
    alter: (ops, { warn }) => {
      const allocate = ops.domainAllocPaging
      return allocate === undefined ? ops : alterPaging((domain) => ({
        attachDev(device, old) {
          try {
            domain.attachDev(device, old)
          } catch (error) {
            warn('this domain does not fit this device')
            throw error
          }
        },
      }))(ops, { machines: [], warn })
    },
  },
  {
    id: 'strange-code', title: 'a unit that does not answer is EIO', breaks: ['C-ATTACH-08'],
    alter: alterPaging((domain) => ({
      attachDev(device, old) {
        try {
          domain.attachDev(device, old)
        } catch (error) {
          throw errorCode(error) === 'ENODEV' ? new IommuError('EIO', 'the unit does not answer') : error
        }
      },
    })),
  },
  {
    id: 'falls-to-identity', title: 'a failed attach leaves identity behind', breaks: ['C-ATTACH-09', 'C-ATTACH-10', 'C-ROLL-05', 'C-PASID-12'],
    alter: alterPaging((domain, ops) => ({
      attachDev(device, old) {
        try {
          domain.attachDev(device, old)
        } catch (error) {
          ops.identityDomain?.attachDev(device, old)
          throw error
        }
      },
    })),
  },
  {
    id: 'blocks-before-checking', title: 'the device is blocked first, and the domain checked afterwards', breaks: [
      'C-ATTACH-10', 'C-PASID-12', 'C-ATTACH-18', 'C-ROLL-05',
    ],
    alter: alterPaging((domain, ops) => ({
      attachDev(device, old) {
        try {
          ops.blockedDomain?.attachDev(device, old)
        } catch (error) {
          // A stranger's device: leave the answer to the domain.
          if (errorCode(error) !== 'EINVAL') throw error
        }
        domain.attachDev(device, old)
      },
    })),
  },
  {
    id: 'one-device-per-domain', title: 'a domain\'s second device is blocked instead', breaks: ['C-ATTACH-11', 'C-ATTACH-12', 'C-REL-05', 'C-PASID-11'],
    alter: alterPaging((domain, ops) => {
      let only: Device | undefined
      return {
        attachDev(device, old) {
          only ??= device
          if (device === only) domain.attachDev(device, old)
          else ops.blockedDomain?.attachDev(device, old)
        },
      }
    }),
  },
  {
    id: 'moves-all', title: 'moving one device off a domain blocks the others on it', breaks: ['C-ATTACH-12'],
    alter: (ops, setup) => {
      const on = new Map<Device, Domain>()
      return beforeEveryAttach((device, domain) => {
        const left = on.get(device)
        for (const [other, its] of on) {
          if (other !== device && its === left && left !== domain && left?.kind === 'paging') ops.blockedDomain?.attachDev(other, left)
        }
        on.set(device, domain)
      })(ops, setup)
    },
  },
  {
    id: 'wants-a-detach', title: 'a paging domain cannot follow another one without a block in between', breaks: [
      'C-ATTACH-17', 'C-DRV-03', 'C-DRV-05', 'C-ATTACH-01', 'C-ATTACH-03', 'C-ATTACH-04', 'C-ATTACH-05', 'C-ATTACH-06',
      'C-ATTACH-08', 'C-ATTACH-09', 'C-ATTACH-10', 'C-ATTACH-11', 'C-ATTACH-12', 'C-ATTACH-15', 'C-BLOCK-09',
      'C-BLOCK-10', 'C-DETACH-01', 'C-DETACH-02', 'C-DETACH-03', 'C-OWN-03', 'C-GROUP-01', 'C-ROLL-01', 'C-ROLL-02',
      'C-ROLL-03', 'C-ROLL-05', 'C-REL-01', 'C-RESET-01', 'C-RESET-02', 'C-RESET-04', 'C-PASID-05', 'C-MAP-02',
      'C-MAP-07', 'C-MAP-10', 'C-ATTACH-18', 'C-UNMAP-06',
    ],
    alter: (ops, setup) => {
      const on = new Map<Device, Domain>()
      return beforeEveryAttach((device, domain) => {
        if (domain.kind === 'paging' && on.get(device)?.kind === 'paging' && on.get(device) !== domain) {
          throw new IommuError('EBUSY', 'detach first')
        }
        on.set(device, domain)
      })(ops, setup)
    },
  },
  {
    id: 'aliases-overlooked', title: 'the ids that a device sends under besides its own are not set', breaks: ['C-ATTACH-05', 'C-ATTACH-06'],
    alter: (ops) => ({
      ...ops,
      probeDevice(device) {
        // Drivers read them when they probe; who looks afterwards sees them again.
        const { aliases } = device
        Object.assign(device, { aliases: [] })
        try {
          ops.probeDevice(device)
        } finally {
          Object.assign(device, { aliases })
        }
      },
    }),
  },
  {
    id: 'hitless-without-device-tlb', title: 'the switches of a device that has a TLB of its own pass through blocked', breaks: ['C-ATTACH-18'],
    where: ({ hitless }) => hitless.length > 0,
    alter: beforeEveryAttach((device, _domain, { blockedDomain }, _setup, old) => {
      if (device.ats === true) blockedDomain?.attachDev(device, old)
    }),
  },
  {
    id: 'hitless-claimed', title: 'every switch is declared hitless, and passes through blocked', breaks: [
      'C-ATTACH-18', 'C-DRV-03', 'C-ATTACH-08', 'C-ATTACH-09', 'C-ATTACH-10', 'C-PASID-12', 'C-ROLL-05',
    ],
    alter(ops, setup) {
      const { formats } = ops.manifest
      const kinds = [...(ops.manifest.identity.rid ? ['identity'] : []), ...formats]
      const hitless = kinds.flatMap((from) => kinds.filter((to) => to !== from || from !== 'identity').map((to) => `${from}>${to}`))
      const broken = beforeEveryAttach((device, _domain, { blockedDomain }, _setup, old) => blockedDomain?.attachDev(device, old))(ops, setup)
      return { ...broken, manifest: Object.freeze({ ...ops.manifest, hitless }) }
    },
  },
]
