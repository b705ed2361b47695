// Tegra20 GART: three registers of the memory controller, and an aperture whose entries lie in the chip.
import { address, bit, decode, entry } from '@iommu/bits'
import { onlyReadWrite } from './shape.js'
import type { Shape } from './shape.js'
import { word } from './words.js'

/** The aperture of Tegra20: 32 MiB. Its place is recalled, not confirmed; hardware takes it from the chip's address map. */
export const APERTURE = { start: 0x5800_0000n, end: 0x59ff_ffffn } as const
export const ENTRIES = Number((APERTURE.end + 1n - APERTURE.start) >> 12n)

export const OFFSETS = { INTSTATUS: 0x00, CONFIG: 0x24, ENTRY_ADDR: 0x28, ENTRY_DATA: 0x2c, ERROR_REQ: 0x30, ERROR_ADR: 0x34 } as const
/** Bit of the interrupt status for an access to an entry that is not valid. */
export const INTERRUPT_GART = 1 << 7

export const config = entry('gart.config', { title: 'Configuration', bits: 32, wordBits: 32, section: 'tegra-gart.c GART_CONFIG', confirmedBy: ['linux'], reserved: [[31, 1]] }, {
  ENABLE: bit(0, 'The aperture is translated; 0: accesses to it are errors'),
})

export const errorRequest = entry('gart.error-req', { title: 'Request that failed', bits: 32, wordBits: 32, section: 'mc.c MC_GART_ERROR_REQ', confirmedBy: ['linux'], ignored: [[31, 1]] }, {
  WRITE: bit(0, 'The access was a write'),
})

export const pageEntry = entry('gart.pte', { title: 'Aperture entry', bits: 32, wordBits: 32, section: 'tegra-gart.c GART_ENTRY_*', confirmedBy: ['linux'], ignored: [[11, 0]] }, {
  PA: address(30, 12, 'Page'),
  VALID: bit(31, 'Valid'),
})

/** The driver's own copy of an aperture's entries: one flat table, of which hardware sees nothing. */
export const gartShape: Shape = {
  name: 'tegra-gart',
  form: { bytes: 4, order: 'little' },
  physicalBits: 31,
  refuses: onlyReadWrite,
  levels: [{
    name: pageEntry.name, high: 24, low: 12, empty: 0n,
    read(value) {
      const { VALID, PA } = decode(pageEntry, [value])
      return VALID === 0 ? { is: 'empty' } : { is: 'page', shift: 12, physical: PA, read: true, write: true }
    },
    pages: [{ shift: 12, encode: (physical) => word(pageEntry, { VALID: 1, PA: physical }) }],
  }],
}
