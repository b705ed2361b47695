// Commands, one layout per opcode.
import { address, bit, decodeField, entry, field } from '@iommu/bits'
import type { Entry, Fields, Run, Words } from '@iommu/bits'

/** Values of the Opcode field. */
export const OPCODES = {
  prefetchConfig: 0x01, prefetchAddress: 0x02, cfgiSte: 0x03, cfgiSteRange: 0x04, cfgiCd: 0x05, cfgiCdAll: 0x06,
  tlbiNhAll: 0x10, tlbiNhAsid: 0x11, tlbiNhVa: 0x12, tlbiNhVaa: 0x13,
  tlbiEl2All: 0x20, tlbiEl2Asid: 0x21, tlbiEl2Va: 0x22, tlbiEl2Vaa: 0x23,
  tlbiS12Vmall: 0x28, tlbiS2Ipa: 0x2a, tlbiNsnhAll: 0x30,
  atcInv: 0x40, priResp: 0x41, resume: 0x44, stallTerm: 0x45, sync: 0x46,
} as const

/** Range of CFGI_STE_RANGE that makes it CFGI_ALL. */
export const CFGI_ALL_RANGE = 31
/** Size of an ATC_INV that names every address. */
export const ATC_INV_ALL = 52
/** Values of CS in SYNC: how completion is told, besides by CONS. */
export const SYNC_SIGNALS = { none: 0, interrupt: 1, event: 2 } as const

const linux = { confirmedBy: ['linux'] } as const
const spec = { confirmedBy: ['spec'] } as const

const Opcode = field(7, 0, 'Opcode')
const SID = field(63, 32, 'StreamID', undefined, { alias: ['StreamID'] })
const SSID = field(31, 12, 'SubstreamID', undefined, { alias: ['SubstreamID'] })
const SSV = bit(11, 'SubstreamID valid')
const VMID = field(47, 32, 'VMID')
const ASID = field(63, 48, 'ASID')
const Leaf = bit(64, 'Only the last level changed')
const Address = address(127, 76, 'Address', { alias: ['ADDR'] })
/** What commands by address have besides their tags. NUM, SCALE and TG: IDR3.RIL. */
const range = {
  NUM: field(16, 12, 'Range: NUM+1 times 2^SCALE granules'),
  SCALE: field(24, 20, 'Range: scale'),
  Leaf,
  TTL: field(73, 72, 'Level of the leaf; 0: not told'),
  TG: field(75, 74, 'Granule; 0: one page, no range', { 0: 'no range', 1: '4 KiB', 2: '16 KiB', 3: '64 KiB' }),
  Address,
}
const RANGE_RESERVED: readonly Run[] = [[11, 8], [19, 17], [31, 25], [71, 65]]

const command = /* @__NO_SIDE_EFFECTS__ */ <const F extends Fields>(
  name: string, title: string, section: string, reserved: readonly Run[], fields: F,
): Entry<F> =>
  entry(`smmuv3.cmd.${name}`, { title, bits: 128, section, confirmedBy: ['linux', 'qemu'], reserved }, fields)

/** A command by address. `tags` come before what all of them have. */
const byAddress = /* @__NO_SIDE_EFFECTS__ */ <const F extends Fields>(
  name: string, title: string, section: string, reserved: readonly Run[], tags: F,
): Entry<F & typeof range> => command(name, title, section, [...RANGE_RESERVED, ...reserved], { ...tags, ...range })

export const prefetchConfigCommand = command('prefetch-config', 'CMD_PREFETCH_CONFIG', 'smmu:4.2.1', [[10, 8], [127, 64]],
  { Opcode, SSV, SSID, SID })
export const prefetchAddressCommand = command('prefetch-addr', 'CMD_PREFETCH_ADDR', 'smmu:4.2.2', [[10, 8], [75, 69]],
  { Opcode, SSV, SSID, SID, Size: field(68, 64, 'Size', undefined, linux), Address })

export const cfgiSteCommand = command('cfgi-ste', 'CMD_CFGI_STE', 'smmu:4.3.1', [[31, 8], [127, 65]], { Opcode, SID, Leaf })
export const cfgiSteRangeCommand = command('cfgi-ste-range', 'CMD_CFGI_STE_RANGE', 'smmu:4.3.2', [[31, 8], [127, 69]],
  { Opcode, SID, Range: field(68, 64, '2^(Range+1) StreamIDs; 31: all (CMD_CFGI_ALL)') })
export const cfgiCdCommand = command('cfgi-cd', 'CMD_CFGI_CD', 'smmu:4.3.3', [[11, 8], [127, 65]], { Opcode, SSID, SID, Leaf })
export const cfgiCdAllCommand = command('cfgi-cd-all', 'CMD_CFGI_CD_ALL', 'smmu:4.3.4', [[31, 8], [127, 64]], { Opcode, SID })

export const tlbiNhAllCommand = command('tlbi-nh-all', 'CMD_TLBI_NH_ALL', 'smmu:4.4.1', [[31, 8], [63, 48], [127, 64]], { Opcode, VMID })
export const tlbiNhAsidCommand = command('tlbi-nh-asid', 'CMD_TLBI_NH_ASID', 'smmu:4.4.1', [[31, 8], [127, 64]], { Opcode, VMID, ASID })
export const tlbiNhVaCommand = byAddress('tlbi-nh-va', 'CMD_TLBI_NH_VA', 'smmu:4.4.1', [], { Opcode, VMID, ASID })
export const tlbiNhVaaCommand = byAddress('tlbi-nh-vaa', 'CMD_TLBI_NH_VAA', 'smmu:4.4.1', [[63, 48]], { Opcode, VMID })
export const tlbiEl2AllCommand = command('tlbi-el2-all', 'CMD_TLBI_EL2_ALL', 'smmu:4.4.2', [[63, 8], [127, 64]], { Opcode })
export const tlbiEl2AsidCommand = command('tlbi-el2-asid', 'CMD_TLBI_EL2_ASID', 'smmu:4.4.2', [[47, 8], [127, 64]], { Opcode, ASID })
export const tlbiEl2VaCommand = byAddress('tlbi-el2-va', 'CMD_TLBI_EL2_VA', 'smmu:4.4.2', [[47, 32]], { Opcode, ASID })
export const tlbiEl2VaaCommand = byAddress('tlbi-el2-vaa', 'CMD_TLBI_EL2_VAA', 'smmu:4.4.2', [[63, 32]], { Opcode })
export const tlbiS12VmallCommand = command('tlbi-s12-vmall', 'CMD_TLBI_S12_VMALL', 'smmu:4.4.3', [[31, 8], [63, 48], [127, 64]],
  { Opcode, VMID })
export const tlbiS2IpaCommand = byAddress('tlbi-s2-ipa', 'CMD_TLBI_S2_IPA', 'smmu:4.4.3', [[63, 48]], { Opcode, VMID })
export const tlbiNsnhAllCommand = command('tlbi-nsnh-all', 'CMD_TLBI_NSNH_ALL', 'smmu:4.4.4', [[63, 8], [127, 64]], { Opcode })

export const atcInvCommand = command('atc-inv', 'CMD_ATC_INV', 'smmu:4.5.1', [[8, 8], [10, 10], [75, 70]], {
  Opcode, Global: bit(9, 'Whatever the PASID', { alias: ['G'], confirmedBy: ['linux'] }), SSV, SSID, SID,
  Size: field(69, 64, '2^Size pages; 52: all addresses', undefined, linux), Address,
})
export const priRespCommand = command('pri-resp', 'CMD_PRI_RESP', 'smmu:4.5.2', [[10, 8], [75, 73], [127, 78]], {
  Opcode, SSV, SSID, SID, PRGIndex: field(72, 64, 'Page request group', undefined, linux),
  Resp: field(77, 76, 'Response', { 0: 'response failure', 1: 'invalid request', 2: 'success' }, linux),
})
export const resumeCommand = command('resume', 'CMD_RESUME', 'smmu:4.6.1', [[11, 8], [31, 14], [127, 80]], {
  Opcode, Ac: bit(12, 'Retry'), Ab: bit(13, 'Abort, where not retried'), SID, STAG: field(79, 64, 'Stall tag'),
})
export const stallTermCommand = command('stall-term', 'CMD_STALL_TERM', 'smmu:4.6.2', [[31, 8], [127, 64]],
  { Opcode, SID: field(63, 32, 'StreamID', undefined, spec) })
export const syncCommand = command('sync', 'CMD_SYNC', 'smmu:4.6.3', [[11, 8], [21, 14], [31, 28], [65, 64], [127, 120]], {
  Opcode, CS: field(13, 12, 'Completion signal', { 0: 'none', 1: 'interrupt', 2: 'event' }),
  MSH: field(23, 22, 'MSI shareability', undefined, linux), MSIATTR: field(27, 24, 'MSI memory attributes', undefined, linux),
  MSIDATA: field(63, 32, 'MSI data', undefined, linux), MSIADDR: address(119, 66, 'MSI address', linux),
})

/** The layout of each opcode. Made by a pure call, so that whoever needs single ones does not carry all. */
export const commands = /* @__PURE__ */ (() => ({
  [OPCODES.prefetchConfig]: prefetchConfigCommand,
  [OPCODES.prefetchAddress]: prefetchAddressCommand,
  [OPCODES.cfgiSte]: cfgiSteCommand,
  [OPCODES.cfgiSteRange]: cfgiSteRangeCommand,
  [OPCODES.cfgiCd]: cfgiCdCommand,
  [OPCODES.cfgiCdAll]: cfgiCdAllCommand,
  [OPCODES.tlbiNhAll]: tlbiNhAllCommand,
  [OPCODES.tlbiNhAsid]: tlbiNhAsidCommand,
  [OPCODES.tlbiNhVa]: tlbiNhVaCommand,
  [OPCODES.tlbiNhVaa]: tlbiNhVaaCommand,
  [OPCODES.tlbiEl2All]: tlbiEl2AllCommand,
  [OPCODES.tlbiEl2Asid]: tlbiEl2AsidCommand,
  [OPCODES.tlbiEl2Va]: tlbiEl2VaCommand,
  [OPCODES.tlbiEl2Vaa]: tlbiEl2VaaCommand,
  [OPCODES.tlbiS12Vmall]: tlbiS12VmallCommand,
  [OPCODES.tlbiS2Ipa]: tlbiS2IpaCommand,
  [OPCODES.tlbiNsnhAll]: tlbiNsnhAllCommand,
  [OPCODES.atcInv]: atcInvCommand,
  [OPCODES.priResp]: priRespCommand,
  [OPCODES.resume]: resumeCommand,
  [OPCODES.stallTerm]: stallTermCommand,
  [OPCODES.sync]: syncCommand,
} as const))()

/** The opcode of a command: all share its place. */
export const opcodeOf = (words: Words): number => decodeField(syncCommand, words, 'Opcode')

/** The layout of a command, or undefined for an opcode that there is not. */
export const commandLayout = (words: Words): Entry | undefined => (commands as Readonly<Record<number, Entry>>)[opcodeOf(words)]
