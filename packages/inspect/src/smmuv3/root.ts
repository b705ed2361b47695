// The registers that a walk of an SMMU's tables begins with. STRTAB_BASE_CFG has to be told: no table says its own format.
import { encode } from '@iommu/bits'
import { control0, control2, globalBypass, idr0, idr1, idr3, idr5 } from '@iommu/driver-arm-smmuv3/registers'
import type { RootRegisters } from '../sources/roots.js'

const only = ([word]: readonly bigint[]): bigint => word as bigint

export const root: RootRegisters = {
  register: 'STRTAB_BASE',
  needed: ['IDR0', 'IDR1', 'IDR3', 'IDR5', 'CR0', 'CR2', 'GBPA', 'STRTAB_BASE', 'STRTAB_BASE_CFG'],
  narrow: ['IDR0', 'IDR1', 'IDR3', 'IDR5', 'CR0', 'CR2', 'GBPA', 'STRTAB_BASE_CFG', 'EVENTQ_PROD', 'EVENTQ_CONS'],
  modes: [],
  inMode: (value) => value,
  assumed: {
    IDR0: only(encode(idr0, { S1P: 1, S2P: 1, TTF: 2, COHACC: 1, HTTU: 3, HYP: 1, ATS: 1, ASID16: 1, VMID16: 1, CD2L: 1, TTENDIAN: 0, ST_LEVEL: 1 })),
    IDR1: only(encode(idr1, { SIDSIZE: 32, SSIDSIZE: 20, ATTR_TYPES_OVR: 1 })),
    IDR3: only(encode(idr3, { HAD: 1, FWB: 1, STT: 1, RIL: 1 })),
    IDR5: only(encode(idr5, { OAS: 6, GRAN4K: 1, GRAN16K: 1, GRAN64K: 1, VAX: 1 })),
    CR0: only(encode(control0, { SMMUEN: 1, ATSCHK: 1 })),
    CR2: only(encode(control2, { RECINVSID: 1 })),
    GBPA: only(encode(globalBypass, {})),
  },
}
