// Context descriptors (CD): one per SSID of a stream, in one array or below a level of descriptors.
import { address, bit, entry, field, wide } from '@iommu/bits'
import { CACHEABILITIES, SHAREABILITIES } from './stream.js'

const spec = { confirmedBy: ['spec'] } as const
const linux = { confirmedBy: ['linux'] } as const
const captured = { confirmedBy: ['linux', 'qemu', 'capture'] } as const

/** Level 1 of a 2-level CD table: leaves of 64 CDs (4 KiB) or 1024 (64 KiB), as STE.S1Fmt says. */
export const levelOneContext = entry('smmuv3.l1cd', {
  title: 'Level 1 context descriptor', bits: 64, section: 'smmu:5.3', ...linux, reserved: [[11, 1], [63, 56]],
}, {
  V: bit(0, 'Valid'),
  L2Ptr: address(55, 12, 'Leaf of CDs', { alias: ['L2PTR'] }),
})

export const contextDescriptor = entry('smmuv3.cd', {
  title: 'Context descriptor', bits: 512, section: 'smmu:5.4', confirmedBy: ['linux', 'qemu'],
  reserved: [[121, 120], [185, 184], [383, 376], [447, 432], [511, 496]],
  // Implementation defined.
  ignored: [[351, 320]],
}, {
  T0SZ: field(5, 0, 'TTB0 input size: 64 less its bits', undefined, captured),
  TG0: field(7, 6, 'TTB0 granule', { 0: '4 KiB', 1: '64 KiB', 2: '16 KiB' }, captured),
  IR0: field(9, 8, 'TTB0 walks: inner cacheability', CACHEABILITIES, { alias: ['IRGN0'], confirmedBy: ['linux', 'capture'] }),
  OR0: field(11, 10, 'TTB0 walks: outer cacheability', CACHEABILITIES, { alias: ['ORGN0'], confirmedBy: ['linux', 'capture'] }),
  SH0: field(13, 12, 'TTB0 walks: shareability', SHAREABILITIES, { confirmedBy: ['linux', 'capture'] }),
  EPD0: bit(14, 'TTB0 walks disabled'),
  ENDI: bit(15, 'Tables are big-endian'),
  T1SZ: field(21, 16, 'TTB1 input size: 64 less its bits', undefined, { confirmedBy: ['qemu'] }),
  TG1: field(23, 22, 'TTB1 granule', { 1: '16 KiB', 2: '4 KiB', 3: '64 KiB' }, { confirmedBy: ['qemu'] }),
  IR1: field(25, 24, 'TTB1 walks: inner cacheability', CACHEABILITIES, spec),
  OR1: field(27, 26, 'TTB1 walks: outer cacheability', CACHEABILITIES, spec),
  SH1: field(29, 28, 'TTB1 walks: shareability', SHAREABILITIES, spec),
  EPD1: bit(30, 'TTB1 walks disabled', captured),
  V: bit(31, 'Valid', captured),
  IPS: field(34, 32, 'Output size', { 0: '32 bits', 1: '36 bits', 2: '40 bits', 3: '42 bits', 4: '44 bits', 5: '48 bits', 6: '52 bits', 7: '56 bits' }, captured),
  AFFD: bit(35, 'Access flag faults disabled', { confirmedBy: ['qemu'] }),
  WXN: bit(36, 'Writable is not executable', spec),
  UWXN: bit(37, 'Writable by users is not executable by the privileged', spec),
  TBI0: bit(38, 'TTB0: top byte ignored'),
  TBI1: bit(39, 'TTB1: top byte ignored', { confirmedBy: ['qemu'] }),
  PAN: bit(40, 'Privileged access never', spec),
  AA64: bit(41, 'Tables are AArch64', captured),
  HD: bit(42, 'Dirty flag by hardware'),
  HA: bit(43, 'Access flag by hardware'),
  S: bit(44, 'Faults stall'),
  R: bit(45, 'Faults are recorded', captured),
  A: bit(46, 'Faults abort', captured),
  ASET: bit(47, 'ASID set: 1 not shared with the CPU', { confirmedBy: ['linux', 'capture'] }),
  ASID: field(63, 48, 'ASID', undefined, captured),
  NSCFG0: bit(64, 'TTB0: non-secure walks', spec),
  HAD0: bit(65, 'TTB0: hierarchical attributes disabled', { confirmedBy: ['qemu'] }),
  E0PD0: bit(66, 'TTB0: unprivileged accesses fault', spec),
  HAFT: bit(67, 'Access flag of tables by hardware', linux),
  TTB0: address(119, 68, 'Table 0', captured),
  PnCH: bit(122, 'Protected attribute', spec),
  EPAN: bit(123, 'Enhanced privileged access never', spec),
  HWU0: field(127, 124, 'TTB0: hardware use of attributes', undefined, spec),
  NSCFG1: bit(128, 'TTB1: non-secure walks', spec),
  HAD1: bit(129, 'TTB1: hierarchical attributes disabled', { confirmedBy: ['qemu'] }),
  E0PD1: bit(130, 'TTB1: unprivileged accesses fault', spec),
  AIE: bit(131, 'Attribute index extension', spec),
  TTB1: address(183, 132, 'Table 1', { confirmedBy: ['qemu'] }),
  DS: bit(186, '52-bit output with small granules', spec),
  PIE: bit(187, 'Permission indirection', spec),
  HWU1: field(191, 188, 'TTB1: hardware use of attributes', undefined, spec),
  MAIR: wide(255, 192, 'Memory attributes by index', { confirmedBy: ['linux', 'capture'] }),
  AMAIR: wide(319, 256, 'Auxiliary memory attributes', spec),
  PARTID: field(367, 352, 'MPAM partition', undefined, spec),
  PMG: field(375, 368, 'MPAM performance group', undefined, spec),
  PIIU: field(431, 384, 'Permission indirection, unprivileged', undefined, spec),
  PIIP: field(495, 448, 'Permission indirection, privileged', undefined, spec),
})
