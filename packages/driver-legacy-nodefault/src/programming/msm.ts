// Qualcomm's first SMMU: machine ids are routed to context banks. Bank 0 translates nothing, bank 1 is off; a domain
// takes another one, so that a switch is one register write.
import { declare } from '../manifest.js'
import {
  auxiliary, BANKS, contextOffset, faultStatus, GLOBAL, MIDS, msmShape, pageInvalidation, routing, systemControl, tableBase,
} from '../tables/msm.js'
import type { ContextRegister } from '../tables/msm.js'
import { word } from '../tables/words.js'
import type { Planner } from './planner.js'
import { write } from './steps.js'
import type { Step, WriteStep } from './steps.js'

const CLOSED = 0
const OPEN = 1

const layouts = { SCTLR: systemControl, ACTLR: auxiliary, TTBR0: tableBase, TLBIVA: pageInvalidation, FSR: faultStatus } as const

/** A register of a context bank; `mask` where only some bits change. */
export const setContext = (bank: number, name: ContextRegister, value: bigint, mask?: bigint): WriteStep => write({
  name: `${name}.${bank}`, offset: contextOffset(bank, name),
  ...(name in layouts ? { layout: layouts[name as keyof typeof layouts] } : {}),
}, value, mask)

/** Routes a machine id to a bank. */
export const setRoute = (mid: number, bank: number): WriteStep =>
  write({ name: `M2VCBR.${mid}`, offset: GLOBAL.M2VCBR + mid * 4, layout: routing }, word(routing, { CBNDX: bank, NSCFG: 3 }))

const ALL_FAULTS = 0x4000_000fn

/** TEX remap and access flag; translation on. */
export const TRANSLATING = word(systemControl, { M: 1, TRE: 1, AFE: 1 })
export const CONTEXT_ATTRIBUTES = word(auxiliary, { CFEIE: 1, RCOSH: 1, RCISH: 1, RCNSH: 1, TLBMCFG: 3, CFCFG: 1, V2PCFG: 3 })

/** A bank that translates by a table: M comes last. */
const translate = (bank: number, root: bigint): Step[] => [
  setContext(bank, 'SCTLR', word(systemControl, {})),
  write({ name: `CBACR.${bank}`, offset: GLOBAL.CBACR + bank * 4 }, 0n),
  setContext(bank, 'CONTEXTIDR', BigInt(bank)),
  setContext(bank, 'ACTLR', CONTEXT_ATTRIBUTES),
  setContext(bank, 'TTBCR', 0n), setContext(bank, 'TTBR1', 0n), setContext(bank, 'TTBR0', word(tableBase, { PA: root })),
  setContext(bank, 'CTX_TLBIALL', 0n),
  setContext(bank, 'SCTLR', TRANSLATING),
]

export const msmPlanner: Planner = {
  manifest: declare({
    hardware: 'Qualcomm SMMUv0 (APQ8064)', blocked: true, identity: true, standInBlocks: true, format: msmShape.name,
    hitless: [`${msmShape.name}>${msmShape.name}`],
    limits: { permissions: 'entries cannot forbid reads', 'context banks': `${BANKS}, of which one is kept closed and one open` },
  }),
  shape: msmShape,
  ids: { what: 'context bank', first: OPEN + 1, limit: BANKS },
  coherent: false,
  fixedBytes: 0,
  keepsAbsent: false,
  obstacle: (mid) => (mid < MIDS ? undefined : { why: 'there is no such machine id', values: { mid, mids: MIDS } }),
  takeOver: ({ empty }) => [
    ...translate(CLOSED, empty),
    setContext(OPEN, 'SCTLR', word(systemControl, {})),
    ...Array.from({ length: MIDS }, (_, mid) => setRoute(mid, CLOSED)),
  ],
  open: (bank, root) => translate(bank, root),
  close: (bank, _root, { empty }) => [setContext(bank, 'TTBR0', word(tableBase, { PA: empty })), setContext(bank, 'CTX_TLBIALL', 0n)],
  aim(mid, _from, to) {
    switch (to.at) {
      case 'blocked': return [setRoute(mid, CLOSED)]
      case 'identity': return [setRoute(mid, OPEN)]
      case 'tables': return [setRoute(mid, to.id)]
      default: return to satisfies never
    }
  },
  flush({ id, range }) {
    if (range === undefined) return [setContext(id, 'CTX_TLBIALL', 0n)]
    const steps: Step[] = []
    for (let VA = range.start & ~0xfffn; VA <= range.end; VA += 0x1000n) {
      steps.push(setContext(id, 'TLBIVA', word(pageInvalidation, { VA, ASID: id })))
    }
    return steps
  },
  readFaults({ read }) {
    const found = Array.from({ length: BANKS }, (_, bank) => ({ bank, code: Number(read(contextOffset(bank, 'FSR'))) })).filter(({ code }) => code !== 0)
    return {
      faults: found.map(({ bank, code }) => ({ source: bank, code, address: read(contextOffset(bank, 'FAR')), meaning: meaningOf(code) })),
      clear: found.map(({ bank }) => setContext(bank, 'FSR', ALL_FAULTS)),
    }
  },
}

const meaningOf = (code: number): string | undefined =>
  Object.entries(faultStatus.fields).find(([name]) => word(faultStatus, { [name]: 1 }) === BigInt(code))?.[1].title
