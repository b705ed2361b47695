// An SMMUv3 table state as data: the stream table and its register, the stream's entry, its context, and the pages behind them.
import {
  contextDescriptor, GRANULE_CODES, levelOneStream, outputSizeOf, streamEntry, streamTableConfig,
} from '@iommu/driver-arm-smmuv3/tables'
import type { GranuleShift } from '@iommu/driver-arm-smmuv3/tables'
import { armStage1Entry, armStage2Entry } from '@iommu/page-table'
import { createGround, plant, tweaked } from '../plan.js'
import type { Fields, Frames, PlannedState, Tweak } from '../plan.js'

/** The register that says what the stream table is, its level 1, the stream's entry, and the context that it leads to. */
export type WayPoint = 'table' | 'level1' | 'stream' | 'context'

/** A page has the size of its level. */
export interface ArmPlan extends PlannedState {
  readonly stage: 1 | 2
  readonly granule: GranuleShift
  /** Bits of device address. */
  readonly inputBits: number
  readonly levels: number
  /** Stage 1: the tables are those of the upper half of the address space. */
  readonly upper: boolean
  readonly way: Readonly<Partial<Record<WayPoint, Tweak>>>
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
/** Output addresses are as wide as QEMU's can be. */
const OUTPUT_BITS = 44

/** Codes of TG1. */
const UPPER_CODES = { 12: 2, 14: 1, 16: 3 } as const satisfies Record<GranuleShift, number>

/** Where the start level of stage 2 is told: 4 KiB 0 L2, 1 L1, 2 L0; others 0 L3, 1 L2, 2 L1. */
const startLevel = ({ granule, levels }: ArmPlan): number => (granule === 12 ? levels - 2 : levels - 1)

export const shiftOf = ({ granule }: Pick<ArmPlan, 'granule'>, level: number): number => granule + (granule - 3) * (level - 1)

/** The word of a leaf that grants everything. */
const leafFields = (stage: 1 | 2, level: number): Fields => ({
  Valid: 1, Table: level === 1 ? 1 : 0, SH: 3, AF: 1, ...(stage === 1 ? { AttrIndx: 1, AP: 1, nG: 1 } : { MemAttr: 0xf, S2AP: 3 }),
})

const contextFields = ({ granule, inputBits, upper }: ArmPlan, root: bigint): Fields => ({
  V: 1, AA64: 1, A: 1, R: 1, ASET: 1, ASID, IPS: outputSizeOf(OUTPUT_BITS),
  ...(upper ? { EPD0: 1, T1SZ: 64 - inputBits, TG1: UPPER_CODES[granule], TTB1: root }
    : { EPD1: 1, T0SZ: 64 - inputBits, TG0: GRANULE_CODES[granule], TTB0: root }),
})

const streamFields = (plan: ArmPlan, context: bigint, root: bigint): Fields => (plan.stage === 1
  ? { V: 1, Config: 5, S1ContextPtr: context }
  : {
    V: 1, Config: 6, S2VMID: VMID, S2T0SZ: 64 - plan.inputBits, S2SL0: startLevel(plan), S2TG: GRANULE_CODES[plan.granule],
    S2PS: outputSizeOf(OUTPUT_BITS), S2AA64: 1, S2R: 1, S2TTB: root,
  })

/** Which entry of its table of level 2 a stream has. */
export const indexOf = ({ source }: Pick<ArmPlan, 'source'>): number => source & (2 ** SPLIT - 1)

/** The words of a plan, in frames from `first` on. Streams of stage 1 have a table of two levels, of stage 2 a linear one. */
export const build = (plan: ArmPlan, first = FIRST_FRAME): Built => {
  const { source, stage, granule, inputBits, levels, way, pages } = plan
  const ground = createGround(first)
  const indexBits = granule - 3
  const linear = stage === 2
  const [streams, context] = [ground.take(linear ? STREAM_BYTES * 2 ** STREAMS_LOG2 : undefined), ground.take()]
  const tables = ground.take(8 * 2 ** indexBits)
  const entries = linear ? streams : ground.take(STREAM_BYTES * 2 ** SPLIT)
  if (!linear) ground.put(streams + BigInt((source >> SPLIT) * 8), tweaked(levelOneStream, { Span: SPLIT + 1, L2Ptr: entries }, way.level1))
  const index = linear ? source : indexOf(plan)
  ground.put(entries + BigInt(index * STREAM_BYTES), tweaked(streamEntry, streamFields(plan, context, tables), way.stream))
  if (stage === 1) ground.put(context, tweaked(contextDescriptor, contextFields(plan, tables), way.context))
  const layout = stage === 1 ? armStage1Entry : armStage2Entry
  plant(ground, tables, pages, {
    levels, pageShift: granule, indexBits, rootBits: inputBits - granule - (levels - 1) * indexBits,
    table: (_level, OA, tweak) => tweaked(layout, { Valid: 1, Table: 1, OA }, tweak)[0] as bigint,
    leaf: ({ level, target, entries: changed }) => tweaked(layout, { ...leafFields(stage, level), OA: target }, changed[level])[0] as bigint,
  })
  const register = tweaked(streamTableConfig, linear ? { LOG2SIZE: STREAMS_LOG2 } : { FMT: 1, SPLIT, LOG2SIZE: STREAMS_LOG2 }, way.table)[0] as bigint
  return { frames: ground.frames, streams, register, tables }
}
