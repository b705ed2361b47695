// An SMMUv3 table state as data: the stream table and its register, the stream's entry, its context, and the pages behind them.
import { GRANULE_CODES, outputSizeOf, streamTableConfig } from '@iommu/driver-arm-smmuv3/registers'
import { contextDescriptor, levelOneContext, levelOneStream, streamEntry } from '@iommu/driver-arm-smmuv3/tables'
import type { GranuleShift } from '@iommu/driver-arm-smmuv3/registers'
import { armStage1Entry, armStage2Entry } from '@iommu/page-table'
import { createGround, plant, tweaked } from '../ground.js'
import type { Frames, Ground } from '../ground.js'
import type { Fields, Page, PlannedState } from '../plan.js'

/** The register that says what the stream table is, its level 1, the stream's entry, and the context that it leads to. */
export type WayPoint = 'table' | 'level1' | 'stream' | 'context'

/** A CD table of more contexts than one. The plan's own context and pages are those of `ssid`. */
export interface Contexts {
  /** log2 of the contexts. */
  readonly max: number
  /** log2 of the contexts of a leaf; 0: one linear array. */
  readonly leafBits: 0 | 6 | 10
  readonly ssid: number
  /** Further contexts, right to the leaf; `pages` have the addresses of the plan's and go elsewhere. */
  readonly others: readonly { readonly ssid: number; readonly pages: readonly Page[] }[]
}

/** A page has the size of its level. */
export interface ArmPlan extends PlannedState<WayPoint> {
  readonly stage: 1 | 2
  readonly granule: GranuleShift
  /** Bits of device address. */
  readonly inputBits: number
  readonly levels: number
  /** Stage 1: the tables are those of the upper half of the address space. */
  readonly upper: boolean
  /** Absent: there is one context, and no SSIDs. */
  readonly contexts?: Contexts
}

/** Frames of words, by frame number, and where things are. */
export interface Built {
  readonly frames: Frames
  readonly streams: bigint
  /** The register that says how the stream table is laid out. */
  readonly register: bigint
  /** The root of the page tables. */
  readonly tables: bigint
}

/** The first frames of the tables' region belong to the queues. */
export const COMMANDS_FRAME = 0x4_1000
export const EVENTS_FRAME = 0x4_1001
export const FIRST_FRAME = 0x4_1010
export const ASID = 7
export const VMID = 9

/** Streams in the table, log2, and in a table of level 2. */
const STREAMS_LOG2 = 8
export const SPLIT = 6
const STREAM_BYTES = 64
const CONTEXT_BYTES = 64
/** Codes of S1Fmt, by the contexts of a leaf. */
const CONTEXT_FORMATS = { 0: 0, 6: 1, 10: 2 } as const satisfies Record<Contexts['leafBits'], number>
/** Output addresses are as wide as QEMU's can be. */
export const OUTPUT_BITS = 44

/** Codes of TG1. */
const UPPER_CODES = { 12: 2, 14: 1, 16: 3 } as const satisfies Record<GranuleShift, number>

/** Where the start level of stage 2 is told: 4 KiB 0 L2, 1 L1, 2 L0; others 0 L3, 1 L2, 2 L1. */
const startLevel = ({ granule, levels }: ArmPlan): number => (granule === 12 ? levels - 2 : levels - 1)

export const shiftOf = ({ granule }: Pick<ArmPlan, 'granule'>, level: number): number => granule + (granule - 3) * (level - 1)

/** Bits of index of the root, which may be tables side by side. */
export const rootBitsOf = ({ granule, inputBits, levels }: Pick<ArmPlan, 'granule' | 'inputBits' | 'levels'>): number =>
  inputBits - granule - (levels - 1) * (granule - 3)

/** The word of a leaf that grants everything. */
const leafFields = (stage: 1 | 2, level: number): Fields => ({
  Valid: 1, Table: level === 1 ? 1 : 0, SH: 3, AF: 1, ...(stage === 1 ? { AttrIndx: 1, AP: 1, nG: 1 } : { MemAttr: 0xf, S2AP: 3 }),
})

const contextFields = ({ granule, inputBits, upper }: ArmPlan, root: bigint, asid = ASID): Fields => ({
  V: 1, AA64: 1, A: 1, R: 1, ASET: 1, ASID: asid, IPS: outputSizeOf(OUTPUT_BITS),
  ...(upper ? { EPD0: 1, T1SZ: 64 - inputBits, TG1: UPPER_CODES[granule], TTB1: root }
    : { EPD1: 1, T0SZ: 64 - inputBits, TG0: GRANULE_CODES[granule], TTB0: root }),
})

const streamFields = (plan: ArmPlan, context: bigint, root: bigint): Fields => (plan.stage === 1
  ? {
    V: 1, Config: 5, S1ContextPtr: context,
    ...(plan.contexts === undefined ? {} : { S1CDMax: plan.contexts.max, S1Fmt: CONTEXT_FORMATS[plan.contexts.leafBits] }),
  }
  : {
    V: 1, Config: 6, S2VMID: VMID, S2T0SZ: 64 - plan.inputBits, S2SL0: startLevel(plan), S2TG: GRANULE_CODES[plan.granule],
    S2PS: outputSizeOf(OUTPUT_BITS), S2AA64: 1, S2R: 1, S2TTB: root,
  })

/** Which entry of its table of level 2 a stream has. */
export const indexOf = ({ source }: Pick<ArmPlan, 'source'>): number => source & (2 ** SPLIT - 1)

/** Makes a CD table and the leaves that are used: its address, and those of contexts. */
const takeContexts = ({ take, put }: Ground, { max, leafBits, ssid, others }: Contexts): { readonly table: bigint; at(each: number): bigint } => {
  if (leafBits === 0) {
    const table = take(CONTEXT_BYTES * 2 ** max)
    return { table, at: (each) => table + BigInt(each * CONTEXT_BYTES) }
  }
  const table = take(8 * 2 ** Math.max(max - leafBits, 0))
  const leaves = new Map<number, bigint>()
  for (const each of [ssid, ...others.map((other) => other.ssid)]) {
    const index = each >> leafBits
    if (leaves.has(index)) continue
    leaves.set(index, take(CONTEXT_BYTES * 2 ** leafBits))
    put(table + BigInt(index * 8), levelOneContext, { V: 1, L2Ptr: leaves.get(index) ?? 0n })
  }
  return { table, at: (each) => (leaves.get(each >> leafBits) ?? 0n) + BigInt((each & (2 ** leafBits - 1)) * CONTEXT_BYTES) }
}

/** The words of a plan, in frames from `first` on. Streams of stage 1 have a table of two levels, of stage 2 a linear one. */
export const build = (plan: ArmPlan, first = FIRST_FRAME): Built => {
  const { source, stage, granule, levels, way, pages, contexts } = plan
  const ground = createGround(first)
  const indexBits = granule - 3
  const rootBits = rootBitsOf(plan)
  const linear = stage === 2
  const takeRoot = (): bigint => ground.take(8 * 2 ** Math.max(indexBits, rootBits))
  const streams = ground.take(linear ? STREAM_BYTES * 2 ** STREAMS_LOG2 : undefined)
  const cds = contexts === undefined ? undefined : takeContexts(ground, contexts)
  const context = cds?.table ?? ground.take()
  const tables = takeRoot()
  const entries = linear ? streams : ground.take(STREAM_BYTES * 2 ** SPLIT)
  if (!linear) ground.put(streams + BigInt((source >> SPLIT) * 8), levelOneStream, { Span: SPLIT + 1, L2Ptr: entries }, way.level1)
  const index = linear ? source : indexOf(plan)
  ground.put(entries + BigInt(index * STREAM_BYTES), streamEntry, streamFields(plan, context, tables), way.stream)
  const plantPages = (root: bigint, planted: readonly Page[]): void => plant(ground, root, planted, {
    levels, pageShift: granule, indexBits, rootBits, layout: stage === 1 ? armStage1Entry : armStage2Entry,
    table: (_level, OA) => ({ Valid: 1, Table: 1, OA }),
    leaf: ({ level, target }) => ({ ...leafFields(stage, level), OA: target }),
  })
  if (stage === 1) ground.put(cds?.at(contexts?.ssid ?? 0) ?? context, contextDescriptor, contextFields(plan, tables), way.context)
  plantPages(tables, pages)
  contexts?.others.forEach((other, at) => {
    const root = takeRoot()
    if (cds !== undefined) ground.put(cds.at(other.ssid), contextDescriptor, contextFields(plan, root, ASID + 1 + at))
    plantPages(root, other.pages)
  })
  const register = tweaked(streamTableConfig, linear ? { LOG2SIZE: STREAMS_LOG2 } : { FMT: 1, SPLIT, LOG2SIZE: STREAMS_LOG2 }, way.table)[0] as bigint
  return { frames: ground.frames, streams, register, tables }
}
