// FREE: what hardware must have forgotten when an id, a root, a table page or a device's tables are given back.
import { changesOf, none } from '../adversary/judge.js'
import type { Statement } from '../statement.js'

export const freeStatements: readonly Statement[] = [
  {
    id: 'C-FREE-01', obliges: 'driver', source: 'intel/pasid.c intel_pasid_tear_down_entry; arm-smmu-v3.c arm_smmu_iotlb_tag_free', needs: 'adversary',
    says: 'when a domain that was left is freed, nothing that hardware may have kept is under its ids or names its tables',
    run: (t) => none(changesOf(t, t.manifest.maxPasids > 0 ? ['requester id', 'PASID'] : ['requester id']), ['free']),
  },
  {
    id: 'C-FREE-02', obliges: 'driver', source: 'generic_pt gather_range_pending', needs: 'adversary',
    says: 'when a table page of a domain in use is given back, no kept pointer leads to it',
    run: (t) => none(changesOf(t, ['pages']), ['free']),
  },
  {
    id: 'C-FREE-03', obliges: 'driver', source: 'iommu.h release_device; intel/iommu.c intel_iommu_release_device', needs: 'adversary',
    says: 'when a device is released its own tables are given back after hardware has forgotten them, and its DMA meets nothing else meanwhile',
    run: (t) => none(changesOf(t, ['leaving']), ['during', 'after', 'free']),
  },
]
