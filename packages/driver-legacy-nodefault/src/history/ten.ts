// The ten with default domains: what each wrote in Linux 5.18, on the smallest hardware that can tell.
import { address, bit, entry, field } from '@iommu/bits'
import { word } from '../tables/words.js'
import { write } from '../programming/steps.js'
import type { Register, Step } from '../programming/steps.js'
import { omapShape } from '../tables/omap.js'
import type { Shape } from '../tables/shape.js'
import { blockedRoute, identityRoute, isSet, smallMachine, standInShape, tablesRoute } from './small-hardware.js'
import type { SmallHardware } from './small-hardware.js'
import { attached, createTables, freeTables, PHYSICAL, placesOf, remember } from './stage.js'
import type { Effect, Stage, Subject, Today } from './subject.js'
import { amd, intel } from './x86.js'

const is = (expected: Effect) => (effect: Effect): boolean => effect === expected
const LIST = 'with default domains'

const layout = (name: string, title: string, section: string) => ({ name, title, bits: 32, wordBits: 32, section, confirmedBy: ['linux'] } as const)
const at = (name: string, offset: number): Register => ({ name, offset })

/** The common frame: hardware, tables, the attach and the body that follow from them. */
const stageOf = (hardware: SmallHardware, shape: Shape, say: (parts: { readonly root: bigint; readonly frees: readonly Step[] }) =>
  { readonly attach: readonly Step[]; readonly detach: readonly Step[]; readonly today: Today } & Partial<Stage>): Stage => {
  const machine = smallMachine(hardware)
  const table = createTables(machine, shape)
  const { attach, ...rest } = say({ root: table.root, frees: freeTables(table) })
  return { machine, source: 0, places: placesOf(32), physical: PHYSICAL, table, ...rest, attach: attached(machine, attach) }
}

const tcr = entry('dart.tcr', { ...layout('', 'Translation control of a stream', 'apple-dart.c DART_TCR'), reserved: [[6, 0], [11, 9], [31, 13]] }, {
  TRANSLATE_ENABLE: bit(7, 'Translation'), BYPASS0_ENABLE: bit(8, 'Bypass, first half'), BYPASS1_ENABLE: bit(12, 'Bypass, second half'),
})
const TCR = { name: 'TCR(0)', offset: 0x100, layout: tcr }
const TTBR = at('TTBR(0,0)', 0x200)

const appleDart = (): Stage => stageOf({
  decide: (get) => {
    const value = get(TCR.offset)
    if (isSet(value, 7)) return isSet(get(TTBR.offset), 31) ? tablesRoute(standInShape, BigInt(get(TTBR.offset) & 0x7fff_ffff) << 12n) : blockedRoute
    // Linux always sets both; what one alone does is not known, and taken as a block.
    return isSet(value, 8) && isSet(value, 12) ? identityRoute('stream bypasses') : blockedRoute
  },
}, standInShape, ({ root }) => {
  const detach = [write(TCR, 0n)]
  return {
    attach: [write(TTBR, (1n << 31n) | (root >> 12n)), write(TCR, word(tcr, { TRANSLATE_ENABLE: 1 }))], detach,
    today: { detach: 'blocked', blocked: detach, identity: [write(TCR, word(tcr, { BYPASS0_ENABLE: 1, BYPASS1_ENABLE: 1 }))] },
  }
})

const mmuControl = entry('exynos.mmu-ctrl', { ...layout('', 'MMU control', 'exynos-iommu.c REG_MMU_CTRL'), reserved: [[31, 3]] }, {
  ENABLE: bit(0, 'Translation'), BLOCK: bit(1, 'Accesses are held'), INTERRUPT: bit(2, 'Interrupts'),
})
const MMU_CTRL = { name: 'MMU_CTRL', offset: 0x000, layout: mmuControl }
const MMU_CFG = at('MMU_CFG', 0x004)
const PT_BASE = at('PT_BASE', 0x00c)

const exynos = (): Stage => stageOf({
  decide: (get) => {
    const value = get(MMU_CTRL.offset)
    if (!isSet(value, 0)) return identityRoute('MMU off')
    return isSet(value, 1) ? blockedRoute : tablesRoute(standInShape, BigInt(get(PT_BASE.offset)) << 12n)
  },
}, standInShape, ({ root }) => {
  const detach = [write(MMU_CTRL, 0n), write(MMU_CFG, 0n)]
  return {
    attach: [write(PT_BASE, root >> 12n), write(MMU_CTRL, word(mmuControl, { ENABLE: 1, INTERRUPT: 1 }))], detach,
    today: { detach: 'identity', identity: detach, release: 'identity' },
  }
})

const microTlb = entry('ipmmu.imuctr', { ...layout('', 'Control of a micro-TLB', 'ipmmu-vmsa.c IMUCTR'), reserved: [[3, 2], [31, 8]] }, {
  MMUEN: bit(0, 'Translation'), FLUSH: bit(1, 'Flush'), TTSEL: field(7, 4, 'Context'),
})
const IMUCTR = { name: 'IMUCTR(0)', offset: 0x300, layout: microTlb }
/** The context that the domain has: the lowest free one, as Linux takes it. */
const CONTEXT = 0
const imctr = (context: number): Register => at(`IMCTR(${context})`, context * 0x40)
const imttbr = (context: number): Register => at(`IMTTLBR0(${context})`, context * 0x40 + 0x10)

const ipmmu = (): Stage => stageOf({
  decide: (get) => {
    const value = get(IMUCTR.offset)
    if (!isSet(value, 0)) return identityRoute('micro-TLB passes')
    const context = (value >> 4) & 15
    return isSet(get(imctr(context).offset), 0) ? tablesRoute(standInShape, BigInt(get(imttbr(context).offset)), context) : identityRoute('context off')
  },
}, standInShape, ({ root }) => {
  const detach = [write(IMUCTR, 0n)]
  return {
    attach: [write(imttbr(CONTEXT), root), write(imctr(CONTEXT), 1n), write(IMUCTR, word(microTlb, { MMUEN: 1, TTSEL: CONTEXT }))], detach,
    today: { detach: 'identity', identity: detach },
  }
})

/** The arbiter's register of a port; it is lost when the arbiter loses its power. */
const NONSEC_CON = at('NONSEC_CON(0)', 0x380)

const mtk = (): Stage => stageOf({
  decide: (get) => (isSet(get(NONSEC_CON.offset), 0) ? tablesRoute(standInShape, BigInt(get(0))) : identityRoute('port passes')),
}, standInShape, ({ root }) => {
  const detach: Step[] = [remember('the port\'s bit in the arbiter\'s mask is cleared')]
  // Off and on again: registers come back as they were made, and only ports whose bit is set are written.
  const later: Step[] = [write(NONSEC_CON, 0n)]
  return {
    attach: [write(at('PT_BASE', 0), root), write(NONSEC_CON, 1n, 1n)], detach, later,
    hazards: [{
      title: 'until its arbiter has lost its power the port goes on translating', steps: detach,
      shows: ({ oldPageReached }) => oldPageReached, cure: [...detach, ...later],
    }],
    today: { detach: 'identity', identity: [...detach, ...later] },
  }
})

const RK = { DTE_ADDR: at('DTE_ADDR', 0x00), STATUS: 0x04, COMMAND: at('COMMAND', 0x08), INT_MASK: at('INT_MASK', 0x1c) } as const
const COMMANDS = { enablePaging: 0n, disablePaging: 1n, enableStall: 2n, disableStall: 3n } as const

const rockchip = (): Stage => stageOf({
  onWrite: (_inside, file) => (offset, value) => {
    if (offset !== RK.COMMAND.offset) return undefined
    const set = (mask: number, on: boolean): void => file().set(RK.STATUS, on ? file().get(RK.STATUS) | mask : file().get(RK.STATUS) & ~mask)
    switch (BigInt(value)) {
      case COMMANDS.enablePaging: return set(1, true)
      case COMMANDS.disablePaging: return set(1, false)
      case COMMANDS.enableStall: return set(4, true)
      case COMMANDS.disableStall: return set(4, false)
      default: return undefined
    }
  },
  decide: (get) => {
    const status = get(RK.STATUS)
    if (isSet(status, 2)) return blockedRoute
    return isSet(status, 0) ? tablesRoute(standInShape, BigInt(get(RK.DTE_ADDR.offset))) : identityRoute('paging off')
  },
}, standInShape, ({ root }) => {
  const detach = [
    write(RK.COMMAND, COMMANDS.enableStall), write(RK.COMMAND, COMMANDS.disablePaging), write(RK.INT_MASK, 0n), write(RK.DTE_ADDR, 0n),
    write(RK.COMMAND, COMMANDS.disableStall),
  ]
  return {
    attach: [write(RK.DTE_ADDR, root), write(RK.INT_MASK, 3n), write(RK.COMMAND, COMMANDS.enablePaging)], detach,
    today: { detach: 'identity', identity: detach },
  }
})

/** SPRD's table is flat: page frames, and nothing else. */
const frameEntry = entry('sprd.entry', { ...layout('', 'Page frame', 'sprd-iommu.c'), reserved: [[31, 20]] }, { PPN: address(19, 0, 'Page; 0: the default page', { scale: 12 }) })
const RANGE_BITS = 29
const sprdShape: Shape = {
  name: 'sprd', form: { bytes: 4, order: 'little' }, physicalBits: 32, refuses: () => undefined,
  levels: [{
    name: frameEntry.name, high: RANGE_BITS - 1, low: 12, empty: 0n,
    read: (value) => (value === 0n ? { is: 'empty' } : { is: 'page', shift: 12, physical: value << 12n, read: true, write: true }),
    pages: [{ shift: 12, encode: (physical) => word(frameEntry, { PPN: physical }) }],
  }],
}
const configuration = entry('sprd.cfg', { ...layout('', 'Configuration', 'sprd-iommu.c SPRD_EX_CFG'), reserved: [[3, 2], [31, 5]] }, {
  EN: bit(0, 'Translation'), GATE_EN: bit(1, 'Clock gating'), VAOR_BYPASS: bit(4, 'Addresses out of range pass'),
})
const EX_CFG = { name: 'EX_CFG', offset: 0x0, layout: configuration }
const FIRST_PPN = at('EX_FIRST_PPN', 0x10)

const sprd = (): Stage => stageOf({
  busBits: RANGE_BITS,
  decide: (get) => (isSet(get(EX_CFG.offset), 0) ? tablesRoute(sprdShape, BigInt(get(FIRST_PPN.offset)) << 12n) : identityRoute('MMU off')),
}, sprdShape, ({ root, frees }) => {
  const mask = word(configuration, { EN: 1, GATE_EN: 1 })
  const disable = write(EX_CFG, 0n, mask)
  return {
    places: placesOf(RANGE_BITS),
    attach: [write(FIRST_PPN, root >> 12n), write(EX_CFG, mask, mask)], detach: [...frees, disable],
    hazards: [{
      title: 'the table is freed before the MMU is turned off: for a moment DMA goes where its next owner says',
      shows: ({ throughFreed }) => throughFreed, cure: [disable, ...frees],
    }],
    today: { detach: 'deleted', default: 'dma; an attach turns the MMU off, points it to the new table, and on' },
  }
})

const SUN = { RESET: at('RESET', 0x10), ENABLE: at('ENABLE', 0x20), TTB: at('TTB', 0x50) } as const

/** `released`: the body that would run if the domain's count ever became 0. */
const sun50i = (released: boolean) => (): Stage => stageOf({
  resets: { [SUN.RESET.offset]: 0xffff_ffff },
  decide: (get) => {
    if (get(SUN.RESET.offset) === 0 || !isSet(get(SUN.ENABLE.offset), 0)) return identityRoute('MMU off')
    // Level and entry kinds are those of omap's tables: 4096 tables of 256 pages.
    return tablesRoute(omapShape, BigInt(get(SUN.TTB.offset)))
  },
}, omapShape, ({ root, frees }) => {
  const counted: Step[] = [remember('the domain\'s count goes from 2 to 1: it began with 1')]
  const disable: Step[] = [write(SUN.ENABLE, 0n), write(SUN.TTB, 0n), write(SUN.RESET, 0n)]
  const detach = released ? disable : counted
  return {
    attach: [write(SUN.TTB, root), write(SUN.ENABLE, 1n)], detach,
    ...(released ? {} : {
      hazards: [{
        title: 'the count never becomes 0: the hardware stays on the table, also when the domain is freed',
        steps: [...counted, ...frees], shows: ({ throughFreed }) => throughFreed, cure: [...disable, ...frees],
      }],
    }),
    today: { detach: 'identity', identity: detach },
  }
})

const SCTLR = at('SCTLR', 0x0)
const TTBR0 = at('TTBR0', 0x20)

const qcom = (): Stage => stageOf({
  decide: (get) => (isSet(get(SCTLR.offset), 0) ? tablesRoute(standInShape, BigInt(get(TTBR0.offset))) : identityRoute('context bank off')),
}, standInShape, ({ root }) => {
  const detach = [write(SCTLR, 0n)]
  return { attach: [write(TTBR0, root), write(SCTLR, 1n)], detach, today: { detach: 'identity', identity: detach } }
})

export const ten: readonly Subject[] = [
  {
    driver: 'apple-dart', list: LIST, body: 'TCR = 0 for each stream', build: appleDart,
    guess: { words: 'blocking', heldBy: is('blocked') }, source: 'apple-dart.c apple_dart_hw_disable_dma',
  },
  {
    driver: 'exynos', list: LIST, body: 'MMU_CTRL = 0, MMU_CFG = 0', build: exynos,
    guess: { words: 'identity', heldBy: is('identity') }, source: 'exynos-iommu.c __sysmmu_disable',
  },
  {
    driver: 'ipmmu-vmsa', list: LIST, body: 'IMUCTR = 0 for each micro-TLB', build: ipmmu,
    guess: { words: 'identity', heldBy: is('identity') }, source: 'ipmmu-vmsa.c ipmmu_utlb_disable',
  },
  {
    driver: 'mtk', list: LIST, body: 'a bit of software; the arbiter\'s registers follow when it has lost its power', build: mtk,
    guess: { words: 'probably identity (listed as mtk_v1)', heldBy: is('identity') }, source: 'mtk_iommu.c mtk_iommu_config; mtk-smi.c mtk_smi_larb_config_port_gen2_general',
    inferred: 'the register of a port is 0 after a loss of power',
  },
  {
    driver: 'rockchip', list: LIST, body: 'stalled, paging off, directory address 0, stall off', build: rockchip,
    guess: { words: 'no idea' }, source: 'rockchip-iommu.c rk_iommu_disable',
  },
  {
    driver: 'sprd', list: LIST, body: 'table freed, then EN and GATE_EN cleared', build: sprd,
    guess: { words: 'no idea' }, source: 'sprd-iommu.c sprd_iommu_detach_device, sprd_iommu_hw_en', inferred: 'an MMU that is off passes',
  },
  {
    driver: 'sun50i', list: LIST, body: 'a count that never becomes 0', build: sun50i(false),
    guess: { words: 'treats identity as unmanaged, which seems wrong', heldBy: (effect) => effect !== 'identity' },
    source: 'sun50i-iommu.c sun50i_iommu_detach_device', inferred: 'an MMU that is off or in reset passes',
  },
  {
    driver: 'amd', list: LIST, body: 'DTE = V and TV with mode 0, IR and IW 0; flushed', build: amd,
    guess: { words: 'not sure, maybe a bug' }, source: 'amd/iommu.c clear_dte_entry',
  },
  {
    driver: 'qcom_iommu', list: LIST, body: 'SCTLR = 0 for each context bank', build: qcom,
    guess: { words: 'not sure' }, source: 'qcom_iommu.c qcom_iommu_detach_dev',
  },
  {
    driver: 'intel', list: LIST, body: 'present bit cleared, caches flushed, entry zeroed', build: intel,
    guess: { words: 'blocking', heldBy: is('blocked') }, source: 'intel/iommu.c dmar_remove_one_dev_info, intel_pasid_tear_down_entry',
  },
]

/** What sun50i's body does once its count is 0, which its callers never bring about. */
export const sun50iReleased: Subject = {
  driver: 'sun50i, count 0', list: LIST, body: 'ENABLE = 0, TTB = 0, reset asserted', build: sun50i(true), guess: undefined,
  source: 'sun50i-iommu.c sun50i_iommu_detach_domain', inferred: 'an MMU that is off or in reset passes',
}

