// Mutants of blocked and identity.
import { IommuError } from '@iommu/core'
import type { Device, Domain, PagingDomain } from '@iommu/core'
import { changed } from '../changed.js'
import { alterBlocked, alterIdentity, alterPaging, beforeEveryAttach } from './mutant.js'
import type { OpsMutant } from './mutant.js'

export const blockedMutants: readonly OpsMutant[] = [
  {
    id: 'blocked-allocates', title: 'blocking a device needs a page of memory', breaks: ['C-BLOCK-01'],
    alter: alterBlocked((blocked, _ops, { machines }) => ({
      attachDev(device, old) {
        const pages = machines[0]?.memory.pages
        const frame = pages?.allocate()
        if (frame === undefined) throw new IommuError('ENOMEM', 'no memory to block the device')
        pages?.free(frame)
        blocked.attachDev(device, old)
      },
    })),
  },
  {
    id: 'blocked-allows-reads', title: 'blocked is a paging domain in which the first page can still be read', breaks: [
      'C-BLOCK-02', 'C-DRV-02', 'C-BLOCK-01', 'C-BLOCK-03', 'C-BLOCK-04', 'C-BLOCK-05', 'C-OWN-01', 'C-ROLL-02',
      'C-RESET-01',
    ],
    alter: (ops, setup) => {
      const allocate = ops.domainAllocPaging
      if (allocate === undefined) return ops
      const leaky = new Map<Device, PagingDomain>()
      return alterBlocked(() => ({
        attachDev(device) {
          let domain = leaky.get(device)
          if (domain === undefined) {
            domain = allocate(device, {})
            domain.mapPages(0n, 0n, domain.pageSizes & -domain.pageSizes, 1, { read: true, write: false })
            leaky.set(device, domain)
          }
          domain.attachDev(device, undefined)
        },
      }))(ops, setup)
    },
  },
  {
    id: 'blocked-anew', title: 'the blocked domain is a new object each time', breaks: ['C-BLOCK-03', 'C-DRV-03', 'C-REL-03', 'C-PASID-05'],
    alter: (ops) => ({ ...ops, get blockedDomain() { return changed(ops.blockedDomain as NonNullable<typeof ops.blockedDomain>, {}) } }),
  },
  {
    id: 'blocked-not-first', title: 'blocked does nothing before another domain was attached', breaks: [
      'C-BLOCK-04', 'C-DRV-05', 'C-ATTACH-04', 'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-07', 'C-ATTACH-09',
      'C-ATTACH-10', 'C-BLOCK-01', 'C-BLOCK-02', 'C-BLOCK-03', 'C-BLOCK-05', 'C-BLOCK-11', 'C-ROLL-05',
      'C-PASID-13', 'C-PASID-18', 'C-TLB-02', 'C-FREE-01',
      'C-PASID-17', 'C-SVA-05',
      'C-ATTACH-18', 'C-ATTACH-17',
    ],
    alter: (ops, setup) => {
      const known = new Set<Device>()
      return beforeEveryAttach((device, domain) => {
        if (domain.kind !== 'blocked') known.add(device)
        else if (!known.has(device)) throw new IommuError('EINVAL', 'the device has no domain')
      })(ops, setup)
    },
  },
  {
    id: 'blocked-pasids-of-one-device', title: 'blocked is set on PASIDs of the first device only', breaks: ['C-BLOCK-03'],
    where: ({ blocked }) => blocked.pasid,
    alter: alterBlocked((blocked) => {
      let first: Device | undefined
      return {
        setDevPasid(device, pasid, old) {
          first ??= device
          if (device === first) blocked.setDevPasid?.(device, pasid, old)
        },
      }
    }),
  },
  {
    id: 'blocked-kills-pasids', title: 'blocking the requester id blocks its PASIDs', breaks: ['C-BLOCK-05'],
    where: ({ maxPasids, pasidsOutliveBlockedRid }) => maxPasids > 0 && pasidsOutliveBlockedRid,
    alter: alterBlocked((blocked) => ({
      attachDev(device, old) {
        blocked.attachDev(device, old)
        for (const pasid of [5, 7, 0x123]) blocked.setDevPasid?.(device, pasid, undefined)
      },
    })),
  },
  {
    id: 'blocked-late', title: 'blocked takes effect with the next attach only', breaks: [
      'C-BLOCK-06', 'C-DRV-05', 'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-17', 'C-BLOCK-01', 'C-BLOCK-02', 'C-BLOCK-05',
      'C-BLOCK-11', 'C-IDENT-05', 'C-OWN-01', 'C-OWN-04', 'C-RESET-01', 'C-RESET-04', 'C-TLB-02', 'C-FREE-01',
      'C-ATTACH-09', 'C-ATTACH-18', 'C-ROLL-05',
    ],
    alter: alterBlocked(() => ({ attachDev: () => undefined })),
  },
  {
    id: 'blocked-can-be-mapped', title: 'the blocked domain has map and unmap', breaks: ['C-BLOCK-08'],
    alter: alterBlocked(() => ({ mapPages: () => ({ mapped: 0n }), unmapPages: () => 0n } as object)),
  },
  {
    id: 'empty-passes', title: 'a paging domain in which nothing is mapped passes everything through', breaks: [
      'C-BLOCK-10', 'C-ATTACH-07', 'C-ATTACH-10', 'C-BLOCK-09', 'C-OWN-01', 'C-DEFER-01', 'C-MAP-02', 'C-MAP-03',
      'C-MAP-04', 'C-MAP-05', 'C-MAP-06', 'C-MAP-07', 'C-MAP-09', 'C-MAP-10', 'C-UNMAP-01', 'C-UNMAP-02',
      'C-UNMAP-03', 'C-UNMAP-04', 'C-UNMAP-05', 'C-UNMAP-06',
    ],
    alter: alterPaging((domain, ops) => {
      let empty = true
      return {
        mapPages(...args) {
          empty = false
          return domain.mapPages(...args)
        },
        attachDev(device, old) {
          if (empty) ops.identityDomain?.attachDev(device, old)
          else domain.attachDev(device, old)
        },
      }
    }),
  },
  {
    id: 'blocked-is-bypass', title: 'blocked is what the hardware does with an entry it ignores: it passes through', breaks: [
      'C-BLOCK-11', 'C-DRV-02', 'C-ATTACH-04', 'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-07', 'C-ATTACH-09',
      'C-ATTACH-10', 'C-ATTACH-17', 'C-BLOCK-01', 'C-BLOCK-02', 'C-BLOCK-03', 'C-BLOCK-04', 'C-BLOCK-05',
      'C-BLOCK-06', 'C-IDENT-05', 'C-OWN-01', 'C-OWN-04', 'C-ROLL-02', 'C-RESET-01', 'C-PASID-13', 'C-TLB-02',
      'C-FREE-03',
    ],
    alter: alterBlocked((_blocked, ops) => ({
      attachDev(device, old) {
        ops.identityDomain?.attachDev(device, old)
      },
    })),
  },
  {
    id: 'identity-below-1g', title: 'identity is a table of the first GiB', breaks: [
      'C-IDENT-01', 'C-ROLL-05', 'C-ATTACH-10', 'C-ATTACH-18', 'C-ATTACH-04', 'C-ATTACH-05', 'C-ATTACH-06',
      'C-ATTACH-17', 'C-IDENT-04',
    ],
    alter: (ops, setup) => {
      const allocate = ops.domainAllocPaging
      if (allocate === undefined) return ops
      const tables = new Map<Device, PagingDomain>()
      return alterIdentity(() => ({
        attachDev(device: Device, old: Domain | undefined) {
          let table = tables.get(device)
          if (table === undefined) {
            table = allocate(device, {})
            table.mapPages(0n, 0n, 0x20_0000n, 512 + 1, { read: true, write: true })
            tables.set(device, table)
          }
          table.attachDev(device, old)
        },
      }))(ops, setup)
    },
  },
  {
    id: 'identity-promised', title: 'identity succeeds where the hardware cannot do it, and blocks', breaks: ['C-IDENT-03'],
    where: ({ identity }) => !identity.rid,
    alter: alterIdentity((_identity, ops) => ({
      attachDev(device, old) {
        ops.blockedDomain?.attachDev(device, old)
      },
    })),
  },
  {
    id: 'identity-not-first', title: 'identity cannot be the first domain', breaks: [
      'C-IDENT-04', 'C-DRV-03', 'C-DRV-05', 'C-ATTACH-08', 'C-ATTACH-09', 'C-BLOCK-01', 'C-BLOCK-02', 'C-BLOCK-05',
      'C-BLOCK-11', 'C-IDENT-01', 'C-IDENT-05', 'C-GROUP-02', 'C-ROLL-05', 'C-RESV-01', 'C-PASID-12', 'C-PASID-13',
      'C-ATTACH-10', 'C-TLB-02', 'C-FREE-03',
    ],
    alter: alterIdentity((identity) => ({
      attachDev(device, old) {
        if (old === undefined) throw new IommuError('EINVAL', 'there is nothing to leave')
        identity.attachDev(device, old)
      },
    })),
  },
]
