// Registers: where they lie, and the fields of those that have fields.
import { address, bit, entry, field } from '@iommu/bits'

/** Byte offsets into the register window of 4 KiB. */
export const OFFSETS = {
  capabilities: 0x000, fctl: 0x008, ddtp: 0x010, cqb: 0x018, cqh: 0x020, cqt: 0x024, fqb: 0x028, fqh: 0x030, fqt: 0x034,
  pqb: 0x038, pqh: 0x040, pqt: 0x044, cqcsr: 0x048, fqcsr: 0x04c, pqcsr: 0x050, ipsr: 0x054,
  tr_req_iova: 0x258, tr_req_ctl: 0x260, tr_response: 0x268, icvec: 0x2f8,
} as const

/** The offsets of 64-bit registers; all others are of 32 bits. */
export const WIDE_OFFSETS: readonly number[] = [
  OFFSETS.capabilities, OFFSETS.ddtp, OFFSETS.cqb, OFFSETS.fqb, OFFSETS.pqb, OFFSETS.tr_req_iova, OFFSETS.tr_req_ctl,
  OFFSETS.tr_response, OFFSETS.icvec,
]

const from = { confirmedBy: ['linux', 'qemu', 'spec'] } as const
const narrow = { bits: 32, wordBits: 32, ...from } as const

export const capability = entry('riscv.capabilities', {
  title: 'Capabilities register', bits: 64, section: 'riscv:5.3?', ...from,
  reserved: [[13, 12], [20, 20], [55, 44]],
  ignored: [[63, 56]],
}, {
  version: field(7, 0, 'Version of the specification', { 0x10: '1.0' }),
  Sv32: bit(8, 'First stage of 32 bits'),
  Sv39: bit(9, 'First stage of 39 bits'),
  Sv48: bit(10, 'First stage of 48 bits'),
  Sv57: bit(11, 'First stage of 57 bits'),
  Svrsw60t59b: bit(14, 'Bits 60:59 of page table entries are software\'s', { confirmedBy: ['qemu', 'spec'] }),
  Svpbmt: bit(15, 'Memory types in page table entries'),
  Sv32x4: bit(16, 'Second stage of 34 bits'),
  Sv39x4: bit(17, 'Second stage of 41 bits'),
  Sv48x4: bit(18, 'Second stage of 50 bits'),
  Sv57x4: bit(19, 'Second stage of 59 bits'),
  AMO_MRIF: bit(21, 'Atomic updates of MRIFs'),
  MSI_FLAT: bit(22, 'MSI page tables, and device contexts of the extended format'),
  MSI_MRIF: bit(23, 'MRIFs'),
  AMO_HWAD: bit(24, 'Hardware may set A and D'),
  ATS: bit(25, 'Address Translation Services'),
  T2GPA: bit(26, 'ATS may answer guest physical addresses'),
  END: bit(27, 'Both byte orders'),
  IGS: field(29, 28, 'Interrupts of the unit', { 0: 'MSI', 1: 'wires', 2: 'both' }),
  HPM: bit(30, 'Performance counters'),
  DBG: bit(31, 'Translation can be asked for by registers'),
  PAS: field(37, 32, 'Width of physical addresses in bits'),
  PD8: bit(38, 'Process directories of 8 bits'),
  PD17: bit(39, 'Process directories of 17 bits'),
  PD20: bit(40, 'Process directories of 20 bits'),
  QOSID: bit(41, 'Identifiers of quality of service', { confirmedBy: ['spec'] }),
  NL: bit(42, 'Invalidations of non-leaf entries by address', { confirmedBy: ['linux', 'spec'] }),
  S: bit(43, 'Invalidations of ranges by address', { confirmedBy: ['linux', 'spec'] }),
})

export const featureControl = entry('riscv.fctl', {
  title: 'Features control register', section: 'riscv:5.4?', ...narrow, reserved: [[15, 3]], ignored: [[31, 16]],
}, {
  BE: bit(0, 'Big-endian'),
  WSI: bit(1, 'Interrupts by wires'),
  GXL: bit(2, 'The second stage is a 32-bit one'),
})

export const DIRECTORY_POINTER_MODES = { off: 0, bare: 1, oneLevel: 2, twoLevel: 3, threeLevel: 4 } as const

export const directoryPointer = entry('riscv.ddtp', {
  title: 'Device directory table pointer', bits: 64, section: 'riscv:5.5?', ...from, reserved: [[9, 5], [63, 54]],
}, {
  MODE: field(3, 0, 'Mode', { 0: 'Off', 1: 'Bare', 2: '1-level', 3: '2-level', 4: '3-level' }),
  BUSY: bit(4, 'A write is being carried out'),
  PPN: address(53, 10, 'Root of the device directory', { scale: 12 }),
})

/** cqb, fqb and pqb alike. */
export const queueBase = entry('riscv.queue-base', {
  title: 'Queue base register', bits: 64, section: 'riscv:5.6?', ...from, reserved: [[9, 5], [63, 54]],
}, {
  LOG2SZ: field(4, 0, '2^(this+1) entries'),
  PPN: address(53, 10, 'Queue', { scale: 12 }),
})

export const commandQueueStatus = entry('riscv.cqcsr', {
  title: 'Command queue control and status', section: 'riscv:5.15?', ...narrow, reserved: [[7, 2], [15, 12], [27, 18]], ignored: [[31, 28]],
}, {
  cqen: bit(0, 'Enable'),
  cie: bit(1, 'Interrupt enable'),
  cqmf: bit(8, 'Memory fault; write 1 to clear'),
  cmd_to: bit(9, 'A command timed out; write 1 to clear'),
  cmd_ill: bit(10, 'A command is illegal; write 1 to clear'),
  fence_w_ip: bit(11, 'A fence asked for an interrupt; write 1 to clear'),
  cqon: bit(16, 'Is on'),
  busy: bit(17, 'A write is being carried out'),
})

export const faultQueueStatus = entry('riscv.fqcsr', {
  title: 'Fault queue control and status', section: 'riscv:5.16?', ...narrow, reserved: [[7, 2], [15, 10], [27, 18]], ignored: [[31, 28]],
}, {
  fqen: bit(0, 'Enable'),
  fie: bit(1, 'Interrupt enable'),
  fqmf: bit(8, 'Memory fault; write 1 to clear'),
  fqof: bit(9, 'Overflow: records were lost; write 1 to clear'),
  fqon: bit(16, 'Is on'),
  busy: bit(17, 'A write is being carried out'),
})

/** Where the unit is asked for a translation by registers (capabilities.DBG): an untranslated request of any device. */
export const translationRequest = entry('riscv.tr-req-ctl', {
  title: 'Translation request control register', bits: 64, section: 'riscv:5.25?', ...from, reserved: [[11, 4], [39, 33]],
}, {
  GO: bit(0, 'Asks; busy until it is 0 again'),
  PRIV: bit(1, 'A supervisor\'s request; counts with a process id', { confirmedBy: ['linux', 'spec'] }),
  EXE: bit(2, 'Asks to execute', { confirmedBy: ['linux', 'spec'] }),
  NW: bit(3, 'Asks to read only; else to read and write'),
  PID: field(31, 12, 'Process Identifier'),
  PV: bit(32, 'There is a process id', { confirmedBy: ['linux', 'spec'] }),
  DID: field(63, 40, 'Device Identifier'),
})

export const translationResponse = entry('riscv.tr-response', {
  title: 'Translation response register', bits: 64, section: 'riscv:5.26?', ...from, reserved: [[6, 1], [63, 54]],
}, {
  FAULT: bit(0, 'Refused; nothing else means anything then'),
  PBMT: field(8, 7, 'Memory type', undefined, { confirmedBy: ['linux', 'spec'] }),
  S: bit(9, 'The lowest zero bit of the page number says how large the page is', { confirmedBy: ['linux', 'spec'] }),
  PPN: address(53, 10, 'Page', { scale: 12 }),
})
