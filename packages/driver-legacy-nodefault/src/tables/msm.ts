// Qualcomm's first SMMU (APQ8064): context banks, the routing of machine ids to them, and short descriptors.
import { address, bit, decodeField, entry, field } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { notWriteOnly } from './shape.js'
import { shortShape } from './short-descriptor.js'

const of = (title: string, section: string) => ({ title, bits: 32, wordBits: 32, section, confirmedBy: ['linux'] } as const)
const header = 'msm_iommu_hw-8xxx.h'
const format = 'io-pgtable-arm-v7s.c'

/** Machine ids and context banks of the modelled instance; a device is known by its machine id. */
export const MIDS = 64
export const BANKS = 24

/** Bytes from one context bank's registers to the next one's. */
const BANK_BYTES = 0x1000
export const GLOBAL = { M2VCBR: 0xff000, CBACR: 0xff800 } as const
export const CONTEXT = {
  SCTLR: 0x000, ACTLR: 0x004, CONTEXTIDR: 0x008, TTBR0: 0x010, TTBR1: 0x014, TTBCR: 0x018, PAR: 0x01c, FSR: 0x020, FSRRESTORE: 0x024,
  FAR: 0x028, PRRR: 0x034, NMRR: 0x038, TLBLKCR: 0x03c, TLBFLPTER: 0x044, TLBSLPTER: 0x048, BFBCR: 0x04c, CTX_TLBIALL: 0x800,
  TLBIVA: 0x808,
} as const
export type ContextRegister = keyof typeof CONTEXT

export const contextOffset = (bank: number, name: ContextRegister): number => bank * BANK_BYTES + CONTEXT[name]
/** Which bank and which of its registers an offset is, or undefined for a global register. */
export const contextOf = (offset: number): { readonly bank: number; readonly offset: number } | undefined =>
  (offset >= GLOBAL.M2VCBR ? undefined : { bank: Math.floor(offset / BANK_BYTES), offset: offset % BANK_BYTES })

export const routing = entry('msm.m2vcbr', { ...of('Machine id to context bank', `${header} M2VCBR_N`), reserved: [[7, 5], [31, 28]] }, {
  VMID: field(4, 0, 'Virtual machine'),
  CBNDX: field(15, 8, 'Context bank'),
  BYPASSD: bit(16, 'Bypass is disabled'),
  BPRCOSH: bit(17, 'Bypass: redirect cacheable, outer shared'),
  BPRCISH: bit(18, 'Bypass: redirect cacheable, inner shared'),
  BPRCNSH: bit(19, 'Bypass: redirect cacheable, not shared'),
  BPSHCFG: field(21, 20, 'Bypass: shareability'),
  NSCFG: field(23, 22, 'Non-secure'),
  BPMTCFG: bit(24, 'Bypass: memory type is overridden'),
  BPMEMTYPE: field(27, 25, 'Bypass: memory type'),
})

export const systemControl = entry('msm.sctlr', { ...of('System control', `${header} SCTLR`), reserved: [[31, 6]] }, {
  M: bit(0, 'Translation; 0: addresses pass'),
  TRE: bit(1, 'TEX remap'),
  AFE: bit(2, 'Access flag'),
  HAF: bit(3, 'Hardware sets the access flag'),
  BE: bit(4, 'Big-endian tables'),
  AFFD: bit(5, 'No access flag faults'),
})

export const auxiliary = entry('msm.actlr', { ...of('Auxiliary control', `${header} ACTLR`), reserved: [[7, 7], [31, 18]], ignored: [[11, 11], [15, 15]] }, {
  CFERE: bit(0, 'Context faults are errors for the requester'),
  CFEIE: bit(1, 'Context faults interrupt'),
  PTSHCFG: field(3, 2, 'Shareability of walks'),
  RCOSH: bit(4, 'Redirect cacheable, outer shared'),
  RCISH: bit(5, 'Redirect cacheable, inner shared'),
  RCNSH: bit(6, 'Redirect cacheable, not shared'),
  PRIVCFG: field(9, 8, 'Privilege'),
  DNA: bit(10, 'Data or not'),
  TLBMCFG: field(13, 12, 'On a TLB miss', { 3: 'walk the tables' }),
  CFCFG: bit(14, 'Context faults stall'),
  V2PCFG: field(17, 16, 'On a translation by register', { 3: 'walk the tables' }),
})

export const tableBase = entry('msm.ttbr0', { ...of('Table base', `${header} TTBR0_PA`), ignored: [[13, 0]] }, {
  PA: address(31, 14, 'Level 0 table'),
})

export const pageInvalidation = entry('msm.tlbiva', { ...of('Invalidate a page', `${header} TLBIVA_*`), reserved: [[11, 8]] }, {
  ASID: field(7, 0, 'Address space'),
  VA: address(31, 12, 'Device address'),
})

export const faultStatus = entry('msm.fsr', { ...of('Fault status', `${header} FSR`), reserved: [[0, 0], [15, 8], [29, 17]] }, {
  TF: bit(1, 'Translation fault'), AFF: bit(2, 'Access flag fault'), APF: bit(3, 'Access permission fault'),
  TLBMF: bit(4, 'TLB miss fault'), HTWDEEF: bit(5, 'External error on a walk, decode'), HTWSEEF: bit(6, 'External error on a walk, slave'),
  MHF: bit(7, 'Several TLB entries match'), SL: bit(16, 'Level of the fault'), SS: bit(30, 'Stalled'), MULTI: bit(31, 'Further faults'),
})

/** Attributes that all pages have, in the places of each entry. */
const attributes = (XN: number, B: number, AF: number, TEX: readonly [number, number], AP2: number) => ({
  XN: bit(XN, 'No execution'), B: bit(B, 'Bufferable'), C: bit(B + 1, 'Cacheable'),
  AF: bit(AF, 'Access flag (AP[0])'), USER: bit(AF + 1, 'Accesses without privilege (AP[1])'), TEX: field(TEX[0], TEX[1], 'Type extension'),
  RO: bit(AP2, 'Read-only (AP[2])'), S: bit(AP2 + 1, 'Shareable'), nG: bit(AP2 + 2, 'Not global'),
})

const entries = {
  table: entry('msm.l1-table', { ...of('Level 0 entry: a table', format), reserved: [[2, 2], [4, 4], [9, 5]] }, {
    TYPE: field(1, 0, 'Kind', { 0: 'nothing', 1: 'table', 2: 'section' }),
    NS: bit(3, 'Non-secure'),
    BASE: address(31, 10, 'Table'),
  }),
  pages: {
    section: entry('msm.section', { ...of('Level 0 entry: 1 MiB', format), ignored: [[9, 5]] }, {
      TYPE: field(1, 0, 'Kind'), ...attributes(4, 2, 10, [14, 12], 15), SUPER: bit(18, '16 MiB in 16 copies'), NS: bit(19, 'Non-secure'),
      BASE: address(31, 20, 'Page'),
    }),
    supersection: entry('msm.supersection', { ...of('Level 0 entry: 16 MiB', format), ignored: [[9, 5], [23, 20]] }, {
      TYPE: field(1, 0, 'Kind'), ...attributes(4, 2, 10, [14, 12], 15), SUPER: bit(18, '16 MiB in 16 copies'), NS: bit(19, 'Non-secure'),
      BASE: address(31, 24, 'Page'),
    }),
    small: entry('msm.small', of('Level 1 entry: 4 KiB', format), {
      // Bit 0 is XN of a small page; without it the kind is 2.
      TYPE: field(1, 0, 'Kind', { 0: 'nothing', 1: 'large page', 2: 'small page', 3: 'small page, no execution' }),
      B: bit(2, 'Bufferable'), C: bit(3, 'Cacheable'), AF: bit(4, 'Access flag (AP[0])'), USER: bit(5, 'Accesses without privilege (AP[1])'),
      TEX: field(8, 6, 'Type extension'), RO: bit(9, 'Read-only (AP[2])'), S: bit(10, 'Shareable'), nG: bit(11, 'Not global'),
      BASE: address(31, 12, 'Page'),
    }),
    large: entry('msm.large', { ...of('Level 1 entry: 64 KiB in 16 copies', format), reserved: [[8, 6]] }, {
      TYPE: field(1, 0, 'Kind'), B: bit(2, 'Bufferable'), C: bit(3, 'Cacheable'), AF: bit(4, 'Access flag (AP[0])'),
      USER: bit(5, 'Accesses without privilege (AP[1])'), RO: bit(9, 'Read-only (AP[2])'), S: bit(10, 'Shareable'), nG: bit(11, 'Not global'),
      TEX: field(14, 12, 'Type extension'), XN: bit(15, 'No execution'), BASE: address(31, 16, 'Page'),
    }),
  },
} as const

const isSet = (layout: Entry, value: bigint, name: string): boolean => Number(decodeField(layout, [value], name)) === 1

/** As Linux makes them: access flag set, not privileged, shareable, not global. */
export const msmShape = shortShape({
  name: 'msm', ...entries,
  attributes: ({ write }) => ({ AF: 1, USER: 1, RO: write ? 0 : 1, S: 1, nG: 1, TEX: 1 }),
  permissions: (layout, value) => {
    const accessible = isSet(layout, value, 'AF') && isSet(layout, value, 'USER')
    return { read: accessible, write: accessible && !isSet(layout, value, 'RO') }
  },
  refuses: notWriteOnly,
})
