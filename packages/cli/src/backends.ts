// The drivers that the command knows, each on a machine of its own model.
import type { IommuOps } from '@iommu/core'

export interface Backend {
  /** The package without its scope. */
  readonly name: string
  /** "scalable", "legacy": how its hardware is set up. */
  readonly mode: string
  create(): Promise<IommuOps>
}

const vtd = (mode: 'scalable' | 'legacy'): Backend => ({
  name: 'driver-intel-vtd',
  mode,
  async create() {
    const [{ createIntelVtd }, { createVtdMachine, defaultProfile }] = await Promise.all([
      import('@iommu/driver-intel-vtd'), import('@iommu/driver-intel-vtd/model'),
    ])
    return createIntelVtd(createVtdMachine(), { mode, hostAddressBits: defaultProfile.hostAddressBits })
  },
})

export const backends: readonly Backend[] = [vtd('scalable'), vtd('legacy')]
