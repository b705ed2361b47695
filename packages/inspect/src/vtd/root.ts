// The registers that a walk of VT-d's tables begins with.
import { decode, encode } from '@iommu/bits'
import { capability, extendedCapability, globalStatus, rootTableAddress, TABLE_MODES } from '@iommu/driver-intel-vtd/registers'
import type { RootRegisters } from '../sources/roots.js'

const only = ([word]: readonly bigint[]): bigint => word as bigint

export const root: RootRegisters = {
  register: 'RTADDR',
  needed: ['CAP', 'ECAP', 'GSTS', 'RTADDR'],
  narrow: ['GSTS'],
  modes: ['legacy', 'scalable'],
  inMode(value, mode) {
    const [TTM] = Object.entries(TABLE_MODES).find(([, name]) => name === mode) as [string, string]
    return only(encode(rootTableAddress, { RTA: decode(rootTableAddress, [value]).RTA, TTM: Number(TTM) }))
  },
  assumed: {
    // SAGAW: 3, 4 and 5 levels; SSLPS: 2 MiB and 1 GiB.
    CAP: only(encode(capability, { ND: 6, SAGAW: 0b01110, MGAW: 56, SSLPS: 0b0011, PSI: 1, FS1GP: 1, FS5LP: 1 })),
    ECAP: only(encode(extendedCapability, {
      C: 1, QI: 1, DT: 1, PT: 1, SC: 1, NEST: 1, PRS: 1, ERS: 1, SRS: 1, EAFS: 1, PSS: 19, PASID: 1, SMTS: 1, SSADS: 1, SSTS: 1, FSTS: 1,
      SMPWC: 1, RPS: 1,
    })),
    GSTS: only(encode(globalStatus, { TES: 1, RTPS: 1 })),
  },
}
