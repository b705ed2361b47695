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

const MODULES = {
  'intel-vtd': { backends: () => import('@iommu/driver-intel-vtd/backends'), variants: () => import('@iommu/driver-intel-vtd/variants'), tables: () => import('@iommu/driver-intel-vtd/tables') },
  'amd-vi': { backends: () => import('@iommu/driver-amd-vi/backends'), variants: () => import('@iommu/driver-amd-vi/variants'), tables: () => import('@iommu/driver-amd-vi/tables') },
  'arm-smmuv3': { backends: () => import('@iommu/driver-arm-smmuv3/backends'), variants: () => import('@iommu/driver-arm-smmuv3/variants'), tables: () => import('@iommu/driver-arm-smmuv3/tables') },
  riscv: { backends: () => import('@iommu/driver-riscv/backends'), variants: () => import('@iommu/driver-riscv/variants'), tables: () => import('@iommu/driver-riscv/tables') },
  'legacy-nodefault': { backends: () => import('@iommu/driver-legacy-nodefault/backends'), variants: () => import('@iommu/driver-legacy-nodefault/variants'), tables: () => import('@iommu/driver-legacy-nodefault/tables') },
}

/** Those named come first, the others follow by name. */
const inOrder = (entries, first) => {
  const rank = ({ name }) => (first.includes(name) ? first.indexOf(name) : first.length)
  return entries.toSorted((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1))
}

const load = async ({ id, prefix, first }) => {
  const { backends, variants, tables } = MODULES[id]
  const own = entriesOf(await tables())
  const shared = prefix === '' ? [] : entriesOf(pageTable).filter(({ name }) => name.startsWith(prefix))
  const kinds = (await backends()).backends
  return {
    id, name: `driver-${id}`, backends: kinds, manifests: kinds.map(manifestOf), variants: (await variants()).variants,
    entries: inOrder([...own, ...shared], first), first,
  }
}

/** Each vendor with its layouts, its kinds of hardware with their manifests, and its variants. */
export const loadVendors = () => Promise.all(VENDORS.map(load))
