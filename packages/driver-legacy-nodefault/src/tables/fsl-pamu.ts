// Freescale PAMU: registers, and the window table of logical I/O devices. Big-endian.
import { bit, entry, field } from '@iommu/bits'
import type { WordForm } from './words.js'

const header = 'fsl_pamu.h'
const of = (title: string, section: string) => ({ title, bits: 32, wordBits: 32, section, confirmedBy: ['linux'] } as const)

export const PAACE_BYTES = 64
/** Entries of the primary table: Linux's limit; hardware has its own in PC2. A device is known by its LIODN. */
export const LIODNS = 0x500
export const FORM: WordForm = { bytes: 4, order: 'big' }

/** Primary window entry: 16 words of 32 bits, of which eight mean something. Bit 32 is bit 0 of word 1. */
export const paace = entry('pamu.paace', {
  title: 'Peripheral access authorization and control entry', bits: 512, wordBits: 32, byteOrder: 'big',
  section: `${header} struct paace`, confirmedBy: ['linux'],
  reserved: [[31, 4], [70, 64], [111, 104], [127, 120], [159, 132], [165, 160], [511, 256]],
  ignored: [[255, 240]],
}, {
  WBAH: field(3, 0, 'Window base, address bits 35:32'),
  V: bit(32, 'Valid; 0: every access is a violation'),
  PT: bit(33, 'Secondary entry'),
  DD: bit(34, 'To I/O; 0: to the host'),
  AP: field(36, 35, 'Permissions', { 0: 'none', 1: 'reads', 2: 'writes', 3: 'reads and writes' }),
  MW: bit(37, 'Sub-windows'),
  WSE: field(43, 38, 'Window size: 2^(WSE+1) bytes'),
  WBAL: field(63, 44, 'Window base, address bits 31:12'),
  CR: bit(71, 'Coherency is required'),
  SNPID: field(79, 72, 'Snoop id'),
  PID: field(87, 80, 'Partition id'),
  DID: field(95, 88, 'Destination id'),
  OTM: field(97, 96, 'Operation translation', { 0: 'none', 1: 'immediate', 2: 'indexed' }),
  ATM: field(99, 98, 'Address translation', { 0: 'none', 1: 'window', 2: 'page', 3: 'window and page' }),
  WCE: field(103, 100, 'Sub-windows: 2^(WCE+1)'),
  CID: field(119, 112, 'Cache to stash into'),
  TWBAH: field(131, 128, 'Translated base, address bits 35:32'),
  SWSE: field(171, 166, 'Sub-window size: 2^(SWSE+1) bytes'),
  TWBAL: field(191, 172, 'Translated base, address bits 31:12'),
  FSPI: field(223, 192, 'First secondary entry'),
  OMI: field(239, 224, 'Operation mapping index'),
})
export const PERMISSIONS = { none: 0, read: 1, write: 2 } as const
export const TRANSLATION = { none: 0, window: 1 } as const
/** Index of the word that holds V. */
export const VALID_WORD = 1
/** Width of addresses in bits, and WSE of a window over all of them. */
export const ADDRESS_BITS = 36
export const WHOLE_WINDOW = ADDRESS_BITS - 1

export const control = entry('pamu.pc', { ...of('PAMU control', `${header} PAMU_PC_*`), reserved: [[3, 1], [11, 5], [29, 13]] }, {
  PPCC: bit(0, 'Primary entries are cached'),
  SPCC: bit(4, 'Secondary entries are cached'),
  OCE: bit(12, 'Operation mappings are cached'),
  PE: bit(30, 'Enabled; 0: addresses pass'),
  PGC: bit(31, 'Gate closed'),
})

export const violation = entry('pamu.avs1', { ...of('Access violation status', `${header} PAMU_AVS1_*`), reserved: [[15, 15]] }, {
  AV: bit(0, 'Access violation'),
  OTV: field(2, 1, 'Operation translation violation'),
  APV: field(6, 3, 'Permission violation'),
  WAV: field(9, 7, 'Window violation'),
  LAV: field(12, 10, 'LIODN violation', { 1: 'not in the primary table' }),
  GCV: bit(13, 'Gate closed violation'),
  PDV: bit(14, 'Permission denied violation'),
  LIODN: field(31, 16, 'Logical I/O device number'),
})

export const OFFSETS = {
  PPBAH: 0x00, PPBAL: 0x04, PPLAH: 0x08, PPLAL: 0x0c, POEAH: 0x48, POEAL: 0x4c, AVS1: 0x50, AVAH: 0x58, AVAL: 0x5c, PC: 0xc10, PICS: 0xc1c,
  /** In the device configuration block, which the model lays out behind the PAMU's own registers. */
  PAMUBYPENR: 0x1_0604,
} as const
/** Bit of PICS for an access violation, and the one that enables its interrupt. */
export const VIOLATION_STATUS = 0x8
export const VIOLATION_ENABLE = 0x4
/** Bit of PAMUBYPENR for the first PAMU: 1, it is bypassed. */
export const BYPASS_FIRST = 0x8000_0000

export const entryOf = (table: bigint, liodn: number): bigint => table + BigInt(liodn * PAACE_BYTES)
