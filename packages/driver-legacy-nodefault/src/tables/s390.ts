// s390 PCI functions: instructions, the translation anchor, and three levels of big-endian tables.
import { address, bit, decode, entry, field } from '@iommu/bits'
import { notWriteOnly } from './shape.js'
import type { Meaning, Shape } from './shape.js'
import { word } from './words.js'

const of = (title: string, section: string) => ({ title, bits: 64, byteOrder: 'big', section, confirmedBy: ['linux'] } as const)
const header = 'asm/pci_dma.h'

/** Operations of MPCIFC that concern translation. */
export const FUNCTION_CONTROLS = { register: 4, deregister: 5, reregister: 6 } as const
export const INSTRUCTIONS = { modify: 'MPCIFC', refresh: 'RPCIT' } as const

/** First operand of MPCIFC and RPCIT: the function's handle, its address space, and the operation. */
export const request = entry('zpci.request', { ...of('Request', 'asm/pci_insn.h ZPCI_CREATE_REQ'), reserved: [[31, 24], [15, 8]] }, {
  OPERATION: field(7, 0, 'Operation', { 4: 'register translation', 5: 'deregister translation', 6: 'register again' }),
  SPACE: field(23, 16, 'DMA address space'),
  HANDLE: field(63, 32, 'Function handle'),
})

/** What the instructions answer: a condition code, and a status where it is 1. */
export const answer = entry('zpci.answer', { title: 'Condition code and status', bits: 64, section: 'asm/pci_insn.h', confirmedBy: ['linux'], reserved: [[7, 2], [63, 16]] }, {
  CC: field(1, 0, 'Condition code', { 0: 'done', 1: 'error, see the status', 2: 'busy', 3: 'no such function' }),
  STATUS: field(15, 8, 'Status', {
    4: 'not enabled', 8: 'in error state', 12: 'blocked', 16: 'insufficient resources', 20: 'invalid address space',
    24: 'already enabled', 28: 'translation is not registered', 36: 'invalid second operand', 40: 'not available', 44: 'already in this state',
  }),
})
export const CONDITION = { done: 0, error: 1, busy: 2, unknown: 3 } as const
export const STATUS = { insufficient: 16, notRegistered: 28, already: 44 } as const

export const anchor = entry('zpci.iota', { ...of('I/O translation anchor', `${header} ZPCI_IOTA_*`), reserved: [[10, 9], [13, 12]] }, {
  FRAME: field(1, 0, 'Frame size', { 0: '4 KiB', 1: '1 MiB', 2: '2 GiB' }),
  TYPE: field(4, 2, 'What it leads to', { 0: 'segment table', 1: 'region third table', 2: 'region second table', 3: 'region first table' }),
  KEY: field(8, 5, 'Storage key'),
  ENABLED: bit(11, 'Translation is enabled'),
  ORIGIN: address(63, 14, 'Table'),
})
export const REGION_THIRD = 1

const entries = {
  region: entry('zpci.region', { ...of('Region third table entry', `${header} ZPCI_RTE_*`), reserved: [[4, 4], [8, 8], [13, 10]] }, {
    LENGTH: field(1, 0, 'Table length'),
    TYPE: field(3, 2, 'Kind of table', { 1: 'region third' }),
    INVALID: bit(5, 'Leads nowhere'),
    OFFSET: field(7, 6, 'Table offset'),
    PROTECTED: bit(9, 'Writes are forbidden'),
    ORIGIN: address(63, 14, 'Segment table'),
  }),
  segment: entry('zpci.segment', { ...of('Segment table entry', `${header} ZPCI_STE_*`), reserved: [[1, 0], [4, 4], [8, 6], [10, 10]] }, {
    TYPE: field(3, 2, 'Kind of table', { 0: 'segment' }),
    INVALID: bit(5, 'Leads nowhere'),
    PROTECTED: bit(9, 'Writes are forbidden'),
    ORIGIN: address(63, 11, 'Page table'),
  }),
  page: entry('zpci.page', { ...of('Page table entry', `${header} ZPCI_PTE_*`), reserved: [[8, 0], [11, 11]] }, {
    PROTECTED: bit(9, 'Writes are forbidden'),
    INVALID: bit(10, 'Nothing is mapped'),
    FRAME: address(63, 12, 'Page'),
  }),
} as const

const LENGTH = 3

const readRegion = (value: bigint): Meaning => {
  const { INVALID, TYPE, ORIGIN, PROTECTED } = decode(entries.region, [value])
  if (INVALID === 1) return { is: 'empty' }
  return TYPE === 1 ? { is: 'table', at: ORIGIN, read: true, write: PROTECTED === 0 } : { is: 'invalid' }
}

const readSegment = (value: bigint): Meaning => {
  const { INVALID, TYPE, ORIGIN, PROTECTED } = decode(entries.segment, [value])
  if (INVALID === 1) return { is: 'empty' }
  return TYPE === 0 ? { is: 'table', at: ORIGIN, read: true, write: PROTECTED === 0 } : { is: 'invalid' }
}

const readPage = (value: bigint): Meaning => {
  const { INVALID, FRAME, PROTECTED } = decode(entries.page, [value])
  return INVALID === 1 ? { is: 'empty' } : { is: 'page', shift: 12, physical: FRAME, read: true, write: PROTECTED === 0 }
}

/** Aperture from the region third table: 42 bits. */
export const s390Shape: Shape = {
  name: 's390',
  form: { bytes: 8, order: 'big' },
  physicalBits: 52,
  refuses: notWriteOnly,
  levels: [
    {
      name: entries.region.name, high: 41, low: 31, empty: word(entries.region, { INVALID: 1 }), pages: [], read: readRegion,
      table: (at) => word(entries.region, { ORIGIN: at, TYPE: 1, LENGTH }),
    },
    {
      name: entries.segment.name, high: 30, low: 20, empty: word(entries.segment, { INVALID: 1 }), pages: [], read: readSegment,
      table: (at) => word(entries.segment, { ORIGIN: at }),
    },
    {
      name: entries.page.name, high: 19, low: 12, empty: word(entries.page, { INVALID: 1 }), read: readPage,
      pages: [{ shift: 12, encode: (physical, { write }) => word(entries.page, { FRAME: physical, PROTECTED: write ? 0 : 1 }) }],
    },
  ],
}

/** Functions of the modelled machine; a device is known by its function id. */
export const FUNCTIONS = 0x1000
/** Handles of enabled functions have the top bit. */
export const handleOf = (functionId: number): number => 0x8000_0000 + functionId
