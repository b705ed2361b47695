// The vendors: what of each is in packages, and which of its entries a DMA meets first.
import { manifestOf } from '@iommu/conformance'
import * as pageTable from '@iommu/page-table'

const isEntry = (value) => typeof value === 'object' && value !== null && Array.isArray(value.reserved) && typeof value.bits === 'number'
/** An entry may be exported under two names. */
const entriesOf = (module) => [...new Set(Object.values(module).filter(isEntry))]

/** `first`: in the order in which a DMA meets them. */
const VENDORS = [
  { id: 'intel-vtd', prefix: 'vtd.', first: ['vtd.root', 'vtd.sm-root', 'vtd.context', 'vtd.sm-context', 'vtd.pasid-dir', 'vtd.pasid', 'vtd.ss', 'vtd.fs', 'vtd.frcd'] },
  { id: 'amd-vi', prefix: 'amd.', first: ['amd.dte', 'amd.v1', 'amd.gcr3', 'amd.v2'] },
  { id: 'arm-smmuv3', prefix: 'smmuv3.', first: ['smmuv3.l1std', 'smmuv3.ste', 'smmuv3.l1cd', 'smmuv3.cd', 'smmuv3.s1', 'smmuv3.s2', 'smmuv3.s1-52', 'smmuv3.s2-52'] },
  { id: 'riscv', prefix: 'riscv.', first: ['riscv.ddtp', 'riscv.ddt', 'riscv.dc-base', 'riscv.dc', 'riscv.pdt', 'riscv.pc', 'riscv.pte', 'riscv.fault'] },
  { id: 'legacy-nodefault', prefix: '', first: [] },
]

/** Kinds of hardware, variants, and where the layouts are. */
const MODULES = {
  'intel-vtd': [
    () => import('@iommu/driver-intel-vtd/backends'), () => import('@iommu/driver-intel-vtd/variants'),
    () => [import('@iommu/driver-intel-vtd/tables'), import('@iommu/driver-intel-vtd/queues'), import('@iommu/driver-intel-vtd/registers')],
  ],
  'amd-vi': [
    () => import('@iommu/driver-amd-vi/backends'), () => import('@iommu/driver-amd-vi/variants'),
    () => [import('@iommu/driver-amd-vi/tables'), import('@iommu/driver-amd-vi/queues'), import('@iommu/driver-amd-vi/registers')],
  ],
  'arm-smmuv3': [
    () => import('@iommu/driver-arm-smmuv3/backends'), () => import('@iommu/driver-arm-smmuv3/variants'),
    () => [import('@iommu/driver-arm-smmuv3/tables'), import('@iommu/driver-arm-smmuv3/queues'), import('@iommu/driver-arm-smmuv3/registers')],
  ],
  riscv: [
    () => import('@iommu/driver-riscv/backends'), () => import('@iommu/driver-riscv/variants'),
    () => [import('@iommu/driver-riscv/tables'), import('@iommu/driver-riscv/queues'), import('@iommu/driver-riscv/registers')],
  ],
  'legacy-nodefault': [
    () => import('@iommu/driver-legacy-nodefault/backends'), () => import('@iommu/driver-legacy-nodefault/variants'),
    () => [import('@iommu/driver-legacy-nodefault/tables'), import('@iommu/driver-legacy-nodefault/registers')],
  ],
}

/** Those named come first, the others follow by name. */
const inOrder = (entries, first) => {
  const rank = ({ name }) => (first.includes(name) ? first.indexOf(name) : first.length)
  return entries.toSorted((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1))
}

const load = async ({ id, prefix, first }) => {
  const [backends, variants, layouts] = MODULES[id]
  const own = (await Promise.all(layouts())).flatMap(entriesOf)
  const shared = prefix === '' ? [] : entriesOf(pageTable).filter(({ name }) => name.startsWith(prefix))
  const kinds = (await backends()).backends
  return {
    id, name: `driver-${id}`, backends: kinds, manifests: kinds.map(manifestOf), variants: (await variants()).variants,
    entries: inOrder([...own, ...shared], first), first,
  }
}

/** Each vendor with its layouts, its kinds of hardware with their manifests, and its variants. */
export const loadVendors = () => Promise.all(VENDORS.map(load))
