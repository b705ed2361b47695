// The seven without default domains: what each wrote in Linux 5.18, on the models of this package.
import { encode, usedMask } from '@iommu/bits'
import { frameAddress } from '@iommu/hardware'
import { createFslPamuMachine } from '../model/fsl-pamu.js'
import { createMsmMachine } from '../model/msm.js'
import { createMtkV1Machine } from '../model/mtk-v1.js'
import { createOmapMachine } from '../model/omap.js'
import { createS390Machine } from '../model/s390.js'
import { createTegraGartMachine } from '../model/tegra-gart.js'
import { createTegraSmmuMachine } from '../model/tegra-smmu.js'
import { apply } from '../programming/apply.js'
import { fslPamuPlanner, storeWordOf } from '../programming/fsl-pamu.js'
import { CONTEXT_ATTRIBUTES, setContext, setRoute, TRANSLATING } from '../programming/msm.js'
import { mtkV1Planner, setPort, setRegister } from '../programming/mtk-v1.js'
import { deregister, register } from '../programming/s390.js'
import { write } from '../programming/steps.js'
import type { Step } from '../programming/steps.js'
import { setEntry } from '../programming/tegra-gart.js'
import { ADDRESS_BITS, LIODNS, paace, PAACE_BYTES, PERMISSIONS, TRANSLATION, VALID_WORD, WHOLE_WINDOW } from '../tables/fsl-pamu.js'
import { GLOBAL, msmShape, routing, tableBase } from '../tables/msm.js'
import { mtkShape } from '../tables/mtk-v1.js'
import { control, INSTANCE_BYTES, OFFSETS as OMAP, omapShape } from '../tables/omap.js'
import { s390Shape } from '../tables/s390.js'
import { APERTURE, config as gartConfig, OFFSETS as GART, pageEntry as gartEntry } from '../tables/tegra-gart.js'
import { entryAddress } from '../tables/shape.js'
import type { Level } from '../tables/shape.js'
import {
  asidRegister, config, groupEnables, MATCH, pageDirectoryBase, ptcFlush, PTC_CONFIG_VALUE, REGISTERS, SWGROUPS, swgroupOf, tegraShape,
  TLB_CONFIG_VALUE, tlbFlush,
} from '../tables/tegra-smmu.js'
import type { Swgroup } from '../tables/tegra-smmu.js'
import { word } from '../tables/words.js'
import { attached, createTables, freeTables, MAPPED, PHYSICAL, placesAround, placesOf, remember } from './stage.js'
import type { Effect, Hazard, Stage, Subject } from './subject.js'

const is = (expected: Effect) => (effect: Effect): boolean => effect === expected
const LIST = 'without default domains'

/** The requester of every stage here: a LIODN, a machine id, an instance, a function. */
const SOURCE = 9

const fslPamu = (): Stage => {
  const machine = createFslPamuMachine()
  const table = frameAddress(machine.memory.pages.allocate(LIODNS * PAACE_BYTES / 4096) as number)
  apply(machine, fslPamuPlanner.takeOver({ fixed: table, empty: 0n }))
  const liodn = SOURCE
  const valid = encode(paace, { V: 1 })[VALID_WORD] as bigint
  const window = (ATM: number): Step[] => [
    storeWordOf(table, liodn, VALID_WORD, 0n, valid),
    ...encode(paace, { AP: PERMISSIONS.read | PERMISSIONS.write, WSE: WHOLE_WINDOW, ATM, CR: 1 }).slice(0, 8)
      .map((value, index) => storeWordOf(table, liodn, index, value)),
    { do: 'order' },
    storeWordOf(table, liodn, VALID_WORD, valid, valid),
  ]
  // Probe makes every LIODN of the device tree valid and 1:1; the attach replaces that by a window that changes nothing.
  apply(machine, window(TRANSLATION.none))
  const detach: Step[] = [storeWordOf(table, liodn, VALID_WORD, 0n, valid)]
  const back: Hazard = {
    title: 'there is no way back: the platform\'s attach that follows writes nothing, and the identity of the probe is gone',
    steps: [...detach, remember('the platform domain is attached')],
    shows: ({ effect }) => effect === 'blocked',
    cure: [...detach, ...window(TRANSLATION.none)],
  }
  return {
    machine, source: liodn, places: placesOf(ADDRESS_BITS), physical: MAPPED,
    attach: attached(machine, window(TRANSLATION.window)), detach, hazards: [back],
    today: { detach: 'platform', default: 'platform: nothing is written, unless it follows a paging domain: then V is cleared' },
  }
}

const msm = (): Stage => {
  const machine = createMsmMachine()
  const table = createTables(machine, msmShape)
  const [mid, bank] = [SOURCE, 0]
  const bypass = usedMask(routing, ['BPRCOSH', 'BPRCISH', 'BPRCNSH', 'BPSHCFG', 'BPMTCFG'])[0] as bigint
  const reset: Step[] = [
    // Meant for the bypass attributes; the index is the bank's number where a machine id's belongs.
    write({ name: `M2VCBR.${bank}`, offset: GLOBAL.M2VCBR + bank * 4, layout: routing }, 0n, bypass),
    setContext(bank, 'ACTLR', 0n), setContext(bank, 'SCTLR', 0n), setContext(bank, 'FSRRESTORE', 0n),
    setContext(bank, 'TTBR0', 0n), setContext(bank, 'TTBR1', 0n), setContext(bank, 'TTBCR', 0n), setContext(bank, 'BFBCR', 0n),
    setContext(bank, 'PAR', 0n), setContext(bank, 'FAR', 0n), setContext(bank, 'CTX_TLBIALL', 0n),
    setContext(bank, 'TLBFLPTER', 0n), setContext(bank, 'TLBSLPTER', 0n), setContext(bank, 'TLBLKCR', 0n),
  ]
  const attach: Step[] = [
    setRoute(mid, bank), setContext(bank, 'CONTEXTIDR', BigInt(bank)), ...reset,
    setContext(bank, 'ACTLR', CONTEXT_ATTRIBUTES), setContext(bank, 'TTBR0', word(tableBase, { PA: table.root })),
    setContext(bank, 'CTX_TLBIALL', 0n), setContext(bank, 'SCTLR', TRANSLATING),
  ]
  const freed = freeTables(table)
  return {
    machine, source: mid, places: placesOf(32), physical: PHYSICAL, table,
    attach: attached(machine, attach), detach: [...freed, ...reset],
    hazards: [{
      title: 'the tables are freed before the bank is turned off: for a moment DMA goes where their next owner says',
      shows: ({ throughFreed }) => throughFreed, cure: [...reset, ...freed],
    }],
    today: { detach: 'identity', identity: [...freed, ...reset] },
  }
}

const mtkV1 = (): Stage => {
  const machine = createMtkV1Machine()
  const table = createTables(machine, mtkShape)
  const port = 9
  apply(machine, mtkV1Planner.takeOver({ fixed: 0n, empty: 0n }))
  const detach: Step[] = [remember('the port\'s bit in the arbiter\'s mask is cleared')]
  // The arbiter's resume writes the switches of ports whose bit is set, and skips the others.
  const later: Step[] = [remember('the arbiter resumes: the port is skipped')]
  return {
    machine, source: port, places: placesOf(32), physical: PHYSICAL, table,
    attach: attached(machine, [setRegister('PT_BASE', table.root), setPort(port, { VIRT: 1, DOMAIN: 3 })]), detach, later,
    hazards: [{
      title: 'the port is never switched back: when the domain is freed the port still walks its table',
      steps: [...detach, ...later, ...freeTables(table)], shows: ({ throughFreed }) => throughFreed,
      cure: [setPort(port, { VIRT: 0, DOMAIN: 3 }), ...freeTables(table)],
    }],
    today: { detach: 'identity', identity: detach },
  }
}

const omap = (): Stage => {
  const machine = createOmapMachine()
  const table = createTables(machine, omapShape)
  const instance = SOURCE
  const set = (name: keyof typeof OMAP, value: bigint, mask?: bigint): Step => write({
    name: `MMU_${name}`, offset: instance * INSTANCE_BYTES + OMAP[name], ...(name === 'CNTL' ? { layout: control } : {}),
  }, value, mask)
  const mask = word(control, { MMU_EN: 1, TWL_EN: 1, EML_TLB: 1 })
  const clear: Step = {
    do: 'store', entry: 'omap.iopgd', form: omapShape.form, value: 0n,
    address: entryAddress(omapShape, omapShape.levels[0] as Level, table.root, MAPPED),
  }
  const flush = [set('LOCK', 0n), set('GFLUSH', 1n)]
  const detach: Step[] = [clear, ...flush, set('CNTL', 0n, mask)]
  return {
    machine, source: instance, places: placesOf(32), physical: PHYSICAL, table,
    attach: attached(machine, [set('TTB', table.root), set('CNTL', word(control, { MMU_EN: 1, TWL_EN: 1 }), mask), ...flush]), detach,
    today: { detach: 'identity', identity: detach },
  }
}

const s390 = (): Stage => {
  const machine = createS390Machine({ relaxed: true, refresh: false })
  const table = createTables(machine, s390Shape)
  const platformTable = createTables(machine, s390Shape)
  // What the DMA API begins with is empty.
  platformTable.unmapPages(MAPPED, 0x1000n, 1, { start: 1n, end: 0n, pageSize: 0n, freed: [], queued: false })
  const functionId = SOURCE
  return {
    machine, source: functionId, places: placesOf(42), physical: PHYSICAL, table,
    attach: attached(machine, [register(functionId, table.root)]),
    detach: [deregister(functionId), register(functionId, platformTable.root)],
    platform() {
      const address = 0x2000_0000n
      platformTable.mapPages(address, PHYSICAL, 0x1000n, 1, { read: true, write: true })
      return { name: 'a page of the DMA API', address }
    },
    today: {
      detach: 'blocked', blocked: [deregister(functionId)], identity: [deregister(functionId), register(functionId, undefined)],
      release: 'blocked', default: 'dma',
    },
  }
}

const gartMapped = APERTURE.start + 0x34_5000n

const tegraGart = (): Stage => {
  const machine = createTegraGartMachine()
  apply(machine, [write({ name: 'CONFIG', offset: GART.CONFIG, layout: gartConfig }, word(gartConfig, { ENABLE: 1 }))])
  const mapped = setEntry(gartMapped, word(gartEntry, { VALID: 1, PA: PHYSICAL }))
  const detach: Step[] = [remember('one device less on the active domain')]
  const next = remember('another domain becomes the active one')
  return {
    machine, source: 0, physical: PHYSICAL,
    places: [
      ...placesAround(gartMapped, APERTURE.start, APERTURE.end),
      { name: 'before the aperture', address: APERTURE.start - 0x1000n }, { name: 'after the aperture', address: APERTURE.end + 1n },
    ],
    attach: attached(machine, [remember('the domain becomes the active one'), ...mapped]), detach,
    hazards: [{
      title: 'the entries stay: the next domain\'s devices reach pages of the last one',
      steps: [...detach, next], shows: ({ oldPageReached }) => oldPageReached, cure: [...setEntry(gartMapped, 0n), ...detach, next],
    }],
    today: { detach: 'deleted', default: 'none: the driver is gone since 6.7' },
  }
}

const tegraSmmu = (): Stage => {
  const machine = createTegraSmmuMachine()
  const table = createTables(machine, tegraShape)
  const client = 0x20
  const group = swgroupOf(client) as Swgroup
  const { CONFIG, PTB_ASID, PTB_DATA, PTC_CONFIG, PTC_FLUSH, TLB_CONFIG, TLB_FLUSH } = REGISTERS
  const asid = 0
  const name = { name: `${group.toUpperCase()}_ASID`, offset: SWGROUPS[group], layout: asidRegister }
  const clients = (on: boolean): Step[] => groupEnables(group).map(({ offset, bits }) =>
    write({ name: `SMMU_CLIENTS_${(offset - 0x228) / 4}`, offset }, on ? bits : 0n, bits))
  const directory = (root: bigint): Step[] => [
    write(PTB_ASID, BigInt(asid)), write(PTB_DATA, word(pageDirectoryBase, { R: 1, W: 1, NS: 1, PFN: root })),
  ]
  const flush: Step[] = [write(PTC_FLUSH, word(ptcFlush, {})), write(TLB_FLUSH, word(tlbFlush, { ASID_MATCH: 1, ASID: asid, MATCH: MATCH.all }))]
  const enable = [write(name, word(asidRegister, { ASID: asid, ENABLE: 1 })), ...clients(true)]
  apply(machine, [write(PTC_CONFIG, PTC_CONFIG_VALUE), write(TLB_CONFIG, TLB_CONFIG_VALUE), write(CONFIG, word(config, { ENABLE: 1 }))])
  const detach: Step[] = [write(name, 0n, word(asidRegister, { ENABLE: 1 })), ...clients(false), remember('the ASID is free')]
  const empty = createTables(machine, tegraShape)
  empty.unmapPages(MAPPED, 0x1000n, 1, { start: 1n, end: 0n, pageSize: 0n, freed: [], queued: false })
  return {
    machine, source: client, places: placesOf(32), physical: PHYSICAL, table,
    attach: attached(machine, [...flush, ...directory(table.root), ...enable]), detach,
    hazards: [{
      title: 'nothing is flushed: a domain that takes the ASID next is right only because its own attach flushes first',
      steps: [...detach, ...directory(empty.root), ...enable], shows: ({ oldPageReached }) => oldPageReached,
      cure: [...detach, ...flush, ...directory(empty.root), ...enable],
    }],
    today: { detach: 'identity', identity: detach, default: 'identity' },
  }
}


/** In the thread's order. */
export const seven: readonly Subject[] = [
  {
    driver: 'fsl_pamu', list: LIST, body: 'PPAACE.V = 0', build: fslPamu,
    guess: { words: 'identity: PPC DMA goes direct', heldBy: is('identity') }, source: 'fsl_pamu.c pamu_disable_liodn',
  },
  {
    driver: 'msm', list: LIST, body: 'tables freed, then the context bank reset: SCTLR.M = 0', build: msm,
    guess: { words: 'something weird, identity', heldBy: is('identity') }, source: 'msm_iommu.c msm_iommu_detach_dev, __reset_context',
  },
  {
    driver: 'mtk_v1', list: LIST, body: 'a bit of software; the arbiter skips ports whose bit is clear', build: mtkV1,
    guess: { words: 'identity, roughly (listed as mtk)', heldBy: is('identity') }, source: 'mtk_iommu_v1.c; mtk-smi.c mtk_smi_larb_config_port_gen1',
    inferred: 'faults are sent to the protect page: called blocked here, since they do not reach what they asked for',
  },
  {
    driver: 'omap', list: LIST, body: 'tables cleared and flushed, then CNTL.MMU_EN = 0', build: omap,
    guess: { words: 'identity, roughly', heldBy: is('identity') }, source: 'omap-iommu.c omap_iommu_detach, omap_iommu_runtime_suspend',
    inferred: 'an MMU that is off passes; where its block is held in reset its client is dead too',
  },
  {
    driver: 's390', list: LIST, body: 'translation deregistered, then a new empty table registered for the DMA API', build: s390,
    guess: { words: 'platform DMA ops', heldBy: is('platform') }, source: 's390-iommu.c s390_iommu_detach_device, zpci_dma_init_device',
  },
  {
    driver: 'tegra-gart', list: LIST, body: 'a counter of software', build: tegraGart,
    guess: { words: 'guessing blocking', heldBy: is('blocked') }, source: 'tegra-gart.c gart_iommu_detach_dev',
  },
  {
    driver: 'tegra-smmu', list: LIST, body: 'the group\'s ASID register disabled, then the clients', build: tegraSmmu,
    guess: undefined, source: 'tegra-smmu.c tegra_smmu_detach_dev, tegra_smmu_disable',
    inferred: 'a client that is not enabled bypasses',
  },
]

