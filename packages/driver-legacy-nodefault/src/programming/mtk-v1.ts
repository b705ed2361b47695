// MediaTek M4U, first generation: one table for all ports, and a switch for each. Whoever sets a table sets it for
// all, so that all devices are one group; and nothing can block one of them.
import { declare } from '../manifest.js'
import {
  BOTH_WAYS, control, interrupts, INVALIDATE_ALL, INVALIDATE_RANGE, mtkShape, OFFSETS, portBits, PORTS, portSwitch,
} from '../tables/mtk-v1.js'
import { word } from '../tables/words.js'
import type { Planner } from './planner.js'
import { write } from './steps.js'
import type { Step, WriteStep } from './steps.js'

const layouts = { CTRL: control, INT_CONTROL: interrupts } as const

export const setRegister = (name: keyof typeof OFFSETS, value: bigint): WriteStep => write({
  name, offset: OFFSETS[name], ...(name in layouts ? { layout: layouts[name as keyof typeof layouts] } : {}),
}, value)

/** The four bits of a port. */
export const setPort = (port: number, values: { readonly VIRT: 0 | 1; readonly DOMAIN: number }): WriteStep => {
  const { name, offset, shift } = portSwitch(port)
  return write({ name, offset }, word(portBits, values) << shift, 0xfn << shift)
}

const flushAll = (): Step[] => [setRegister('INV_SEL', BOTH_WAYS), setRegister('INVALIDATE', INVALIDATE_ALL)]

export const mtkV1Planner: Planner = {
  manifest: declare({
    hardware: 'MediaTek M4U, first generation (MT2701)', blocked: false, identity: true, standInBlocks: false, format: mtkShape.name,
    limits: {
      blocked: 'all ports share one table: to block one of them is to block all',
      permissions: 'entries have no permission bits: pages can only be mapped for reads and writes',
      faults: 'an access that faults goes to a page put aside for it, and not to where it wanted',
    },
  }),
  shape: mtkShape,
  ids: { what: 'domain', first: 0, limit: 1 << 16 },
  groupOf: () => 'm4u',
  coherent: true,
  fixedBytes: 4096,
  keepsAbsent: false,
  obstacle: (port) => (port < PORTS ? undefined : { why: 'there is no such port', values: { port, ports: PORTS } }),
  takeOver: ({ fixed }) => [
    setRegister('CTRL', word(control, { COHERENT: 1, TF_PROTECT: 2 })),
    setRegister('INT_CONTROL', word(interrupts, {
      TRANSLATION: 1, MULTIHIT: 1, INVALID_PA: 1, REPLACEMENT: 1, TABLE_WALK: 1, TLB_MISS: 1, FIFO_FULL: 1, FIFO_LOST: 1,
    })),
    setRegister('IVRP_PADDR', fixed),
    setRegister('DCM', 2n),
  ],
  open: () => [],
  close: () => [],
  aim: (port, _from, to) => (to.at === 'tables'
    ? [setRegister('PT_BASE', to.root), ...flushAll(), setPort(port, { VIRT: 1, DOMAIN: 3 })]
    : [setPort(port, { VIRT: 0, DOMAIN: 3 })]),
  flush: ({ range }) => (range === undefined ? flushAll() : [
    setRegister('INV_SEL', BOTH_WAYS),
    setRegister('INVLD_START', range.start & ~0xfffn), setRegister('INVLD_END', range.end & ~0xfffn),
    setRegister('INVALIDATE', INVALIDATE_RANGE),
    { do: 'wait', register: 'CPE_DONE', offset: OFFSETS.CPE_DONE, until: 0xffff_ffffn, otherwise: flushAll() },
    setRegister('CPE_DONE', 0n),
  ]),
  readFaults({ read }) {
    const code = Number(read(OFFSETS.FAULT_ST))
    if (code === 0) return { faults: [], clear: [] }
    const meaning = Object.entries(interrupts.fields).find(([name]) => word(interrupts, { [name]: 1 }) === BigInt(code))?.[1].title
    return {
      // Neither the direction nor, without the arbiters' own numbers, the port is told.
      faults: [{ code, address: read(OFFSETS.FAULT_VA), meaning }],
      clear: [write({ name: 'INT_CONTROL', offset: OFFSETS.INT_CONTROL, layout: interrupts }, word(interrupts, { CLEAR: 1 }), word(interrupts, { CLEAR: 1 }))],
    }
  },
}
