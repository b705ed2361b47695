// OMAP MMU: each client has an instance with one table pointer, and one bit that lets everything pass.
import { declare } from '../manifest.js'
import { cam, control, INSTANCE_BYTES, INSTANCES, interrupts, OFFSETS, omapShape, SMALL_PAGE } from '../tables/omap.js'
import { word } from '../tables/words.js'
import type { ChangedPages, Planner } from './planner.js'
import { write } from './steps.js'
import type { Step, WriteStep } from './steps.js'

type Name = keyof typeof OFFSETS

const layouts = { CNTL: control, IRQENABLE: interrupts, IRQSTATUS: interrupts, CAM: cam } as const

/** A register of one client's instance. */
const set = (instance: number, name: Name, value: bigint): WriteStep => write({
  name: `MMU${instance}_${name}`, offset: instance * INSTANCE_BYTES + OFFSETS[name],
  ...(name in layouts ? { layout: layouts[name as keyof typeof layouts] } : {}),
}, value)

const ON = word(control, { MMU_EN: 1, TWL_EN: 1 })
const FAULTS = word(interrupts, { MULTIHITFAULT: 1, EMUMISS: 1, TRANSLATIONFAULT: 1, TABLEWALKFAULT: 1 })

const flushAll = (instance: number): Step[] => [set(instance, 'LOCK', 0n), set(instance, 'GFLUSH', 1n)]

/** New walks take the new table from the first store on; what the TLB kept of the old one goes with the flush. */
const translate = (instance: number, root: bigint): Step[] => [
  set(instance, 'TTB', root), ...flushAll(instance), set(instance, 'IRQENABLE', FAULTS), set(instance, 'CNTL', ON),
]

const flushPage = (instance: number, iova: bigint): Step[] => [
  set(instance, 'CAM', word(cam, { V: 1, PGSZ: SMALL_PAGE, VATAG: iova })), set(instance, 'FLUSH_ENTRY', 1n),
]

const pagesOf = ({ range }: ChangedPages): bigint[] => {
  const all: bigint[] = []
  if (range !== undefined) for (let at = range.start & ~0xfffn; at <= range.end; at += 0x1000n) all.push(at)
  return all
}

export const omapPlanner: Planner = {
  manifest: declare({
    hardware: 'OMAP MMU, one for each client', blocked: true, identity: true, standInBlocks: true, format: omapShape.name,
    hitless: [`${omapShape.name}>${omapShape.name}`],
    limits: { permissions: 'entries have no permission bits: pages can only be mapped for reads and writes' },
  }),
  shape: omapShape,
  ids: { what: 'domain', first: 0, limit: 1 << 16 },
  coherent: false,
  fixedBytes: 0,
  keepsAbsent: false,
  obstacle: (instance) => (instance < INSTANCES ? undefined : { why: 'there is no such MMU instance', values: { instance, instances: INSTANCES } }),
  takeOver: ({ empty }) => Array.from({ length: INSTANCES }, (_, instance) => translate(instance, empty)).flat(),
  // An instance tags nothing: what it kept goes when it is aimed elsewhere.
  open: () => [],
  close: () => [],
  aim(instance, _from, to, { empty }) {
    switch (to.at) {
      case 'blocked': return translate(instance, empty)
      case 'identity': return [set(instance, 'CNTL', word(control, {})), ...flushAll(instance)]
      case 'tables': return translate(instance, to.root)
      default: return to satisfies never
    }
  },
  flush: (pages) => pages.streams.flatMap((instance) =>
    (pages.range === undefined ? flushAll(instance) : pagesOf(pages).flatMap((at) => flushPage(instance, at)))),
  readFaults({ read }) {
    const found = Array.from({ length: INSTANCES }, (_, source) => {
      const base = source * INSTANCE_BYTES
      return { source, base, code: Number(read(base + OFFSETS.IRQSTATUS)) }
    }).filter(({ code }) => code !== 0)
    return {
      faults: found.map(({ source, base, code }) => ({ source, code, address: read(base + OFFSETS.FAULT_AD), meaning: meaningOf(code) })),
      clear: found.map(({ source, code }) => set(source, 'IRQSTATUS', BigInt(code))),
    }
  },
}

const meaningOf = (code: number): string | undefined =>
  Object.entries(interrupts.fields).find(([name]) => word(interrupts, { [name]: 1 }) === BigInt(code))?.[1].title
