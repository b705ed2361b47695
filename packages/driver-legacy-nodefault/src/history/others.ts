// Three that had no detach_dev: what their release or an internal detach wrote in 5.18.
import { bit, decode, encode, entry, field } from '@iommu/bits'
import { write } from '../programming/steps.js'
import type { Step } from '../programming/steps.js'
import { blockedRoute, identityRoute, smallMachine, standInShape, tablesRoute } from './small-hardware.js'
import { attached, createTables, PHYSICAL, placesOf, remember } from './stage.js'
import type { Stage, Subject } from './subject.js'

const LIST = 'not in the thread'

const streamToContext = entry('smmu.s2cr', {
  title: 'Stream to context', bits: 32, wordBits: 32, section: 'arm-smmu.h ARM_SMMU_S2CR', confirmedBy: ['linux'],
  reserved: [[15, 8], [31, 26]], ignored: [[23, 18]],
}, {
  CBNDX: field(7, 0, 'Context bank'), TYPE: field(17, 16, 'What happens', { 0: 'translation', 1: 'bypass', 2: 'fault' }),
  PRIVCFG: field(25, 24, 'Privilege'),
})
const S2CR = { name: 'S2CR(0)', offset: 0xc00, layout: streamToContext }
const TTBR0 = { name: 'CB_TTBR0', offset: 0x20 }

const armSmmu = (disableBypass: boolean) => (): Stage => {
  const machine = smallMachine({
    decide(get) {
      const { TYPE } = decode(streamToContext, [BigInt(get(S2CR.offset))])
      return TYPE === 0 ? tablesRoute(standInShape, BigInt(get(TTBR0.offset))) : TYPE === 1 ? identityRoute('stream bypasses') : blockedRoute
    },
  })
  const table = createTables(machine, standInShape)
  const set = (TYPE: number): Step[] => [write(S2CR, encode(streamToContext, { TYPE })[0] as bigint)]
  return {
    machine, source: 0, places: placesOf(32), physical: PHYSICAL, table,
    attach: attached(machine, [write(TTBR0, table.root), ...set(0)]), detach: set(disableBypass ? 2 : 1),
    today: { detach: 'blocked', blocked: set(2), identity: set(1) },
  }
}

/** The first word of a stream table entry. */
const streamEntry = entry('smmuv3.ste-word', {
  title: 'Stream table entry, bits 31:0', bits: 32, wordBits: 32, section: 'smmuv3: 5.2', confirmedBy: ['linux', 'qemu'], ignored: [[31, 4]],
}, {
  V: bit(0, 'Valid'), CONFIG: field(3, 1, 'What happens', { 0: 'abort', 4: 'bypass', 5: 'stage 1', 6: 'stage 2', 7: 'both stages' }),
})
const STE = { name: 'STE.word0', offset: 0x0, layout: streamEntry }

const armSmmuV3 = (disableBypass: boolean) => (): Stage => {
  const machine = smallMachine({
    decide(get) {
      const { V, CONFIG } = decode(streamEntry, [BigInt(get(STE.offset))])
      // An entry that is not valid faults (C_BAD_STE), and so does a configuration without its bit 2.
      if (V === 0 || CONFIG < 4) return blockedRoute
      return CONFIG === 4 ? identityRoute('stream bypasses') : tablesRoute(standInShape, BigInt(get(TTBR0.offset)))
    },
  })
  const table = createTables(machine, standInShape)
  const set = (CONFIG: number): Step[] => [write(STE, encode(streamEntry, { V: 1, CONFIG })[0] as bigint)]
  return {
    machine, source: 0, places: placesOf(32), physical: PHYSICAL, table,
    attach: attached(machine, [write(TTBR0, table.root), ...set(5)]), detach: set(disableBypass ? 0 : 4),
    today: { detach: 'blocked', blocked: set(0), identity: set(4), release: 'blocked' },
  }
}

/** An endpoint as its device keeps it: attached to a domain, to a bypass domain, or to none. */
const ATTACHMENT = { none: 0n, domain: 1n, bypass: 2n } as const
const ENDPOINT = { name: 'endpoint', offset: 0x0 }

const virtio = (): Stage => {
  const machine = smallMachine({
    decide(get) {
      switch (BigInt(get(ENDPOINT.offset))) {
        case ATTACHMENT.domain: return tablesRoute(standInShape, BigInt(get(TTBR0.offset)))
        case ATTACHMENT.bypass: return identityRoute('bypass domain')
        // The device's own bypass policy would decide; here it is off.
        default: return blockedRoute
      }
    },
  })
  const table = createTables(machine, standInShape)
  return {
    machine, source: 0, places: placesOf(32), physical: PHYSICAL, table,
    attach: attached(machine, [write(TTBR0, table.root), write(ENDPOINT, ATTACHMENT.domain)]),
    detach: [remember('nothing is sent: DETACH requests came with 6.3')],
    today: { detach: 'deleted', identity: [write(ENDPOINT, ATTACHMENT.bypass)], default: 'dma' },
  }
}

export const others: readonly Subject[] = [
  {
    driver: 'arm-smmu', list: LIST, body: 'no detach_dev; a released stream gets S2CR fault, or bypass by module parameter', build: armSmmu(true),
    guess: undefined, source: 'arm-smmu.c arm_smmu_write_s2cr, disable_bypass',
  },
  {
    driver: 'arm-smmu-v3', list: LIST, body: 'no detach_dev; inside, the STE becomes abort, or bypass by module parameter', build: armSmmuV3(true),
    guess: undefined, source: 'arm-smmu-v3.c arm_smmu_write_strtab_ent, disable_bypass',
  },
  { driver: 'virtio', list: LIST, body: 'no detach_dev, and no request', build: virtio, guess: undefined, source: 'virtio-iommu.c', inferred: 'bypass policy of the device off' },
]

/** The other setting of the module parameter. */
export const withBypass: readonly Subject[] = [
  { driver: 'arm-smmu, bypass', list: LIST, body: 'S2CR bypass', build: armSmmu(false), guess: undefined, source: 'arm-smmu.c disable_bypass' },
  { driver: 'arm-smmu-v3, bypass', list: LIST, body: 'STE bypass', build: armSmmuV3(false), guess: undefined, source: 'arm-smmu-v3.c disable_bypass' },
]
