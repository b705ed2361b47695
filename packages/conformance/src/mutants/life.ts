// Mutants of a driver's and a device's life: failure, release, reserved memory, qualification.
import { IommuError } from '@iommu/core'
import type { Device } from '@iommu/core'
import { alterPaging, beforeEveryAttach } from './mutant.js'
import type { OpsMutant } from './mutant.js'

export const lifeMutants: readonly OpsMutant[] = [
  {
    id: 'going-back-allocates', title: 'every attach of a paging domain needs a page of memory', breaks: ['C-ROLL-03'],
    alter: (ops, setup) => beforeEveryAttach((_device, domain, _ops, { machines }) => {
      if (domain.kind !== 'paging') return
      const pages = machines[0]?.memory.pages
      const frame = pages?.allocate()
      if (frame === undefined) throw new IommuError('ENOMEM', 'no memory to attach')
      pages?.free(frame)
    })(ops, setup),
  },
  {
    id: 'failure-leaks', title: 'a failed attach keeps a page', breaks: ['C-ROLL-05'],
    alter: alterPaging((domain, _ops, _device, { machines }) => ({
      attachDev(device, old) {
        try {
          domain.attachDev(device, old)
        } catch (error) {
          machines[0]?.memory.pages.allocate()
          throw error
        }
      },
    })),
  },
  {
    id: 'release-forgets', title: 'releasing a device leaves its entries in the tables', breaks: ['C-REL-04', 'C-PASID-15', 'C-ROLL-05', 'C-ATTACH-02'],
    alter: (ops) => ({ ...ops, releaseDevice: () => undefined }),
  },
  {
    id: 'release-takes-all', title: 'releasing one member blocks every device', breaks: ['C-REL-05'],
    alter(ops) {
      const probed = new Set<Device>()
      return {
        ...ops,
        probeDevice(device) {
          ops.probeDevice(device)
          probed.add(device)
        },
        releaseDevice(device) {
          for (const each of probed) ops.blockedDomain?.attachDev(each, undefined)
          probed.delete(device)
          ops.releaseDevice?.(device)
        },
      }
    },
  },
  {
    id: 'direct-regions-late', title: 'a default domain becomes live in two steps, and blocks in the first', breaks: ['C-RESV-03', 'C-RESV-01', 'C-RESV-02'],
    alter: alterPaging((domain, ops) => {
      let attaches = 0
      return {
        attachDev(device, old) {
          if (attaches++ === 0 && (device.reserved?.length ?? 0) > 0) ops.blockedDomain?.attachDev(device, old)
          else domain.attachDev(device, old)
        },
      }
    }),
  },
  {
    id: 'no-paging-on-pasids', title: 'paging domains cannot be set on PASIDs (as AMD\'s in Linux 7.3)', breaks: [
      'C-DRV-01', 'C-BLOCK-05', 'C-IDENT-06', 'C-OWN-03', 'C-RESET-01', 'C-RESET-02', 'C-PASID-02', 'C-PASID-03',
      'C-PASID-04', 'C-PASID-05', 'C-PASID-06', 'C-PASID-07', 'C-PASID-08', 'C-PASID-09', 'C-PASID-10',
      'C-PASID-11', 'C-PASID-12', 'C-PASID-13', 'C-PASID-14', 'C-SVA-02', 'C-PASID-17', 'C-UNMAP-08', 'C-UNMAP-09', 'C-TLB-02',
      'C-FREE-01', 'C-DRV-05',
    ],
    where: ({ maxPasids }) => maxPasids > 0,
    alter: alterPaging(() => ({ setDevPasid: undefined } as object)),
  },
  {
    id: 'declares-no-block', title: 'a driver with a blocked domain declares that it has none', breaks: ['C-DRV-02', 'C-ATTACH-18'],
    alter: (ops) => ({ ...ops, manifest: Object.freeze({ ...ops.manifest, blocked: { rid: false, pasid: false } }) }),
  },
  {
    id: 'manifest-can-change', title: 'the manifest is not frozen', breaks: ['C-DRV-03'],
    alter: (ops) => ({ ...ops, manifest: { ...ops.manifest } }),
  },
  {
    id: 'probe-opens', title: 'probing a device lets its DMA through', breaks: ['C-DRV-04', 'C-REL-04'],
    alter: (ops) => ({
      ...ops,
      probeDevice(device) {
        ops.probeDevice(device)
        ops.identityDomain?.attachDev(device, undefined)
      },
    }),
  },
  {
    id: 'tires', title: 'the fifth attach of a paging domain to a device and all later ones are blocks',
    breaks: [
      'C-DRV-05', 'C-ATTACH-04', 'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-08', 'C-ATTACH-09', 'C-ATTACH-12',
      'C-ATTACH-17', 'C-IDENT-05', 'C-ROLL-03', 'C-TLB-02',
    ],
    alter: (ops, setup) => {
      const attaches = new Map<Device, number>()
      return alterPaging((domain) => ({
        attachDev(device, old) {
          const count = (attaches.get(device) ?? 0) + 1
          attaches.set(device, count)
          if (count > 4) ops.blockedDomain?.attachDev(device, old)
          else domain.attachDev(device, old)
        },
      }))(ops, setup)
    },
  },
]
