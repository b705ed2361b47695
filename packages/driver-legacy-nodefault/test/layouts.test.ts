// Layouts held by words from outside: values of Linux's own macros.
import { encode, maskOf } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { describe, expect, test } from 'vitest'
import { fixture } from '../../../tools/driver-tests/layouts.js'
import * as pamu from '../src/tables/fsl-pamu.js'
import * as msm from '../src/tables/msm.js'
import * as mtk from '../src/tables/mtk-v1.js'
import * as omap from '../src/tables/omap.js'
import * as s390 from '../src/tables/s390.js'
import type { Shape } from '../src/tables/shape.js'
import * as gart from '../src/tables/tegra-gart.js'
import * as tegra from '../src/tables/tegra-smmu.js'
import { word } from '../src/tables/words.js'
import { setPort } from '../src/programming/mtk-v1.js'

const { words } = fixture<{ readonly words: Readonly<Record<string, Readonly<Record<string, string>>>> }>(import.meta.url, 'linux-words')
const outside = (group: string, name: string): bigint => {
  const found = words[group]?.[name]
  if (found === undefined) throw new Error(`no word ${group}.${name}`)
  return BigInt(found)
}

/** Ones over a field, counted from its own 32-bit word. */
const ones = (layout: Entry, field: string): bigint => {
  const runs = layout.fields[field]?.runs ?? []
  return layout.wordBits === 32 ? maskOf(runs.map(([high, low]) => [high % 32, low % 32] as const)) : maskOf(runs)
}

describe('fields lie where Linux has them', () => {
  test.each([
    ['msm', msm.routing, { CBNDX: 'CBNDX', VMID: 'VMID', BYPASSD: 'BYPASSD', BPRCOSH: 'BPRCOSH', BPRCISH: 'BPRCISH', BPRCNSH: 'BPRCNSH', BPSHCFG: 'BPSHCFG', NSCFG: 'NSCFG', BPMTCFG: 'BPMTCFG', BPMEMTYPE: 'BPMEMTYPE' }],
    ['msm', msm.auxiliary, { CFERE: 'CFERE', CFEIE: 'CFEIE', PTSHCFG: 'PTSHCFG', RCOSH: 'RCOSH', RCISH: 'RCISH', RCNSH: 'RCNSH', PRIVCFG: 'PRIVCFG', DNA: 'DNA', TLBMCFG: 'TLBMCFG', CFCFG: 'CFCFG', V2PCFG: 'V2PCFG' }],
    ['msm', msm.systemControl, { M: 'M', TRE: 'TRE', AFE: 'AFE', HAF: 'HAF', BE: 'BE', AFFD: 'AFFD' }],
    ['msm', msm.pageInvalidation, { ASID: 'TLBIVA_ASID', VA: 'TLBIVA_VA' }],
    ['msm', msm.faultStatus, { TF: 'TF', AFF: 'AFF', APF: 'APF', TLBMF: 'TLBMF', HTWDEEF: 'HTWDEEF', HTWSEEF: 'HTWSEEF', MHF: 'MHF', SL: 'SL', SS: 'SS', MULTI: 'MULTI' }],
    ['pamu', pamu.paace, { WBAL: 'PPAACE_AF_WBAL', WSE: 'PPAACE_AF_WSE', MW: 'PPAACE_AF_MW', AP: 'PAACE_AF_AP', DD: 'PAACE_AF_DD', PT: 'PAACE_AF_PT', V: 'PAACE_AF_V', CR: 'PAACE_DA_HOST_CR', CID: 'PAACE_IA_CID', WCE: 'PAACE_IA_WCE', ATM: 'PAACE_IA_ATM', OTM: 'PAACE_IA_OTM', TWBAL: 'PAACE_WIN_TWBAL', SWSE: 'PAACE_WIN_SWSE' }],
    ['pamu', pamu.control, { PGC: 'PAMU_PC_PGC', PE: 'PAMU_PC_PE', SPCC: 'PAMU_PC_SPCC', PPCC: 'PAMU_PC_PPCC', OCE: 'PAMU_PC_OCE' }],
    ['pamu', pamu.violation, { AV: 'PAMU_AVS1_AV', OTV: 'PAMU_AVS1_OTV', APV: 'PAMU_AVS1_APV', WAV: 'PAMU_AVS1_WAV', LAV: 'PAMU_AVS1_LAV', GCV: 'PAMU_AVS1_GCV', PDV: 'PAMU_AVS1_PDV' }],
    ['omap', omap.control, { MMU_EN: 'MMU_CNTL_MMU_EN', TWL_EN: 'MMU_CNTL_TWL_EN', EML_TLB: 'MMU_CNTL_EML_TLB' }],
    ['omap', omap.interrupts, { MULTIHITFAULT: 'MMU_IRQ_MULTIHITFAULT', TABLEWALKFAULT: 'MMU_IRQ_TABLEWALKFAULT', EMUMISS: 'MMU_IRQ_EMUMISS', TRANSLATIONFAULT: 'MMU_IRQ_TRANSLATIONFAULT', TLBMISS: 'MMU_IRQ_TLBMISS' }],
    ['omap', omap.cam, { P: 'MMU_CAM_P', V: 'MMU_CAM_V', VATAG: 'MMU_CAM_VATAG_MASK' }],
    ['tegra', tegra.asidRegister, { ENABLE: 'SMMU_ASID_ENABLE', ASID: 'SMMU_ASID_MASK' }],
    ['tegra', tegra.pageDirectoryBase, { R: 'SMMU_PD_READABLE', W: 'SMMU_PD_WRITABLE', NS: 'SMMU_PD_NONSECURE' }],
    ['tegra', tegra.directoryEntry, { R: 'SMMU_PDE_READABLE', W: 'SMMU_PDE_WRITABLE', NS: 'SMMU_PDE_NONSECURE', NEXT: 'SMMU_PDE_NEXT' }],
    ['tegra', tegra.pageEntry, { R: 'SMMU_PTE_READABLE', W: 'SMMU_PTE_WRITABLE', NS: 'SMMU_PTE_NONSECURE' }],
    ['tegra', tegra.tlbFlush, { ASID_MATCH: 'SMMU_TLB_FLUSH_ASID_MATCH' }],
    ['tegra', tegra.ptcFlush, { BY_ADDRESS: 'SMMU_PTC_FLUSH_TYPE_ADR' }],
    ['gart', gart.pageEntry, { VALID: 'GART_ENTRY_PHYS_ADDR_VALID' }],
    ['mtk', mtk.pageEntry, { VALID: 'F_DESC_VALID', NONSEC: 'F_DESC_NONSEC' }],
    ['mtk', mtk.interrupts, { TRANSLATION: 'F_INT_TRANSLATION_FAULT', CLEAR: 'F_INT_CLR_BIT' }],
    ['mtk', mtk.control, { COHERENT: 'F_MMU_CTRL_COHERENT_EN' }],
    ['s390', s390.anchor, { ENABLED: 'ZPCI_IOTA_IOT_ENABLED' }],
  ] as const)('%s %o', (group, layout, names) => {
    for (const [field, name] of Object.entries(names)) expect([field, ones(layout as Entry, field)]).toEqual([field, outside(group, name as string)])
  })
})

test('registers lie where Linux has them', () => {
  const names: readonly (readonly [string, string, number])[] = [
    ...([['IRQSTATUS'], ['IRQENABLE'], ['CNTL'], ['FAULT_AD'], ['TTB'], ['LOCK'], ['LD_TLB'], ['CAM'], ['RAM'], ['GFLUSH'], ['FLUSH_ENTRY'], ['GP_REG']] as const)
      .map(([name]) => ['omap', `MMU_${name}`, omap.OFFSETS[name]] as const),
    ...(['CONFIG', 'TLB_CONFIG', 'PTC_CONFIG', 'PTB_ASID', 'PTB_DATA', 'TLB_FLUSH', 'PTC_FLUSH'] as const)
      .map((name) => ['tegra', `SMMU_${name}`, tegra.REGISTERS[name].offset] as const),
    // Linux counts the GART's registers from the first of them.
    ...(['CONFIG', 'ENTRY_ADDR', 'ENTRY_DATA'] as const).map((name) => ['gart', `GART_${name}`, gart.OFFSETS[name] - Number(outside('gart', 'GART_REG_BASE'))] as const),
    ...(['PC', 'PICS', 'AVS1', 'AVAH', 'AVAL'] as const).map((name) => ['pamu', `PAMU_${name}`, pamu.OFFSETS[name]] as const),
    ['mtk', 'REG_MMU_PT_BASE_ADDR', mtk.OFFSETS.PT_BASE], ['mtk', 'REG_MMU_CTRL_REG', mtk.OFFSETS.CTRL], ['mtk', 'REG_MMU_IVRP_PADDR', mtk.OFFSETS.IVRP_PADDR],
    ['mtk', 'REG_MMU_INT_CONTROL', mtk.OFFSETS.INT_CONTROL], ['mtk', 'REG_MMU_FAULT_ST', mtk.OFFSETS.FAULT_ST], ['mtk', 'REG_MMU_FAULT_VA', mtk.OFFSETS.FAULT_VA],
    ['mtk', 'REG_MMU_INVALIDATE', mtk.OFFSETS.INVALIDATE], ['mtk', 'REG_MMU_INVLD_START_A', mtk.OFFSETS.INVLD_START], ['mtk', 'REG_MMU_INVLD_END_A', mtk.OFFSETS.INVLD_END],
    ['mtk', 'REG_MMU_INV_SEL', mtk.OFFSETS.INV_SEL], ['mtk', 'REG_MMU_CPE_DONE', mtk.OFFSETS.CPE_DONE], ['mtk', 'REG_MMU_DCM', mtk.OFFSETS.DCM],
  ]
  for (const [group, name, offset] of names) expect([name, BigInt(offset)]).toEqual([name, outside(group, name)])
})

const page = (shape: Shape, level: number, shift: number, physical: bigint, access = { read: true, write: true }): bigint =>
  shape.levels[level]?.pages.find((each) => each.shift === shift)?.encode(physical, access) ?? -1n

describe('whole words are Linux\'s', () => {
  test('msm: pages as io-pgtable-arm-v7s makes them', () => {
    expect(page(msm.msmShape, 1, 12, 0n)).toBe(outside('v7s', 'small page, read and write'))
    expect(page(msm.msmShape, 1, 12, 0n, { read: true, write: false })).toBe(outside('v7s', 'small page, read only'))
    expect(page(msm.msmShape, 0, 20, 0n)).toBe(outside('v7s', 'section, read and write'))
    expect(page(msm.msmShape, 0, 24, 0n)).toBe(outside('v7s', 'section, read and write') | outside('v7s', 'ARM_V7S_CONT_SECTION'))
    expect(msm.msmShape.levels[0]?.table?.(0n)).toBe(outside('v7s', 'ARM_V7S_PTE_TYPE_TABLE'))
  })
  test('omap: kinds of entries and their addresses', () => {
    expect(page(omap.omapShape, 0, 20, outside('omappt', 'IOSECTION_MASK'))).toBe(outside('omappt', 'IOSECTION_MASK') | outside('omappt', 'IOPGD_SECTION'))
    expect(page(omap.omapShape, 0, 24, outside('omappt', 'IOSUPER_MASK'))).toBe(outside('omappt', 'IOSUPER_MASK') | outside('omappt', 'IOPGD_SUPER'))
    expect(page(omap.omapShape, 1, 12, outside('omappt', 'IOPTE_MASK'))).toBe(outside('omappt', 'IOPTE_MASK') | outside('omappt', 'IOPTE_SMALL'))
    expect(page(omap.omapShape, 1, 16, outside('omappt', 'IOLARGE_MASK'))).toBe(outside('omappt', 'IOLARGE_MASK') | outside('omappt', 'IOPTE_LARGE'))
    expect(omap.omapShape.levels[0]?.table?.(0n)).toBe(outside('omappt', 'IOPGD_TABLE'))
  })
  test('tegra-smmu: a directory entry, and flushes by address', () => {
    expect(tegra.tegraShape.levels[0]?.table?.(0x1234_5000n)).toBe(outside('tegra', 'SMMU_MK_PDE(0x12345000UL,SMMU_PDE_ATTR|SMMU_PDE_NEXT)'))
    expect(word(tegra.tlbFlush, { MATCH: tegra.MATCH.group, VA: 0xdead_8000n })).toBe(outside('tegra', 'SMMU_TLB_FLUSH_VA_GROUP(0xdeadb000)'))
    expect(word(tegra.tlbFlush, { MATCH: tegra.MATCH.section, VA: 0xde80_0000n })).toBe(outside('tegra', 'SMMU_TLB_FLUSH_VA_SECTION(0xdeadb000)'))
  })
  test('s390: the anchor, and what entries are empty', () => {
    expect(encode(s390.anchor, { ENABLED: 1, TYPE: s390.REGION_THIRD })[0]).toBe(outside('s390', 'ZPCI_IOTA_RTTO_FLAG'))
    expect(s390.s390Shape.levels.map(({ empty }) => empty)).toEqual(['ZPCI_TABLE_INVALID', 'ZPCI_TABLE_INVALID', 'ZPCI_PTE_INVALID'].map((name) => outside('s390', name)))
    expect(page(s390.s390Shape, 2, 12, 0n, { read: true, write: false })).toBe(outside('s390', 'ZPCI_TABLE_PROTECTED'))
    expect(s390.s390Shape.levels[0]?.table?.(0n)).toBe(outside('s390', 'ZPCI_TABLE_TYPE_RTX') | outside('s390', 'ZPCI_TABLE_LEN_RTX'))
    expect(Object.values(s390.FUNCTION_CONTROLS).map(BigInt)).toEqual(['REG', 'DEREG', 'REREG'].map((name) => outside('s390i', `ZPCI_MOD_FC_${name}_IOAT`)))
  })
  test('mtk-v1: a port\'s switch', () => {
    const { offset, value } = setPort(9, { VIRT: 1, DOMAIN: 3 })
    expect(BigInt(offset - 0x1000)).toBe(outside('smi', 'REG_SMI_SECUR_CON_ADDR(9)'))
    expect(value).toBe(outside('smi', 'SMI_SECUR_CON_VAL_VIRT(9)') | outside('smi', 'SMI_SECUR_CON_VAL_DOMAIN(9)'))
  })
})
