// What the source says, and nothing here has reproduced.
import type { Finding } from './finding.js'

export const readingFindings: readonly Finding[] = [
  {
    id: 'amd-no-paging-on-pasids',
    title: 'AMD sets processes on PASIDs, and no paging domain',
    subject: 'Linux 7.3.4, AMD-Vi',
    statement: 'C-DRV-01',
    source: 'drivers/iommu/amd/iommu.c, drivers/iommu/amd/pasid.c, 7.3.4: set_dev_pasid is there for the blocked domain and for SVA',
    happens: ['The thread of May 2022 asked of a driver with PASIDs that its paging domains and its blocked domain can be set on them. AMD\'s paging domains cannot.'],
    matters: 'A user of iommufd cannot give a PASID of an AMD device tables of its own.',
    fix: 'A v2 paging domain is a GCR3 entry\'s table already; the setter is what is missing. The driver here has it.',
    proof: { by: 'reading' },
  },
  {
    id: 'tegra-smmu-failed-attach',
    title: 'A failed attach of the Tegra SMMU leaves identity',
    subject: 'Linux 7.3.4, tegra-smmu',
    statement: 'C-ATTACH-09',
    source: 'drivers/iommu/tegra-smmu.c tegra_smmu_attach_dev, the label disable, 7.3.4',
    happens: ['Where the ASID of a later stream cannot be had, those that were switched are disabled again. Disabled is bypass on this hardware; the domain from before is not restored.'],
    matters: 'After a failed attach the device must have its old domain or be blocked. Here it reaches everything.',
    fix: 'Set the old domain again on the streams that were switched.',
    proof: { by: 'reading' },
  },
  {
    id: 's390-page-base',
    title: 's390 answers with the page, not with the address',
    subject: 'Linux 7.3.4, s390-iommu',
    statement: 'C-I2P-01',
    source: 'drivers/iommu/s390-iommu.c iova_to_phys, 7.3.4; mtk_iommu_v1.c likewise',
    happens: ['`iova_to_phys` gives the physical address of the page and leaves the offset out.'],
    matters: 'A caller that unmaps or copies by what it was told is off by up to a page.',
    fix: 'Add the offset.',
    proof: { by: 'reading' },
  },
  {
    id: 'legacy-map-overwrites',
    title: 'A map overwrites what is live on three kinds of hardware',
    subject: 'Linux 7.3.4, omap-iommu, tegra-smmu and sprd-iommu',
    statement: 'C-MAP-03',
    source: 'drivers/iommu/omap-iommu.c, drivers/iommu/tegra-smmu.c, drivers/iommu/sprd-iommu.c, map_pages of each, 7.3.4',
    happens: ['An entry is stored without a look at what was there.'],
    matters: 'A caller whose book-keeping is wrong loses a mapping without a word, and on tegra-smmu the table\'s use count is wrong from then on.',
    fix: 'Refuse with EADDRINUSE or EEXIST, as the others do.',
    proof: { by: 'reading' },
  },
]
