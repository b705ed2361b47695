// MediaTek M4U of the first generation (MT2701): registers, the switch of each port, and one flat table for all.
import { address, bit, decode, entry, field } from '@iommu/bits'
import { onlyReadWrite } from './shape.js'
import type { Shape } from './shape.js'
import { word } from './words.js'

const of = (title: string, section: string) => ({ title, bits: 32, wordBits: 32, section, confirmedBy: ['linux'] } as const)

/** Ports of all local arbiters in a row; a device is known by the number of its port. */
export const PORTS = 44

export const OFFSETS = {
  PT_BASE: 0x000, CTRL: 0x210, IVRP_PADDR: 0x214, INT_CONTROL: 0x220, FAULT_ST: 0x224, FAULT_VA: 0x228, INT_ID: 0x388,
  INVALIDATE: 0x5c0, INVLD_START: 0x5c4, INVLD_END: 0x5c8, INV_SEL: 0x5d8, DCM: 0x5f0, CPE_DONE: 0x60c,
} as const

/** Where the arbiters' switches lie in the model: their registers are a block of their own, behind the M4U's. */
const SMI_BASE = 0x1000
/** Four bits for each port, eight ports a register. */
export const portSwitch = (port: number): { readonly name: string; readonly offset: number; readonly shift: bigint } =>
  ({ name: `SECUR_CON.${port >> 3}`, offset: SMI_BASE + 0x5c0 + 4 * (port >> 3), shift: BigInt((port & 7) * 4) })

/** The four bits of one port. */
export const portBits = entry('mtk.port', { title: 'Switch of a port', bits: 32, wordBits: 32, section: 'mtk-smi.c F_SMI_*', confirmedBy: ['linux'], reserved: [[31, 4]], ignored: [[0, 0]] }, {
  DOMAIN: field(2, 1, 'Security domain'),
  VIRT: bit(3, 'Through the M4U; 0: addresses pass'),
})

export const control = entry('mtk.ctrl', { ...of('Control', 'mtk_iommu_v1.c REG_MMU_CTRL_REG'), reserved: [[4, 0], [7, 7], [31, 9]] }, {
  TF_PROTECT: field(6, 5, 'What becomes of faults', { 2: 'they go to the protect page' }),
  COHERENT: bit(8, 'Walks are coherent'),
})

export const interrupts = entry('mtk.int-control', { ...of('Interrupt control', 'mtk_iommu_v1.c REG_MMU_INT_CONTROL'), reserved: [[11, 8], [31, 13]] }, {
  TRANSLATION: bit(0, 'Translation fault'), MULTIHIT: bit(1, 'Several TLB entries match'), INVALID_PA: bit(2, 'Invalid physical address'),
  REPLACEMENT: bit(3, 'Entry replacement fault'), TABLE_WALK: bit(4, 'Table walk fault'), TLB_MISS: bit(5, 'TLB miss'),
  FIFO_FULL: bit(6, 'Queue overflow'), FIFO_LOST: bit(7, 'Queue overflow, lost'), CLEAR: bit(12, 'Clears what is pending'),
})

export const INVALIDATE_RANGE = 1n
export const INVALIDATE_ALL = 2n
export const BOTH_WAYS = 3n

export const pageEntry = entry('mtk.pte', { ...of('Page table entry', 'mtk_iommu_v1.c F_DESC_*'), reserved: [[0, 0], [2, 2], [11, 4]] }, {
  VALID: bit(1, 'Valid'),
  NONSEC: bit(3, 'Non-secure'),
  PA: address(31, 12, 'Page'),
})

/** One table of a million entries: 4 MiB in one piece. */
export const mtkShape: Shape = {
  name: 'mtk-v1',
  form: { bytes: 4, order: 'little' },
  physicalBits: 32,
  refuses: onlyReadWrite,
  levels: [{
    name: pageEntry.name, high: 31, low: 12, empty: 0n,
    read(value) {
      const { VALID, PA } = decode(pageEntry, [value])
      return VALID === 0 ? { is: 'empty' } : { is: 'page', shift: 12, physical: PA, read: true, write: true }
    },
    pages: [{ shift: 12, encode: (physical) => word(pageEntry, { VALID: 1, NONSEC: 1, PA: physical }) }],
  }],
}
