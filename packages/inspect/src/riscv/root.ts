// The registers that a walk of a RISC-V IOMMU's tables begins with. capabilities has to be told: with MSI_FLAT device
// contexts are twice as large, and no table says so.
import { decode, encode } from '@iommu/bits'
import { directoryPointer, featureControl } from '@iommu/driver-riscv/registers'
import type { RootRegisters } from '../sources/roots.js'

const only = ([word]: readonly bigint[]): bigint => word as bigint

const MODES: readonly (readonly [code: string, name: string])[] =
  Object.entries(directoryPointer.fields.MODE.meanings ?? {}).filter(([, name]) => name.endsWith('-level'))

export const root: RootRegisters = {
  register: 'ddtp',
  needed: ['capabilities', 'fctl', 'ddtp'],
  narrow: ['fctl'],
  modes: MODES.map(([, name]) => name),
  inMode(value, mode) {
    const [MODE] = MODES.find(([, name]) => name === mode) as readonly [string, string]
    return only(encode(directoryPointer, { PPN: decode(directoryPointer, [value]).PPN, MODE: Number(MODE) }))
  },
  assumed: { fctl: only(encode(featureControl, {})) },
}
