// Mutants of PASIDs.
import { IommuError } from '@iommu/core'
import type { Device, Manifest, PagingDomain } from '@iommu/core'
import { changed } from '../changed.js'
import { alterBlocked, alterPaging, beforeEveryAttach } from './mutant.js'
import type { OpsMutant } from './mutant.js'

const withPasids = ({ maxPasids }: Manifest): boolean => maxPasids > 0

/** Exchanges `setDevPasid` of every paging domain that has one. */
const alterSetter = (
  setter: (domain: PagingDomain, ops: Parameters<OpsMutant['alter']>[0]) => NonNullable<PagingDomain['setDevPasid']>,
): OpsMutant['alter'] => alterPaging((domain, ops) => (domain.setDevPasid === undefined ? {} : { setDevPasid: setter(domain, ops) }))

export const pasidMutants: readonly OpsMutant[] = [
  {
    id: 'pasid-through-identity', title: 'a PASID passes through identity while it is set', breaks: [
      'C-PASID-03', 'C-PASID-04', 'C-TLB-02',
    ], where: ({ maxPasids, identity }) => maxPasids > 0 && identity.pasid,
    alter: alterSetter((domain, ops) => (device, pasid, old) => {
      ops.identityDomain?.setDevPasid?.(device, pasid, old)
      domain.setDevPasid?.(device, pasid, ops.identityDomain)
    }),
  },
  {
    id: 'pasid-error-blocks', title: 'a PASID whose change failed is blocked', breaks: ['C-PASID-04'], where: withPasids,
    alter: alterSetter((domain, ops) => (device, pasid, old) => {
      try {
        domain.setDevPasid?.(device, pasid, old)
      } catch (error) {
        ops.blockedDomain?.setDevPasid?.(device, pasid, old)
        throw error
      }
    }),
  },
  {
    id: 'pasid-error-blocks-rid', title: 'a PASID whose change fails takes the requester id with it', breaks: ['C-PASID-04', 'C-ROLL-05'],
    where: withPasids,
    alter: alterSetter((domain, ops) => (device, pasid, old) => {
      try {
        domain.setDevPasid?.(device, pasid, old)
      } catch (error) {
        ops.blockedDomain?.attachDev(device, undefined)
        throw error
      }
    }),
  },
  {
    id: 'pasid-replace-refused', title: 'a PASID that has a domain must be blocked before it is given another one',
    breaks: ['C-PASID-03', 'C-PASID-08', 'C-PASID-09', 'C-PASID-10'], where: withPasids,
    alter: alterSetter((domain) => (device, pasid, old) => {
      if (old !== undefined && old.kind !== 'blocked') throw new IommuError('EOPNOTSUPP', 'remove the PASID first')
      domain.setDevPasid?.(device, pasid, old)
    }),
  },
  {
    id: 'pasid-tires', title: 'the fifth domain that is set on a PASID and all later ones are blocks',
    breaks: ['C-DRV-05', 'C-BLOCK-05', 'C-PASID-03', 'C-PASID-04', 'C-PASID-17', 'C-TLB-02'], where: withPasids,
    alter: (ops, setup) => {
      const sets = new Map<string, number>()
      return alterSetter((domain) => (device, pasid, old) => {
        const key = `${device.name}/${pasid}`
        const count = (sets.get(key) ?? 0) + 1
        sets.set(key, count)
        if (count > 4) ops.blockedDomain?.setDevPasid?.(device, pasid, old)
        else domain.setDevPasid?.(device, pasid, old)
      })(ops, setup)
    },
  },
  {
    id: 'pasid-absent-refused', title: 'blocking a PASID on which nothing is set is refused', breaks: [
      'C-PASID-06', 'C-PASID-03', 'C-PASID-04', 'C-SVA-04', 'C-ROLL-05', 'C-PASID-17', 'C-PASID-18', 'C-SVA-05',
      'C-SVA-06', 'C-TLB-02', 'C-FREE-01', 'C-DRV-05',
    ], where: withPasids,
    alter: (ops, setup) => {
      const live = new Set<string>()
      const key = (device: Device, pasid: number): string => `${device.name}/${pasid}`
      const traced = alterSetter((domain) => (device, pasid, old) => {
        domain.setDevPasid?.(device, pasid, old)
        live.add(key(device, pasid))
      })(ops, setup)
      return alterBlocked((blocked) => ({
        setDevPasid(device, pasid, old) {
          if (!live.delete(key(device, pasid))) throw new IommuError('EINVAL', 'nothing is set on the PASID')
          blocked.setDevPasid?.(device, pasid, old)
        },
      }))(traced, setup)
    },
  },
  {
    id: 'pasid-one-device', title: 'a domain is set on PASIDs of its first device only', breaks: ['C-PASID-11', 'C-PASID-08'], where: withPasids,
    alter: alterPaging((domain) => {
      let first: Device | undefined
      const { setDevPasid } = domain
      return setDevPasid === undefined ? {} : {
        setDevPasid(device, pasid, old) {
          first ??= device
          if (device === first) setDevPasid(device, pasid, old)
        },
      }
    }),
  },
  {
    id: 'rid-kills-pasids', title: 'switching the requester id to translation or identity blocks its PASIDs', breaks: [
      'C-PASID-12', 'C-PASID-18', 'C-ATTACH-10',
    ], where: withPasids,
    alter: (ops, setup) => beforeEveryAttach((device, domain) => {
      if (domain.kind !== 'blocked') for (const pasid of [5, 7, 0x123]) ops.blockedDomain?.setDevPasid?.(device, pasid, undefined)
    })(ops, setup),
  },
  {
    id: 'rid-blinks-pasids', title: 'switching the requester id blocks its PASIDs for a moment', breaks: [
      'C-PASID-18', 'C-PASID-12', 'C-BLOCK-05', 'C-ATTACH-18',
    ],
    where: withPasids,
    alter(ops, setup) {
      const live = new Map<Device, Map<number, PagingDomain>>()
      const traced = alterSetter((domain) => (device, pasid, old) => {
        domain.setDevPasid?.(device, pasid, old)
        live.set(device, (live.get(device) ?? new Map<number, PagingDomain>()).set(pasid, domain))
      })(ops, setup)
      const cleared = alterBlocked((blocked) => ({
        setDevPasid(device, pasid, old) {
          blocked.setDevPasid?.(device, pasid, old)
          live.get(device)?.delete(pasid)
        },
      }))(traced, setup)
      return beforeEveryAttach((device) => {
        for (const [pasid, domain] of live.get(device) ?? []) {
          ops.blockedDomain?.setDevPasid?.(device, pasid, domain)
          domain.setDevPasid?.(device, pasid, ops.blockedDomain)
        }
      })(cleared, setup)
    },
  },
  {
    id: 'pasid-set-forgotten', title: 'a PASID that has a domain keeps it when another one is set', breaks: [
      'C-PASID-17', 'C-PASID-03', 'C-PASID-09', 'C-TLB-02', 'C-FREE-01',
    ],
    where: withPasids,
    alter: alterSetter((domain) => (device, pasid, old) => {
      if (old === undefined || old.kind === 'blocked' || old === domain) domain.setDevPasid?.(device, pasid, old)
    }),
  },
  {
    id: 'last-pasid-blocks-rid', title: 'removing a PASID blocks the requester id', breaks: ['C-PASID-13', 'C-PASID-05', 'C-PASID-06', 'C-PASID-04'], where: withPasids,
    alter: alterBlocked((blocked) => ({
      setDevPasid(device, pasid, old) {
        blocked.setDevPasid?.(device, pasid, old)
        blocked.attachDev(device, undefined)
      },
    })),
  },
  {
    id: 'ats-before-pasid', title: 'ATS is enabled on the endpoint before PASID', breaks: ['C-PASID-15'], where: withPasids,
    alter: (ops, { machines }) => ({
      ...ops,
      probeDevice(device) {
        machines[device.unit ?? 0]?.endpoint(device.requesterId).config.enable('ats')
        ops.probeDevice(device)
      },
    }),
  },
  {
    id: 'sva-not-told', title: 'an SVA domain does not listen to its process', breaks: [
      'C-SVA-03', 'C-SVA-04', 'C-SVA-05', 'C-SVA-06', 'C-TLB-02',
    ],
    where: ({ sva }) => sva.pasid,
    alter: (ops) => (ops.domainAllocSva === undefined ? ops : {
      ...ops,
      domainAllocSva: (device, space) =>
        (ops.domainAllocSva as NonNullable<typeof ops.domainAllocSva>)(device, { ...space, subscribe: () => () => undefined }),
    }),
  },
  {
    id: 'sva-outlives-process', title: 'an SVA domain goes on after its process has exited', breaks: [
      'C-SVA-04', 'C-SVA-05', 'C-SVA-06',
    ],
    where: ({ sva }) => sva.pasid,
    alter: (ops) => (ops.domainAllocSva === undefined ? ops : {
      ...ops,
      domainAllocSva: (device, space) => (ops.domainAllocSva as NonNullable<typeof ops.domainAllocSva>)(device, {
        ...space, subscribe: (listener) => space.subscribe({ invalidate: (start, end) => listener.invalidate(start, end), release: () => undefined }),
      }),
    }),
  },
  {
    id: 'sva-exit-as-unmap', title: 'the PASIDs of a process that exits are blocked like any other', breaks: ['C-SVA-06'],
    where: ({ sva, limits }) => sva.pasid && limits['silent exit'] === undefined,
    alter(ops) {
      const allocate = ops.domainAllocSva
      return allocate === undefined ? ops : {
        ...ops,
        domainAllocSva(device, space) {
          const points: (readonly [Device, number])[] = []
          const domain = allocate(device, {
            ...space,
            subscribe: (listener) => space.subscribe({
              invalidate: (start, end) => listener.invalidate(start, end),
              release() {
                listener.release()
                for (const [each, pasid] of points) ops.blockedDomain?.setDevPasid?.(each, pasid, domain)
              },
            }),
          })
          return changed(domain, {
            setDevPasid(each, pasid, old) {
              domain.setDevPasid(each, pasid, old)
              points.push([each, pasid])
            },
          })
        },
      }
    },
  },
  {
    id: 'pasids-stay-dead', title: 'PASIDs that were blocked with their requester id do not come back', breaks: ['C-BLOCK-12'],
    where: ({ maxPasids, pasidsOutliveBlockedRid }) => maxPasids > 0 && !pasidsOutliveBlockedRid,
    alter: alterBlocked((blocked) => ({
      attachDev(device, old) {
        blocked.attachDev(device, old)
        for (const pasid of [5, 7, 0x123]) blocked.setDevPasid?.(device, pasid, undefined)
      },
    })),
  },
  {
    id: 'sva-flushes-beside', title: 'when a process unmaps a page the one behind it is flushed', breaks: [
      'C-SVA-05', 'C-SVA-03', 'C-TLB-02',
    ],
    where: ({ sva }) => sva.pasid,
    alter: (ops) => (ops.domainAllocSva === undefined ? ops : {
      ...ops,
      domainAllocSva: (device, space) => (ops.domainAllocSva as NonNullable<typeof ops.domainAllocSva>)(device, {
        ...space,
        subscribe: (listener) => space.subscribe({
          invalidate: (start, end) => listener.invalidate(end + 1n, end + 1n + (end - start)), release: () => listener.release(),
        }),
      }),
    }),
  },
  {
    id: 'pasid-undeclared', title: 'a backend without PASIDs has setDevPasid on blocked', breaks: ['C-PASID-16'],
    where: ({ maxPasids }) => maxPasids === 0,
    alter: alterBlocked(() => ({ setDevPasid: () => undefined })),
  },
]
