// The drivers that can be played, each loaded when it is first chosen.
import type { Backend, DriverVariant } from '@iommu/conformance'

export interface Loaded {
  readonly name: string
  readonly backends: readonly Backend[]
  readonly variants: readonly DriverVariant[]
}

type Load = () => Promise<readonly [{ readonly backends: readonly Backend[] }, { readonly variants: readonly DriverVariant[] }]>

const LOADS = {
  'driver-intel-vtd': () => Promise.all([import('@iommu/driver-intel-vtd/backends'), import('@iommu/driver-intel-vtd/variants')]),
  'driver-amd-vi': () => Promise.all([import('@iommu/driver-amd-vi/backends'), import('@iommu/driver-amd-vi/variants')]),
  'driver-arm-smmuv3': () => Promise.all([import('@iommu/driver-arm-smmuv3/backends'), import('@iommu/driver-arm-smmuv3/variants')]),
  'driver-riscv': () => Promise.all([import('@iommu/driver-riscv/backends'), import('@iommu/driver-riscv/variants')]),
  'driver-legacy-nodefault': () => Promise.all([import('@iommu/driver-legacy-nodefault/backends'), import('@iommu/driver-legacy-nodefault/variants')]),
} as const satisfies Readonly<Record<string, Load>>

export type DriverName = keyof typeof LOADS

/** What people call the hardware. */
export const DRIVERS: Readonly<Record<DriverName, string>> = {
  'driver-intel-vtd': 'Intel VT-d',
  'driver-amd-vi': 'AMD-Vi',
  'driver-arm-smmuv3': 'Arm SMMUv3',
  'driver-riscv': 'RISC-V IOMMU',
  'driver-legacy-nodefault': 'seven older IOMMUs',
}

export const isDriver = (name: string): name is DriverName => Object.hasOwn(LOADS, name)

export const loadDriver = async (name: DriverName): Promise<Loaded> => {
  const [{ backends }, { variants }] = await LOADS[name]()
  return { name, backends, variants }
}

/** Variants that show on a kind of hardware. */
export const variantsOn = ({ backends, variants }: Loaded, backend: Backend): readonly DriverVariant[] =>
  variants.filter(({ on }) => (on ?? [backends[0]?.backend]).includes(backend.backend))
