// The registers that a walk of AMD-Vi's tables begins with.
import { encode } from '@iommu/bits'
import { control, extendedFeatures } from '@iommu/driver-amd-vi/registers'
import type { RootRegisters } from '../sources/roots.js'

const only = ([word]: readonly bigint[]): bigint => word as bigint

export const root: RootRegisters = {
  register: 'DEVTAB_BASE',
  needed: ['CONTROL', 'DEVTAB_BASE', 'EFR'],
  modes: [],
  inMode: (value) => value,
  assumed: {
    CONTROL: only(encode(control, { IommuEn: 1, GTEn: 1 })),
    // HATS 2: 6 levels; GATS 1: 5 levels; GLXSup 2: 3 levels of GCR3 tables.
    EFR: only(encode(extendedFeatures, { NXSup: 1, GTSup: 1, HATS: 2, GATS: 1, GLXSup: 2, PASMax: 19, GIOSup: 1, HASup: 1, HDSup: 1 })),
  },
}
