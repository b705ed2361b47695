// A VT-d table state as data: the fields of every entry on the way, and the pages behind them.
import { contextEntry, pasidDirectoryEntry, pasidEntry, rootEntry, scalableContextEntry, scalableRootEntry } from '@iommu/driver-intel-vtd/tables'
import { firstStageEntry, secondStageEntry } from '@iommu/page-table'
import { createGround, plant } from '../ground.js'
import type { Frames } from '../ground.js'
import type { PlannedState } from '../plan.js'

export type WayPoint = 'root' | 'context' | 'directory' | 'pasid'

export interface VtdPlan extends PlannedState<WayPoint> {
  readonly mode: 'legacy' | 'second-stage' | 'first-stage'
  readonly levels: 3 | 4
}

/** Frames of words, by frame number, and where things are. */
export interface Built {
  readonly frames: Frames
  /** The root table. */
  readonly root: bigint
  /** The root of the page tables. */
  readonly tables: bigint
}

/** The first two frames of the tables' region belong to the queue. */
export const QUEUE_FRAME = 0x1000
export const STATUS_FRAME = 0x1001
export const FIRST_FRAME = 0x1002
export const DOMAIN_ID = 5

const LAYOUTS = {
  'second-stage': { layout: secondStageEntry, table: { R: 1, W: 1 }, leaf: { R: 1, W: 1 } },
  'first-stage': { layout: firstStageEntry, table: { P: 1, RW: 1, US: 1, A: 1 }, leaf: { P: 1, RW: 1, US: 1, A: 1, D: 1 } },
} as const

/** The words of a plan, in frames from `first` on. */
export const build = (plan: VtdPlan, first = FIRST_FRAME): Built => {
  const ground = createGround(first)
  const { take, put } = ground
  const { source, mode, levels, way, pages } = plan
  const [root, contexts, tables] = [take(), take(), take()]
  const devfn = source & 0xff
  const rootAt = root + BigInt((source >> 8) * 16)
  if (mode === 'legacy') {
    put(rootAt, rootEntry, { P: 1, CTP: contexts }, way.root)
    put(contexts + BigInt(devfn * 16), contextEntry, { P: 1, TT: 0, AW: levels - 2, DID: DOMAIN_ID, SSPTPTR: tables }, way.context)
  } else {
    put(rootAt, scalableRootEntry, { LP: 1, LCTP: contexts, UP: 1, UCTP: contexts }, way.root)
    const [directory, table] = [take(), take()]
    put(contexts + BigInt((devfn & 0x7f) * 32), scalableContextEntry, { P: 1, PASIDDIRPTR: directory }, way.context)
    const pasid = Number(way.context?.fields?.['RID_PASID'] ?? 0)
    put(directory + BigInt((pasid >> 6) * 8), pasidDirectoryEntry, { P: 1, SMPTBLPTR: table }, way.directory)
    put(table + BigInt((pasid & 63) * 64), pasidEntry, {
      P: 1, AW: levels - 2, DID: DOMAIN_ID, ...(mode === 'first-stage' ? { PGTT: 1, FSPTPTR: tables } : { PGTT: 2, SSPTPTR: tables }),
    }, way.pasid)
  }
  const { layout, table: tableFields, leaf: leafFields } = LAYOUTS[mode === 'first-stage' ? mode : 'second-stage']
  plant(ground, tables, pages, {
    levels, pageShift: 12, indexBits: 9, layout,
    table: (_level, ADDR) => ({ ...tableFields, ADDR }),
    leaf: ({ level, target }) => ({ ...leafFields, ...(level > 1 ? { PS: 1 } : {}), ADDR: target }),
  })
  return { frames: ground.frames, root, tables }
}
