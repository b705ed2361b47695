// AMD's device table entry and Intel's context entry as of 5.18, with the copy that hardware keeps of them.
import { address, bit, decode, encode, entry, field } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { frameAddress } from '@iommu/hardware'
import type { Step, StoreStep } from '../programming/steps.js'
import { loadWord } from '../tables/words.js'
import type { WordForm } from '../tables/words.js'
import type { Inside, Route } from '../model/part.js'
import { blockedRoute, identityRoute, smallMachine, standInShape, tablesRoute } from './small-hardware.js'
import { attached, createTables, PHYSICAL, placesOf } from './stage.js'
import type { Hazard, Stage } from './subject.js'

const FORM: WordForm = { bytes: 8, order: 'little' }

/** The entry's lower 128 bits: the only ones that the body writes. */
const deviceTableEntry = entry('amd.dte', {
  title: 'Device table entry, bits 127:0', bits: 128, section: 'amd: 2.2.2, recalled', confirmedBy: ['linux', 'qemu'],
  reserved: [[6, 2], [54, 53], [60, 56], [63, 63]], ignored: [[8, 7], [52, 52], [55, 55], [95, 80], [102, 97], [103, 103], [127, 106]],
}, {
  V: bit(0, 'Valid'), TV: bit(1, 'Translation valid'), MODE: field(11, 9, 'Levels of the host table; 0: no table'),
  ROOT: address(51, 12, 'Host page table'), IR: bit(61, 'Reads are allowed'), IW: bit(62, 'Writes are allowed'),
  DOMAIN: field(79, 64, 'Domain id'), I: bit(96, 'Device TLB'), SYSMGT: field(105, 104, 'System management messages'),
} as const)

const contextEntry = entry('vtd.context', {
  title: 'Context entry', bits: 128, section: 'vtd:9.3?', confirmedBy: ['linux', 'qemu', 'capture'],
  reserved: [[11, 4], [71, 71], [127, 88]], ignored: [[70, 67]],
}, {
  P: bit(0, 'Present'), FPD: bit(1, 'Faults are not recorded'), TT: field(3, 2, 'Translation type', { 0: 'second stage', 2: 'pass-through' }),
  SSPTPTR: address(63, 12, 'Second-stage table'), AW: field(66, 64, 'Address width'), DID: field(87, 72, 'Domain id'),
})

/** An entry of two words in memory that hardware keeps a copy of, and forgets on a command. */
const keepingEntry = (decide: (words: readonly bigint[], access: 'read' | 'write') => Route) => {
  let kept: readonly bigint[] | undefined
  let place = 0n
  const machine = smallMachine({
    busBits: 39,
    decide(_get, { memory }, access) {
      kept ??= [0, 1].map((index) => loadWord(memory.snooped, place + BigInt(index * 8), FORM))
      return decide(kept, access)
    },
    call: ({ translations }: Inside) => () => {
      kept = undefined
      translations.dropTags(() => true)
      return 0n
    },
  })
  place = frameAddress(machine.memory.pages.allocate() as number)
  return { machine, place }
}

const flush = (operation: string): Step => ({ do: 'call', operation, args: [], judge: () => 'done', explain: () => '' })

const storeTo = (layout: Entry, at: bigint) => (index: number, value: bigint, mask?: bigint): StoreStep => ({
  do: 'store', entry: layout.name, address: at + BigInt(index * 8), value, form: FORM, place: { layout, index },
  ...(mask === undefined ? {} : { mask }),
})

const decideAmd = (words: readonly bigint[], access: 'read' | 'write'): Route => {
  const { V, TV, MODE, ROOT, IR, IW } = decode(deviceTableEntry, words)
  if (V === 0) return identityRoute('entry not valid')
  if (TV === 0) return blockedRoute
  // Without a table the address stays as it is, and IR and IW decide.
  if ((access === 'read' ? IR : IW) === 0) return blockedRoute
  if (MODE === 0) return identityRoute('no table')
  return MODE === 7 ? blockedRoute : tablesRoute(standInShape, ROOT)
}

/** Bits 105:96 outlive the body: they are the firmware's. */
const FIRMWARE_BITS = encode(deviceTableEntry, { I: 1, SYSMGT: 3 })[1] as bigint
const KEPT = 0x3ffn << 32n

export const amd = (): Stage => {
  const { machine, place } = keepingEntry(decideAmd)
  const table = createTables(machine, standInShape)
  const store = storeTo(deviceTableEntry, place)
  const [low, high] = encode(deviceTableEntry, { V: 1, TV: 1, MODE: 2, ROOT: table.root, IR: 1, IW: 1, DOMAIN: 5 }) as [bigint, bigint]
  const after = [flush('INVALIDATE_DEVTAB_ENTRY'), flush('INVALIDATE_IOMMU_PAGES'), flush('COMPLETION_WAIT')]
  const clear = (values: Partial<Parameters<typeof encode<typeof deviceTableEntry.fields>>[1]>): Step[] => [
    store(0, encode(deviceTableEntry, { V: 1, ...values })[0] as bigint), store(1, 0n, ((1n << 64n) - 1n) & ~KEPT), ...after,
  ]
  const detach = clear({ TV: 1 })
  const erratum: Hazard = {
    title: 'erratum 63: where SYSMGT is 1 the body sets IW too, and with TV and no table writes pass untranslated',
    steps: clear({ TV: 1, IW: 1 }), shows: ({ effect }) => effect === 'mixed', cure: clear({ IW: 1 }),
  }
  return {
    machine, source: 0, places: placesOf(32), physical: PHYSICAL, table,
    attach: attached(machine, [store(1, high | (FIRMWARE_BITS & KEPT)), store(0, low), ...after]), detach, hazards: [erratum],
    today: { detach: 'blocked', blocked: clear({}), identity: clear({ TV: 1, IR: 1, IW: 1 }), release: 'blocked' },
  }
}

const decideIntel = (words: readonly bigint[]): Route => {
  const { P, TT, SSPTPTR } = decode(contextEntry, words)
  if (P === 0) return blockedRoute
  if (TT === 2) return identityRoute('pass-through')
  return TT === 0 ? tablesRoute(standInShape, SSPTPTR) : blockedRoute
}

export const intel = (): Stage => {
  const { machine, place } = keepingEntry(decideIntel)
  const table = createTables(machine, standInShape)
  const store = storeTo(contextEntry, place)
  const flushes = [flush('context cache'), flush('IOTLB')]
  const present = encode(contextEntry, { P: 1 })[0] as bigint
  const all = (1n << 64n) - 1n
  const clear: Step[] = [store(0, 0n, present), ...flushes, store(1, 0n, all), store(0, 0n, all & ~present)]
  const set = (words: readonly bigint[]): Step[] => [store(1, words[1] as bigint), store(0, words[0] as bigint), ...flushes]
  return {
    machine, source: 0, places: placesOf(32), physical: PHYSICAL, table,
    attach: attached(machine, set(encode(contextEntry, { P: 1, SSPTPTR: table.root, AW: 1, DID: 5 }))), detach: clear,
    today: { detach: 'blocked', blocked: clear, identity: [...clear, ...set(encode(contextEntry, { P: 1, TT: 2, AW: 1, DID: 1 }))], release: 'blocked' },
  }
}
