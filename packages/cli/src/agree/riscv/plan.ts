// A RISC-V table state as data: the directory pointer, the device directory, the contexts, and the pages of both stages behind them.
import { directoryPointer, pagingMode } from '@iommu/driver-riscv/registers'
import type { DirectoryLevels, Levels } from '@iommu/driver-riscv/registers'
import { baseDeviceContext, deviceContext, deviceDirectoryEntry, deviceSplit, indexes, processContext } from '@iommu/driver-riscv/tables'
import { riscvEntry } from '@iommu/page-table'
import { createGround, plant, tweaked } from '../ground.js'
import type { Frames, Ground } from '../ground.js'
import type { Fields, Page, PlannedState } from '../plan.js'

/** The register that names the directory, the directory's root entry, the device's context, and the process context. */
export type WayPoint = 'pointer' | 'directory' | 'device' | 'process'

/** A page has the size of its level; with `napot` it is 16 equal entries of the lowest one. */
export interface RiscvPage extends Page {
  readonly napot?: true
}

/** `pages` are those of the first stage where there is one, and lead to guest addresses where there is a second one too. */
export interface RiscvPlan extends PlannedState<WayPoint, RiscvPage> {
  /** Device contexts of 64 bytes, else of 32. */
  readonly extended: boolean
  /** Levels of the device directory. */
  readonly directory: DirectoryLevels
  /** Levels of each stage; absent: it is bare. */
  readonly first?: Levels
  readonly second?: Levels
  /** Process contexts: this PASID's says the same as that of requests without PASID. Absent: the device context says it all. */
  readonly pasid?: number
  /** Pages of the second stage under a first one. */
  readonly guests?: readonly RiscvPage[]
}

/** Frames of words, by frame number, and where things are. */
export interface Built {
  readonly frames: Frames
  /** The register that names the device directory. */
  readonly register: bigint
  /** Roots of the stages' tables: of the first one as its context names it. */
  readonly roots: { readonly first: bigint; readonly second: bigint }
}

/** The first frames of the tables' region belong to the queues. */
const TABLES = 0x8_1000
export const COMMANDS_FRAME = TABLES
export const FAULTS_FRAME = TABLES + 1
export const FIRST_FRAME = TABLES + 0x10
export const PSCID = 7
export const GSCID = 9

const PAGE_SHIFT = 12
const INDEX_BITS = 9
/** A second stage's root is four pages. */
const SECOND_ROOT_BITS = 11
const SECOND_ROOT_BYTES = 0x4000
const PROCESS_BYTES = 16n
const NAPOT_SHIFT = 16
const NAPOT_COPIES = 16
/** The lowest four bits of the page number say the size. */
const NAPOT_SIZE = 0x8000n

/** A guest's tables are these host frames, shown to it by one leaf of 2 MiB. */
const TABLES_BASE = BigInt(TABLES) << 12n
const GUEST_TABLES = 0x4000_0000n
export const GUEST_LEAF: RiscvPage = { iova: GUEST_TABLES, level: 2, target: TABLES_BASE, entries: {} }
const toGuest = (address: bigint): bigint => address - TABLES_BASE + GUEST_TABLES

/** log2 of a page's size. */
export const shiftOf = ({ level, napot }: Pick<RiscvPage, 'level' | 'napot'>): number =>
  (napot === true ? NAPOT_SHIFT : PAGE_SHIFT + INDEX_BITS * (level - 1))

/** Of 8 bytes, everything granted. */
const leafFields = ({ target, napot }: RiscvPage): Fields =>
  ({ V: 1, R: 1, W: 1, X: 1, U: 1, A: 1, D: 1, PPN: napot === true ? target | NAPOT_SIZE : target, N: napot === true ? 1 : 0 })

const plantStage = (
  ground: Ground, root: bigint, levels: Levels, pages: readonly RiscvPage[], shown: (address: bigint) => bigint, secondStage: boolean,
): void =>
  plant(ground, root, pages, {
    levels, pageShift: PAGE_SHIFT, indexBits: INDEX_BITS, ...(secondStage ? { rootBits: SECOND_ROOT_BITS } : {}), layout: riscvEntry,
    table: (_level, address) => ({ V: 1, PPN: shown(address) }),
    leaf: leafFields,
    copies: ({ napot }) => (napot === true ? NAPOT_COPIES : 1),
  })

const asItIs = (address: bigint): bigint => address

const stageFields = (levels: Levels | undefined, root: bigint): Fields =>
  (levels === undefined ? {} : { FSC_MODE: pagingMode(levels), FSC_PPN: root })

/** PD8. */
const ONE_LEVEL = 1

const contextFields = ({ first, second, pasid }: RiscvPlan, processes: bigint, roots: Built['roots']): Fields => ({
  V: 1,
  ...(second === undefined ? {} : { IOHGATP_MODE: pagingMode(second), GSCID, IOHGATP_PPN: roots.second }),
  ...(pasid !== undefined ? { PDTV: 1, DPE: 1, FSC_MODE: ONE_LEVEL, FSC_PPN: processes } : { PSCID, ...stageFields(first, roots.first) }),
})

/** The words of a plan, in frames from `firstFrame` on. */
export const build = (plan: RiscvPlan, firstFrame = FIRST_FRAME): Built => {
  const { source, extended, directory, first, second, pasid, way, pages, guests = [] } = plan
  const ground = createGround(firstFrame)
  const nested = first !== undefined && second !== undefined
  const shown = nested ? toGuest : asItIs
  const root = ground.take()
  const tables = ground.take()
  const secondRoot = ground.take(SECOND_ROOT_BYTES)
  const roots = { first: shown(tables), second: secondRoot }
  const path = indexes(deviceSplit(extended, directory), source)
  let table = root
  for (const index of path.slice(0, -1)) {
    const below = ground.take()
    ground.put(table + BigInt(index * 8), deviceDirectoryEntry, { V: 1, PPN: below }, table === root ? way.directory : undefined)
    table = below
  }
  const processes = ground.take()
  const layout = extended ? deviceContext : baseDeviceContext
  const fields = contextFields(plan, second === undefined ? processes : toGuest(processes), roots)
  ground.put(table + BigInt((path.at(-1) as number) * (layout.bits / 8)), layout, fields, way.device)
  for (const each of pasid === undefined ? [] : new Set([0, pasid])) {
    ground.put(processes + BigInt(each) * PROCESS_BYTES, processContext, { V: 1, PSCID, ...stageFields(first, roots.first) }, way.process)
  }
  if (first !== undefined) plantStage(ground, tables, first, pages, shown, false)
  if (second !== undefined) {
    // What a guest keeps in memory lies where its second stage shows it.
    const own = nested || pasid !== undefined ? [GUEST_LEAF] : []
    plantStage(ground, secondRoot, second, [...(nested ? guests : pages), ...own], asItIs, true)
  }
  const register = tweaked(directoryPointer, { MODE: directory + 1, PPN: root }, way.pointer)[0] as bigint
  return { frames: ground.frames, register, roots }
}
