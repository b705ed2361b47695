// Tegra30 SMMU: registers in the memory controller, and two-level tables of 32-bit entries.
import { address, bit, decode, encode, entry, field } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import type { Meaning, Shape } from './shape.js'
import { word } from './words.js'

const of = (title: string, section: string) => ({ title, bits: 32, wordBits: 32, section, confirmedBy: ['linux'] } as const)

export const config = entry('tegra.config', { ...of('SMMU enable', 'tegra-smmu.c SMMU_CONFIG'), reserved: [[31, 1]] }, {
  ENABLE: bit(0, 'Translation; 0: every client bypasses'),
})

export const pageDirectoryBase = entry('tegra.ptb-data', { ...of('Page directory of an ASID', 'tegra-smmu.c SMMU_PTB_DATA'), reserved: [[28, 20]] }, {
  PFN: address(19, 0, 'Page directory', { scale: 12 }),
  NS: bit(29, 'Non-secure'),
  W: bit(30, 'Writes are allowed'),
  R: bit(31, 'Reads are allowed'),
})

export const asidRegister = entry('tegra.swgroup-asid', { ...of('ASID of a group of clients', 'tegra-smmu.c SMMU_ASID_ENABLE'), reserved: [[30, 7]] }, {
  ASID: field(6, 0, 'Address space'),
  ENABLE: bit(31, 'Translation; 0: the group bypasses'),
})

export const tlbFlush = entry('tegra.tlb-flush', { ...of('TLB flush', 'tegra-smmu.c SMMU_TLB_FLUSH'), reserved: [[28, 20]] }, {
  MATCH: field(1, 0, 'What is matched', { 0: 'everything', 2: 'a section of 4 MiB', 3: 'a group of four pages' }),
  VA: address(19, 2, 'Device address', { scale: 14 }),
  ASID: field(30, 29, 'Address space'),
  ASID_MATCH: bit(31, 'Only this address space'),
})
export const MATCH = { all: 0, section: 2, group: 3 } as const

export const ptcFlush = entry('tegra.ptc-flush', { ...of('Page table cache flush', 'tegra-smmu.c SMMU_PTC_FLUSH'), reserved: [[3, 1]] }, {
  BY_ADDRESS: bit(0, 'One line; 0: all lines'),
  LINE: address(31, 4, 'Line'),
})

export const directoryEntry = entry('tegra.pde', { ...of('Page directory entry', 'tegra-smmu.c SMMU_PDE_*'), reserved: [[27, 20]] }, {
  PFN: address(19, 0, 'Page table', { scale: 12 }),
  NEXT: bit(28, 'Leads to a page table; 0: a section of 4 MiB'),
  NS: bit(29, 'Non-secure'),
  W: bit(30, 'Writes are allowed'),
  R: bit(31, 'Reads are allowed'),
})

export const pageEntry = entry('tegra.pte', { ...of('Page table entry', 'tegra-smmu.c SMMU_PTE_*'), reserved: [[28, 20]] }, {
  PFN: address(19, 0, 'Page', { scale: 12 }),
  NS: bit(29, 'Non-secure'),
  W: bit(30, 'Writes are allowed'),
  R: bit(31, 'Reads are allowed'),
})

export const errorStatus = entry('tegra.err-status', { ...of('Memory controller error', 'drivers/memory/tegra/mc.c'), reserved: [[31, 31], [24, 22], [19, 18], [15, 7]] }, {
  CLIENT: field(6, 0, 'Client', undefined, { confirmedBy: [] }),
  WRITE: bit(16, 'The access was a write'),
  SECURITY: bit(17, 'A security check failed'),
  HIGH: field(21, 20, 'Address bits 33:32'),
  NONSECURE: bit(25, 'The page was non-secure'),
  WRITABLE: bit(26, 'The page could be written'),
  READABLE: bit(27, 'The page could be read'),
  TYPE: field(30, 28, 'Kind of error', { 6: 'invalid SMMU page' }),
})
export const INVALID_PAGE = 6
/** Bit of the interrupt status for an invalid SMMU page. */
export const INTERRUPT_PAGE = 1 << 10

const register = <L extends Entry>(name: string, offset: number, layout?: L) => ({ name, offset, ...(layout === undefined ? {} : { layout }) })

export const REGISTERS = {
  INTSTATUS: register('INTSTATUS', 0x000),
  ERR_STATUS: register('ERR_STATUS', 0x008, errorStatus),
  ERR_ADR: register('ERR_ADR', 0x00c),
  CONFIG: register('CONFIG', 0x010, config),
  TLB_CONFIG: register('TLB_CONFIG', 0x014),
  PTC_CONFIG: register('PTC_CONFIG', 0x018),
  PTB_ASID: register('PTB_ASID', 0x01c),
  PTB_DATA: register('PTB_DATA', 0x020, pageDirectoryBase),
  TLB_FLUSH: register('TLB_FLUSH', 0x030, tlbFlush),
  PTC_FLUSH: register('PTC_FLUSH', 0x034, ptcFlush),
} as const

/** HIT_UNDER_MISS and 16 active lines; PTC enabled with the whole index map. */
export const TLB_CONFIG_VALUE = 0x2000_0010n
export const PTC_CONFIG_VALUE = 0x2000_003fn

export const ASIDS = 4
/** Bytes that the page table cache keeps and forgets together. */
export const LINE_BYTES = 16

/** Groups of clients, each with the register that holds its ASID. */
export const SWGROUPS = {
  afi: 0x238, avpc: 0x23c, dc: 0x240, dcb: 0x244, epp: 0x248, g2: 0x24c, hc: 0x250, hda: 0x254, isp: 0x258, mpe: 0x264,
  nv: 0x268, nv2: 0x26c, ppcs: 0x270, sata: 0x278, vde: 0x27c, vi: 0x280,
} as const
export type Swgroup = keyof typeof SWGROUPS

const clientsOf: Readonly<Record<Swgroup, readonly number[]>> = {
  afi: [0x0e, 0x31], avpc: [0x0f, 0x32], dc: [0x01, 0x03, 0x05, 0x07, 0x10], dcb: [0x02, 0x04, 0x06, 0x08, 0x11],
  epp: [0x09, 0x28, 0x29, 0x2a], g2: [0x0a, 0x0b, 0x14, 0x30], hc: [0x16, 0x17, 0x36], hda: [0x15, 0x35], isp: [0x37],
  mpe: [0x0c, 0x1a, 0x1b, 0x1c, 0x2b, 0x3a], nv: [0x12, 0x18, 0x20, 0x33], nv2: [0x13, 0x19, 0x21, 0x34],
  ppcs: [0x1d, 0x1e, 0x3b, 0x3c], sata: [0x1f, 0x3d], vde: [0x22, 0x23, 0x24, 0x25, 0x3e, 0x3f, 0x40, 0x41],
  vi: [0x0d, 0x2c, 0x2d, 0x2e, 0x2f],
}

/** A client's group. A device is known by the id of one of its clients in the memory controller. */
export const swgroupOf = (client: number): Swgroup | undefined =>
  (Object.keys(clientsOf) as Swgroup[]).find((group) => clientsOf[group].includes(client))

/** Where a client's own enable bit lies: words from 0x228 on, a bit for each client. */
export const clientEnable = (client: number): { readonly offset: number; readonly bit: bigint } =>
  ({ offset: 0x228 + (client >> 5) * 4, bit: 1n << BigInt(client & 31) })

/** The enable bits of all clients of a group, register by register. */
export const groupEnables = (group: Swgroup): { readonly offset: number; readonly bits: bigint }[] => {
  const words = new Map<number, bigint>()
  for (const client of clientsOf[group]) {
    const { offset, bit: mask } = clientEnable(client)
    words.set(offset, (words.get(offset) ?? 0n) | mask)
  }
  return [...words].map(([offset, bits]) => ({ offset, bits }))
}

const readDirectory = (value: bigint): Meaning => {
  if (value === 0n) return { is: 'empty' }
  const { PFN, NEXT, R, W } = decode(directoryEntry, [value])
  // Without NEXT it would be a section, which no driver ever makes.
  return NEXT === 1 ? { is: 'table', at: PFN, read: R === 1, write: W === 1 } : { is: 'invalid' }
}

const readPage = (value: bigint): Meaning => {
  if (value === 0n) return { is: 'empty' }
  const { PFN, R, W } = decode(pageEntry, [value])
  return { is: 'page', shift: 12, physical: PFN, read: R === 1, write: W === 1 }
}

export const tegraShape: Shape = {
  name: 'tegra-smmu',
  form: { bytes: 4, order: 'little' },
  physicalBits: 32,
  refuses: () => undefined,
  levels: [
    {
      name: directoryEntry.name, high: 31, low: 22, empty: 0n, pages: [], read: readDirectory,
      table: (at) => word(directoryEntry, { R: 1, W: 1, NS: 1, NEXT: 1, PFN: at }),
    },
    {
      name: pageEntry.name, high: 21, low: 12, empty: 0n, read: readPage,
      pages: [{
        shift: 12,
        encode: (physical, { read, write }) => encode(pageEntry, { R: read ? 1 : 0, W: write ? 1 : 0, NS: 1, PFN: physical })[0] as bigint,
      }],
    },
  ],
}
