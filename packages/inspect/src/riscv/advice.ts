// What a RISC-V fault cause means for the person who reads it: what follows from it, and where to look next.
import type { CodeMembers } from '../vendor.js'

type Advice = Pick<CodeMembers, 'so' | 'usual' | 'next'>

const LOOK_AT_TABLES = 'iommu walk SOURCE --rid DEVICE --iova ADDRESS, on a capture, an ELF core or a memory image'
const LOOK_AT_DC = 'the device context: iommu decode riscv.dc WORDS'
const LOOK_AT_PC = 'the process context: iommu decode riscv.pc WORDS'
const LOOK_AT_IDS = 'which device id firmware gives the device: iommu-map of the device tree, or RIMT'
const LOOK_AT_GUEST = 'the second stage, at the guest address: what the hypervisor has mapped there'

const UNMAPPED = ['the buffer was unmapped too early', 'never mapped, or mapped for another device', 'the device ran past its buffer'] as const
const UNREADABLE: Advice = {
  so: 'a structure in memory could not be read: a pointer leads to something that is not memory.',
  usual: ['memory of the tables was overwritten', 'a table that was freed while it was in use'],
  next: [LOOK_AT_TABLES],
}
const CORRUPT: Advice = {
  so: 'memory itself failed where the unit read it.',
  usual: ['an error of the memory that its own check found'],
  next: ['errors of memory that the system reports at the same time'],
}

const list: readonly (Advice & { readonly codes: readonly number[] })[] = [
  {
    codes: [12, 13, 15],
    so: 'the device has a domain, and its first-stage table has no mapping there, or one that does not allow this access.',
    usual: [...UNMAPPED, 'mapped for the other direction only', 'A is 0, or D at a write, where hardware does not set them'],
    next: [LOOK_AT_TABLES],
  },
  {
    codes: [20, 21, 23],
    so: 'the second stage has no mapping at the guest address, or one that does not allow this access.',
    usual: ['the guest gave its device an address that is not its memory', 'a page of the guest that the host has taken away'],
    next: [LOOK_AT_GUEST, LOOK_AT_TABLES],
  },
  {
    codes: [1, 5, 7],
    so: 'the address, or an entry on the way to it, leads to something that is not memory, or that memory protection denies.',
    usual: ['the device has an identity domain and its address is not memory', 'memory of the tables was overwritten'],
    next: [LOOK_AT_TABLES],
  },
  {
    codes: [4, 6],
    so: 'the address does not suit the size of the access.',
    usual: ['an atomic access of the device that is not aligned'],
    next: [],
  },
  {
    codes: [256],
    so: 'the unit refuses all DMA until software switches it on.',
    usual: ['a device that firmware or an earlier kernel left running', 'the unit was reset, or its driver has gone'],
    next: ['ddtp: iommu decode riscv.ddtp WORD'],
  },
  {
    codes: [258],
    so: 'nothing is set up for this device id: the device is blocked, and no address would have passed.',
    usual: ['a device id that firmware describes wrongly', 'a driver or firmware that goes on with DMA after the device was released',
      'the context was invalid for a moment while its domain was changed'],
    next: [LOOK_AT_IDS, LOOK_AT_DC],
  },
  {
    codes: [259],
    so: 'hardware refuses the device context, or an entry on the way to it, that software wrote; no DMA of the device passes.',
    usual: ['a reserved bit is set', 'a mode or a feature that this unit has not', 'memory of the directory was overwritten'],
    next: [LOOK_AT_DC, 'capabilities: iommu decode riscv.capabilities WORD'],
  },
  {
    codes: [260],
    so: 'the device may not make a request of this kind at all; the address does not matter.',
    usual: ['a request with a PASID, and no process directory (tc.PDTV is 0)', 'a PASID that is wider than the process directory',
      'ATS in the device, and tc.EN_ATS is 0', 'a privileged request, and ENS of the process context is 0', 'a device id that is wider than the directory'],
    next: [LOOK_AT_DC, 'the PASID and ATS capabilities of the device: lspci -vvv'],
  },
  {
    codes: [266],
    so: 'nothing is set up for this PASID: it is blocked.',
    usual: ['a PASID that was taken away while the device still used it', 'a request without PASID, and no context for PASID 0 (tc.DPE is 1)'],
    next: [LOOK_AT_PC],
  },
  {
    codes: [267],
    so: 'hardware refuses the process context, or an entry on the way to it, that software wrote.',
    usual: ['a reserved bit is set', 'a mode that this unit has not', 'memory of the directory was overwritten'],
    next: [LOOK_AT_PC],
  },
  {
    codes: [261, 262, 263, 264],
    so: 'an interrupt to a guest was lost, not a DMA to memory.',
    usual: ['the guest moved or freed the interrupt', 'the MSI page table does not know the guest\'s interrupt file'],
    next: [`msiptp of ${LOOK_AT_DC}`],
  },
  {
    codes: [272],
    so: 'the unit itself failed; what it did with the request is not known.',
    usual: ['a fault of the hardware'],
    next: ['errors of hardware that the system reports at the same time'],
  },
  {
    codes: [273],
    so: 'no DMA was refused: an interrupt of the unit did not arrive, so software may not have heard of other faults.',
    usual: ['an address in the unit\'s MSI table that is not an interrupt file'],
    next: ['the interrupts of the unit: /proc/interrupts'],
  },
  { codes: [257, 265], ...UNREADABLE },
  { codes: [268, 269, 270, 271, 274], ...CORRUPT },
]

const byCode = new Map(list.flatMap(({ codes, ...advice }) => codes.map((code) => [code, advice] as const)))

/** Undefined where the code alone says it all. */
export const adviceFor = (code: number): Advice | undefined => byCode.get(code)
