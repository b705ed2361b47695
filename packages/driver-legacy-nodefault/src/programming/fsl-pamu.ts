// Freescale PAMU: each device has one window. Valid and 1:1 is identity, not valid is the block; there are no pages.
import { decode, encode } from '@iommu/bits'
import { declare } from '../manifest.js'
import {
  BYPASS_FIRST, control, entryOf, FORM, LIODNS, OFFSETS, paace, PAACE_BYTES, PERMISSIONS, TRANSLATION, VALID_WORD, violation,
  VIOLATION_ENABLE, VIOLATION_STATUS, WHOLE_WINDOW,
} from '../tables/fsl-pamu.js'
import { word } from '../tables/words.js'
import type { Planner } from './planner.js'
import { write } from './steps.js'
import type { Step, StoreStep, WriteStep } from './steps.js'

const layouts = { PC: control, AVS1: violation } as const
const MEANINGFUL_WORDS = 8

const setRegister = (name: keyof typeof OFFSETS, value: bigint, mask?: bigint): WriteStep => write({
  name, offset: OFFSETS[name], ...(name in layouts ? { layout: layouts[name as keyof typeof layouts] } : {}),
}, value, mask)

/** One word of a device's entry. */
export const storeWordOf = (table: bigint, liodn: number, index: number, value: bigint, mask?: bigint): StoreStep => ({
  do: 'store', entry: paace.name, address: entryOf(table, liodn) + BigInt(index * FORM.bytes), value, form: FORM,
  place: { layout: paace, index },
  ...(mask === undefined ? {} : { mask }),
})

/** A window over everything that changes no address. */
const passing = encode(paace, {
  V: 1, AP: PERMISSIONS.read | PERMISSIONS.write, WSE: WHOLE_WINDOW, ATM: TRANSLATION.none, CR: 1,
})
const VALID = encode(paace, { V: 1 })[VALID_WORD] as bigint

/** V goes first, and comes last: in between every access is a violation. */
const close = (table: bigint, liodn: number): Step[] => [storeWordOf(table, liodn, VALID_WORD, 0n, VALID), { do: 'order' }]
const open = (table: bigint, liodn: number): Step[] => [
  ...close(table, liodn),
  ...passing.slice(0, MEANINGFUL_WORDS).map((value, index) => storeWordOf(table, liodn, index, index === VALID_WORD ? value & ~VALID : value)),
  { do: 'order' },
  storeWordOf(table, liodn, VALID_WORD, VALID, VALID),
  { do: 'order' },
]

const HIGH = 32n
const halves = (address: bigint): readonly [bigint, bigint] => [address >> HIGH, BigInt.asUintN(32, address)]

export const fslPamuPlanner: Planner = {
  manifest: declare({
    hardware: 'Freescale PAMU', blocked: true, identity: true, standInBlocks: false,
    limits: {
      paging: 'a device has one window, or up to 16 equal parts of it: there are no pages',
      'empty domain': 'the nearest thing to a paging domain, a window over everything, lets everything pass',
    },
  }),
  shape: undefined,
  ids: { what: 'domain', first: 0, limit: 1 },
  // The entries lie in a coherency subdomain: what hardware keeps of them it hears of (Linux, `create_csd`).
  coherent: true,
  fixedBytes: LIODNS * PAACE_BYTES,
  keepsAbsent: false,
  obstacle: (liodn) => (liodn < LIODNS ? undefined : { why: 'the LIODN is beyond the table', values: { liodn, liodns: LIODNS } }),
  takeOver({ fixed }) {
    const [baseHigh, baseLow] = halves(fixed)
    const [limitHigh, limitLow] = halves(fixed + BigInt(LIODNS * PAACE_BYTES))
    return [
      setRegister('PPBAH', baseHigh), setRegister('PPBAL', baseLow), setRegister('PPLAH', limitHigh), setRegister('PPLAL', limitLow),
      setRegister('PICS', BigInt(VIOLATION_ENABLE)),
      setRegister('PC', word(control, { PE: 1, OCE: 1, SPCC: 1, PPCC: 1 })),
      setRegister('PAMUBYPENR', 0n, BigInt(BYPASS_FIRST)),
    ]
  },
  open: () => [],
  close: () => [],
  aim: (liodn, _from, to, { fixed }) => (to.at === 'identity' ? open(fixed, liodn) : close(fixed, liodn)),
  flush: () => [],
  readFaults({ read }) {
    if ((read(OFFSETS.PICS) & BigInt(VIOLATION_STATUS)) === 0n) return { faults: [], clear: [] }
    const status = read(OFFSETS.AVS1)
    const { LIODN, LAV } = decode(violation, [status])
    return {
      faults: [{
        source: LIODN, code: Number(status & 0x7fffn), address: (read(OFFSETS.AVAH) << HIGH) + read(OFFSETS.AVAL),
        meaning: LAV === 0 ? violation.fields.AV.title : violation.fields.LAV.meanings?.[LAV],
      }],
      clear: [setRegister('AVS1', status), setRegister('PICS', BigInt(VIOLATION_STATUS | VIOLATION_ENABLE))],
    }
  },
}
